#include "runtimes/tensorrt/record_options.h"

#include "inference/recorded_options.h"
#include "runtimes/tensorrt/trt_library.h"

namespace skua::tensorrt {

std::string_view device_name() noexcept { return "cuda:0"; }

std::string_view provider_name() noexcept { return kIsSil ? "sil" : "tensorrt"; }

std::string arithmetic_of(Precision precision) {
  if (kIsSil) return "fp32 on the CPU (sil)";
  // TensorRT chooses layer by layer; which share it was is in the record's proof.
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kFp16:
      return "fp16 and fp32, by layer";
    case Precision::kInt8:
      return "int8, fp16 and fp32, by layer";
    case Precision::kMixed:
      break;
  }
  return "mixed, by layer";
}

std::map<std::string, std::string> record_options(const std::string& library_version) {
  return {{"device", std::string(device_name())},
          {"provider", std::string(provider_name())},
          // under the name that every runtime shares: find_reusable compares it
          {"sdk_version", library_version}};
}

Status check_recorded(const EngineRecord& record, const std::string& library_version) {
  SKUA_RETURN_IF_ERROR(check_option(record, "runtime", kRuntimeLabel, record.runtime_label));
  SKUA_RETURN_IF_ERROR(check_option(record, "device", device_name(), option_of(record, "device")));
  SKUA_RETURN_IF_ERROR(check_option(record, "provider", provider_name(), option_of(record, "provider")));
  return check_option(record, "tensorrt", library_version, option_of(record, "sdk_version"));
}

}  // namespace skua::tensorrt
