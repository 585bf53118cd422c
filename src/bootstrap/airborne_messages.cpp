#include "bootstrap/airborne_messages.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kRuntimeField = "components.c7_inference.runtime";

bool is_built(std::string_view runtime) {
  const auto registry = runtime_registry();
  return std::any_of(registry.begin(), registry.end(),
                     [&](const RuntimeEntry& entry) { return entry.label == runtime && entry.is_built; });
}

/// "tensorrt (BUILD_TENSORRT_RUNTIME is OFF), pytorch_fp16 (BUILD_PYTORCH_FP16_RUNTIME is ON)"
std::string airborne_options() {
  std::vector<std::string> options;
  for (const AirborneBuildFlag& flag : C7_AIRBORNE_BUILD_FLAGS) {
    options.push_back(std::string(flag.runtime) + " (" + std::string(flag.build_flag) + " is " +
                      (is_built(flag.runtime) ? "ON" : "OFF") + ")");
  }
  return join(options);
}

std::string built_airborne_runtimes() {
  std::string built;
  for (const AirborneBuildFlag& flag : C7_AIRBORNE_BUILD_FLAGS) {
    if (is_built(flag.runtime)) built += (built.empty() ? "" : " or ") + std::string(flag.runtime);
  }
  return built;
}

/// What can be done about a runtime that was built and cannot be had all the same.
std::string remedy_of(Reason cause) {
  if (cause == Reason::kModuleMissing || cause == Reason::kSdkMissing)
    return "install the package that holds this runtime, and its SDK";
  if (cause == Reason::kModuleForeign || cause == Reason::kSdkForeign)
    return "install modules, library and SDK of one release";
  return "the cause below says what to change";
}

/// What can be done about it, given what this Skua was built with.
std::string remedy(std::string_view runtime, Reason cause) {
  const std::string built = built_airborne_runtimes();
  if (built.empty()) return "build Skua with one of these flags ON";
  if (is_airborne_runtime(runtime) && is_built(runtime)) return remedy_of(cause);
  const std::string change = "set " + std::string(kRuntimeField) + ": " + built;
  return is_airborne_runtime(runtime) ? change + ", or build Skua with the other flag ON" : change;
}

Error bootstrap_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kAirborneBootstrap, reason, std::move(message));
}

}  // namespace

bool is_airborne_runtime(std::string_view runtime) noexcept {
  return std::any_of(C7_AIRBORNE_BUILD_FLAGS.begin(), C7_AIRBORNE_BUILD_FLAGS.end(),
                     [&](const AirborneBuildFlag& flag) { return flag.runtime == runtime; });
}

std::vector<std::string> configured_consumers(const AirborneConfig& config) {
  std::vector<std::string> slugs;
  for (const RequiredKeys& required : AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS) {
    const std::string slug(required.consumer);
    const auto& known = config.consumers;
    if (!known || std::find(known->begin(), known->end(), slug) != known->end()) slugs.push_back(slug);
  }
  return slugs;
}

Error not_airborne(std::string_view runtime) {
  return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kRuntimeNotAirborne,
                    "the runtime " + quote(runtime) + " never flies; expected one of: " + airborne_options());
}

Error no_inference(const AirborneConfig& config, const Error& cause) {
  const std::string& runtime = config.inference.runtime;
  Error error = bootstrap_error(
      cause.reason, "no " + std::string(kInferenceKey) + ": " + std::string(kRuntimeField) + " is " +
                        quote(runtime) + ", which this program cannot have; " +
                        join(configured_consumers(config)) +
                        " cannot be composed without it. Runtimes that fly: " + airborne_options() + "; " +
                        remedy(runtime, cause.reason));
  error.native_code = cause.native_code;
  error.cause = std::make_shared<const Error>(cause);
  return error;
}

Error no_matcher(const AirborneConfig& config, const EngineSet& engines) {
  std::vector<std::string> models;
  for (const EngineSet::Item& item : engines.engines) models.push_back(item.model);
  return bootstrap_error(Reason::kPreConstructedMissing,
                         "no " + std::string(kLightGlueKey) + ": lightglue_model is " +
                             quote(config.inference.lightglue_model) + ", and the flight set " +
                             quote(engines.set_id, 200) + " has only: " + join(models) +
                             "; set components.c7_inference.lightglue_model to the matcher among them, or "
                             "provision a set that has it");
}

Error missing_keys(const AirborneConfig& config, const std::vector<MissingKey>& missing) {
  std::string text;
  for (const MissingKey& entry : missing) {
    text += (text.empty() ? "" : "; ") + std::string(entry.key) + ", needed by " + join(entry.consumers);
  }
  const std::string remedy =
      config.uses_inference()
          ? "expected both from build_pre_constructed, neither of them null: report this, the program is "
            "composed wrongly"
          : "in a replay they are constructed only where the configuration has the block "
            "components.c7_inference: add it, or leave these consumers out";
  return bootstrap_error(Reason::kPreConstructedMissing, "not constructed: " + text + "; " + remedy);
}

std::string operator_text(const Error& error) {
  const std::string_view words = error.message.empty() ? sentence_of(error.reason) : error.message;
  std::string text =
      "airborne_bootstrap: " + std::string(words) + " [" + std::string(to_string(error.reason)) + "]";
  for (const Error* cause = error.cause.get(); cause != nullptr; cause = cause->cause.get()) {
    text += "; caused by " + cause->describe();
  }
  return text;
}

}  // namespace skua
