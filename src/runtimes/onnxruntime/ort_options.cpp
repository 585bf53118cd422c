#include "runtimes/onnxruntime/ort_options.h"

#include <algorithm>
#include <array>

#include "runtimes/onnxruntime/ort_errors.h"

namespace skua::ort {
namespace {

constexpr std::array<std::string_view, 9> kKnownKeys = {"session.load_model_format",
                                                        "session.intra_op.allow_spinning",
                                                        "session.inter_op.allow_spinning",
                                                        "session.disable_cpu_ep_fallback",
                                                        "session.disable_model_compile",
                                                        "session.use_env_allocators",
                                                        "ep.context_enable",
                                                        "ep.context_embed_mode",
                                                        "ep.context_file_path"};

bool is_gpu(std::string_view provider) noexcept { return provider != "cpu"; }

// ONNX Runtime's worker threads spin after each run by default: on a contended board that loses to a single
// thread.
Pairs common_config(std::string_view provider) {
  // Unless told, ONNX Runtime guesses by bytes 4 to 7, and could read another graph than the one checked
  // here.
  Pairs config = {{"session.load_model_format", "ONNX"},
                  {"session.intra_op.allow_spinning", "0"},
                  {"session.inter_op.allow_spinning", "0"}};
  // Illegal together with an explicitly appended CPU provider, and needless there: it is the only one.
  if (is_gpu(provider)) config.emplace_back("session.disable_cpu_ep_fallback", "1");
  return config;
}

Pairs tensorrt_options(const EngineLimits& limits) {
  Pairs options = {{"device_id", "0"},
                   {"trt_max_workspace_size", std::to_string(limits.workspace_bytes)},
                   {"trt_engine_cache_enable", "0"},
                   {"trt_timing_cache_enable", "0"},
                   {"trt_fp16_enable", "0"},
                   {"trt_int8_enable", "0"}};
  if (limits.profiles.empty()) return options;
  options.emplace_back("trt_profile_min_shapes", profile_text(limits.profiles, &OptimizationProfile::min));
  options.emplace_back("trt_profile_opt_shapes", profile_text(limits.profiles, &OptimizationProfile::opt));
  options.emplace_back("trt_profile_max_shapes", profile_text(limits.profiles, &OptimizationProfile::max));
  return options;
}

Pairs cuda_options(const RuntimeConfig& config) {
  return {{"device_id", "0"},
          {"gpu_mem_limit", std::to_string(config.gpu_memory_budget_bytes)},
          {"arena_extend_strategy", "kSameAsRequested"},
          {"cudnn_conv_algo_search", "HEURISTIC"},
          {"use_tf32", "0"}};
}

SessionPlan base_plan(const RuntimeConfig& config, const EngineLimits& limits) {
  SessionPlan plan;
  plan.intra_op_threads = config.intra_op_threads;
  plan.provider = config.execution_provider;
  plan.config = common_config(plan.provider);
  if (plan.provider == "tensorrt") plan.provider_options = tensorrt_options(limits);
  if (plan.provider == "cuda") plan.provider_options = cuda_options(config);
  return plan;
}

GraphOptimizationLevel level_of(std::string_view text) noexcept {
  if (text == "all") return ORT_ENABLE_ALL;
  if (text == "extended") return ORT_ENABLE_EXTENDED;
  if (text == "basic") return ORT_ENABLE_BASIC;
  return ORT_DISABLE_ALL;
}

std::pair<std::vector<const char*>, std::vector<const char*>> as_c_arrays(const Pairs& pairs) {
  std::pair<std::vector<const char*>, std::vector<const char*>> arrays;
  for (const auto& [key, value] : pairs) {
    arrays.first.push_back(key.c_str());
    arrays.second.push_back(value.c_str());
  }
  return arrays;
}

// Appends exactly the planned provider; nothing else is put behind it.
OrtStatus* append_provider(const OrtLibrary& library, const SessionPlan& plan, OrtSessionOptions* options) {
  const OrtApi& api = library.api();
  const auto [keys, values] = as_c_arrays(plan.provider_options);
  if (plan.provider == "cpu") return library.append_cpu(options);
  if (plan.provider == "tensorrt") {
    TensorRtOptionsHandle provider(api);
    if (OrtStatus* status = api.CreateTensorRTProviderOptions(provider.out())) return status;
    if (OrtStatus* status =
            api.UpdateTensorRTProviderOptions(provider.get(), keys.data(), values.data(), keys.size()))
      return status;
    return api.SessionOptionsAppendExecutionProvider_TensorRT_V2(options, provider.get());
  }
  CudaOptionsHandle provider(api);
  if (OrtStatus* status = api.CreateCUDAProviderOptions(provider.out())) return status;
  if (OrtStatus* status =
          api.UpdateCUDAProviderOptions(provider.get(), keys.data(), values.data(), keys.size()))
    return status;
  return api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, provider.get());
}

Status set_general(const OrtApi& api, const SessionPlan& plan, OrtSessionOptions* options) {
  const auto set = [&api](OrtStatus* status) {
    return check(api, status, OrtContext::kProvider, "session options");
  };
  SKUA_RETURN_IF_ERROR(set(api.SetSessionGraphOptimizationLevel(options, level_of(plan.graph_optimization))));
  SKUA_RETURN_IF_ERROR(set(api.SetSessionExecutionMode(options, ORT_SEQUENTIAL)));
  SKUA_RETURN_IF_ERROR(set(api.SetIntraOpNumThreads(options, plan.intra_op_threads)));
  SKUA_RETURN_IF_ERROR(set(api.SetInterOpNumThreads(options, 1)));
  SKUA_RETURN_IF_ERROR(set(api.SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_ERROR)));
  for (const auto& [key, value] : plan.config) {
    SKUA_RETURN_IF_ERROR(set(api.AddSessionConfigEntry(options, key.c_str(), value.c_str())));
  }
  if (!plan.save_optimized_to.empty()) {
    SKUA_RETURN_IF_ERROR(set(api.SetOptimizedModelFilePath(options, plan.save_optimized_to.c_str())));
  }
  if (!plan.profile_prefix.empty()) {
    SKUA_RETURN_IF_ERROR(set(api.EnableProfiling(options, plan.profile_prefix.c_str())));
  }
  return {};
}

}  // namespace

SessionPlan run_plan(const RuntimeConfig& config, const EngineLimits& limits) {
  SessionPlan plan = base_plan(config, limits);
  plan.graph_optimization = "disabled";
  // An engine that would have to be built at load is refused instead.
  if (is_gpu(plan.provider)) plan.config.emplace_back("session.disable_model_compile", "1");
  return plan;
}

SessionPlan compile_plan(const RuntimeConfig& config, const EngineLimits& limits, Precision precision,
                         const std::filesystem::path& artifact) {
  SessionPlan plan = base_plan(config, limits);
  plan.graph_optimization = graph_optimization_of(plan.provider, precision);
  if (plan.provider == "tensorrt") {
    plan.config.emplace_back("ep.context_enable", "1");
    plan.config.emplace_back("ep.context_embed_mode", "1");
    plan.config.emplace_back("ep.context_file_path", artifact.string());
  } else {
    plan.save_optimized_to = artifact;
  }
  return plan;
}

SessionPlan reference_plan(std::string_view graph_optimization) {
  SessionPlan plan;
  plan.graph_optimization = graph_optimization;
  plan.provider = "cpu";
  plan.config = common_config(plan.provider);
  return plan;
}

std::string_view graph_optimization_of(std::string_view provider, Precision precision) noexcept {
  // The highest level widens half weights to float32 for good; this one keeps them half in the saved file.
  if (provider == "cpu" && precision == Precision::kFp16) return "extended";
  // TensorRT optimises for itself; only the rewrites that it profits from come before it.
  if (provider == "tensorrt") return "basic";
  return "all";
}

std::string_view provider_name(std::string_view provider) noexcept {
  if (provider == "cpu") return "CPUExecutionProvider";
  if (provider == "cuda") return "CUDAExecutionProvider";
  if (provider == "tensorrt") return "TensorrtExecutionProvider";
  return "";
}

std::uint64_t workspace_bytes(const RuntimeConfig& config, int workspace_mb) noexcept {
  const std::uint64_t wanted = static_cast<std::uint64_t>(std::max(workspace_mb, 1)) << 20U;
  return std::min(wanted, config.gpu_memory_budget_bytes / 4);
}

std::string profile_text(std::span<const OptimizationProfile> profiles, Shape OptimizationProfile::*side) {
  std::string text;
  for (const OptimizationProfile& profile : profiles) {
    if (!text.empty()) text += ',';
    text += profile.input_name + ":" + (profile.*side).to_string();
  }
  return text;
}

Status check_config_keys(const Pairs& config) {
  for (const auto& [key, value] : config) {
    if (std::find(kKnownKeys.begin(), kKnownKeys.end(), key) != kKnownKeys.end()) continue;
    return make_error(ErrorCode::kInternal, Reason::kInternal,
                      "session config key '" + key + "' is not a known one");
  }
  return {};
}

Result<SessionOptionsHandle> make_options(const OrtLibrary& library, const SessionPlan& plan,
                                          ErrorCode refusal_code) {
  const OrtApi& api = library.api();
  SKUA_RETURN_IF_ERROR(check_config_keys(plan.config));
  SessionOptionsHandle options(api);
  SKUA_RETURN_IF_ERROR(
      check(api, api.CreateSessionOptions(options.out()), OrtContext::kProvider, "session options"));
  SKUA_RETURN_IF_ERROR(set_general(api, plan, options.get()));
  if (OrtStatus* status = append_provider(library, plan, options.get()); status != nullptr) {
    Error error = translate(api, status, OrtContext::kProvider, "execution provider " + plan.provider);
    if (error.code != ErrorCode::kOutOfMemory) error.code = refusal_code;
    error.message += "; another execution_provider is never substituted: set one that works here";
    return error;
  }
  return options;
}

}  // namespace skua::ort
