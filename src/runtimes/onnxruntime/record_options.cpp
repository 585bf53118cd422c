#include "runtimes/onnxruntime/record_options.h"

#include "inference/recorded_options.h"
#include "runtimes/onnxruntime/ort_options.h"

namespace skua::ort {
namespace {

std::string device_of(const RuntimeConfig& config) {
  return config.execution_provider == "cpu" ? "cpu" : "cuda:0";
}

}  // namespace

std::map<std::string, std::string> record_options(const RuntimeConfig& config, const BuildConfig& build,
                                                  const std::string& library_version) {
  std::map<std::string, std::string> options = {
      {"device", device_of(config)},
      {"execution_provider", config.execution_provider},
      {"graph_optimization", std::string(graph_optimization_of(config.execution_provider, build.precision))},
      {"intra_op_threads", std::to_string(config.intra_op_threads)},
      {"onnxruntime", library_version},
      {"sdk_version",
       library_version},  // under the name that every runtime shares: find_reusable compares it
      {"spinning", "0"}};
  if (config.execution_provider != "cpu") {
    options["cpu_ep_fallback"] = "0";
    options["workspace_bytes"] = std::to_string(workspace_bytes(config, build.workspace_mb));
  }
  return options;
}

Status check_recorded(const EngineRecord& record, const RuntimeConfig& config,
                      const std::string& library_version) {
  const auto recorded = [&record](const std::string& option) { return option_of(record, option); };
  SKUA_RETURN_IF_ERROR(check_option(record, "runtime", kRuntimeLabel, record.runtime_label));
  SKUA_RETURN_IF_ERROR(
      check_option(record, "execution_provider", config.execution_provider, recorded("execution_provider")));
  SKUA_RETURN_IF_ERROR(check_option(record, "device", device_of(config), recorded("device")));
  SKUA_RETURN_IF_ERROR(check_option(record, "onnxruntime", library_version, recorded("onnxruntime")));
  return check_option(record, "graph_optimization",
                      graph_optimization_of(config.execution_provider, record.precision),
                      recorded("graph_optimization"));
}

}  // namespace skua::ort
