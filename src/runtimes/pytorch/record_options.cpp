#include "runtimes/pytorch/record_options.h"

#include "inference/recorded_options.h"
#include "runtimes/pytorch/torch_library.h"

namespace skua::pytorch {
namespace {

constexpr std::string_view kOptimized = "optimized", kFrozen = "frozen";

std::string_view arithmetic_option(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kNative ? "native" : "widened";
}

}  // namespace

Arithmetic arithmetic_of(const RuntimeConfig& config, Precision precision) {
  if (precision == Precision::kFp32) return Arithmetic::kFp32;
  if (config.arithmetic.empty())
    return device_of(config) == "cpu" ? Arithmetic::kWidened : Arithmetic::kNative;
  return config.arithmetic == "widened" ? Arithmetic::kWidened : Arithmetic::kNative;
}

void resolve(RuntimeConfig& config) {
  config.device = device_of(config);
  config.arithmetic = arithmetic_option(arithmetic_of(config, Precision::kFp16));
}

std::map<std::string, std::string> record_options(const RuntimeConfig& config, Precision precision,
                                                  bool is_optimized, const std::string& library_version) {
  std::map<std::string, std::string> options = {
      {"device", device_of(config)},
      {"graph", std::string(is_optimized ? kOptimized : kFrozen)},
      {"intra_op_threads", std::to_string(config.intra_op_threads)},
      // under the name that every runtime shares: find_reusable compares it
      {"sdk_version", library_version}};
  const Arithmetic arithmetic = arithmetic_of(config, precision);
  if (arithmetic != Arithmetic::kFp32) options["arithmetic"] = arithmetic_option(arithmetic);
  return options;
}

RunPlan plan_of(const EngineRecord& record, const RuntimeConfig& config) {
  RunPlan plan;
  plan.device = device_of(config);
  plan.arithmetic = arithmetic_of(config, record.precision);
  plan.is_optimized = option_of(record, "graph") == kOptimized;
  return plan;
}

Status check_recorded(const EngineRecord& record, const RuntimeConfig& config,
                      const std::string& library_version) {
  SKUA_RETURN_IF_ERROR(check_option(record, "runtime", kRuntimeLabel, record.runtime_label));
  SKUA_RETURN_IF_ERROR(check_option(record, "device", device_of(config), option_of(record, "device")));
  const Arithmetic arithmetic = arithmetic_of(config, record.precision);
  if (arithmetic != Arithmetic::kFp32) {
    SKUA_RETURN_IF_ERROR(
        check_option(record, "arithmetic", arithmetic_option(arithmetic), option_of(record, "arithmetic")));
  }
  SKUA_RETURN_IF_ERROR(check_option(record, "libtorch", library_version, option_of(record, "sdk_version")));
  const std::string graph = option_of(record, "graph");
  if (graph == kOptimized || graph == kFrozen) return {};
  return check_option(record, "graph", std::string(kOptimized) + " or " + std::string(kFrozen), graph);
}

}  // namespace skua::pytorch
