// Looks like ONNX Runtime to the loader, but is of a release that Skua was not built for.
#include <onnxruntime_c_api.h>

#include <cstdint>
#include <cstdlib>

namespace {

const OrtApi* get_api(std::uint32_t) noexcept {
  std::abort();
}  // the version must be judged before this is called
const char* version() noexcept { return "1.99.0"; }
const OrtApiBase kBase = {&get_api, &version};

}  // namespace

extern "C" const OrtApiBase* OrtGetApiBase() noexcept { return &kBase; }
extern "C" OrtStatus* OrtSessionOptionsAppendExecutionProvider_CPU(OrtSessionOptions*, int) noexcept {
  return nullptr;
}
