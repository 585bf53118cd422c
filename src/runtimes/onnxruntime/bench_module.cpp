// What `libskua_bench_onnx_trt_ep.so` exports; see runtime_module.cpp for the build id.
#include "skua_build_id.h"

#include "runtimes/onnxruntime/raw_session.h"
#include "runtimes/onnxruntime/record_options.h"

namespace {

constexpr skua::RawModule kModule = {sizeof(skua::RawModule), SKUA_BUILD_ID, skua::ort::kRuntimeLabel.data(),
                                     &skua::ort::open_raw_session, &skua::ort::create_paired};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::RawModule* skua_bench_module() {
  return &kModule;
}
