#include "compile/trial_runs.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "compile/trial_inputs.h"

namespace skua::compile {
namespace {

using Side = Shape OptimizationProfile::*;

Status set_shapes(const EngineRecord& record, Execution& execution, Side side) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    for (const OptimizationProfile& profile : record.profiles) {
      if (profile.input_name != record.inputs[i].name) continue;
      SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, profile.*side));
    }
  }
  return {};
}

Error trial_error(const Compilation& compilation, const Error& error, std::string_view side) {
  const std::string remedy = error.reason == Reason::kOutputOverflow
                                 ? "raise max_output_shapes"
                                 : "check the model, its profiles, and that it accepts any input values";
  const bool is_memory = error.code == ErrorCode::kOutOfMemory;
  return make_error(is_memory ? error.code : ErrorCode::kEngineBuild, error.reason,
                    compilation.request.artifact_name + ": the trial run at the " + std::string(side) +
                        " shapes failed: " + error.describe() + "; " + remedy,
                    error.native_code);
}

// With the user's golden vectors there are inputs that surely make sense; made-up ones could be refused.
bool has_only_golden_inputs(const Compilation& compilation) {
  return compilation.request.build.golden.has_value() && compilation.record.profiles.empty();
}

}  // namespace

Status run_trials(const Compilation& compilation, Execution& execution) {
  const std::pair<Side, std::string_view> sides[] = {{&OptimizationProfile::min, "min"},
                                                     {&OptimizationProfile::opt, "opt"},
                                                     {&OptimizationProfile::max, "max"}};
  for (const auto& [side, name] : sides) {
    SKUA_RETURN_IF_ERROR(set_shapes(compilation.record, execution, side));
    for (std::size_t i = 0; i < compilation.record.inputs.size(); ++i) {
      const std::string& input = compilation.record.inputs[i].name;
      const Tensor* golden =
          has_only_golden_inputs(compilation) ? compilation.golden.inputs.find(input) : nullptr;
      if (golden != nullptr) {
        const auto bytes = golden->as<std::byte>();
        std::copy(bytes.begin(), bytes.end(), execution.input(i).as<std::byte>().begin());
      } else {
        fill_trial_input(execution.input(i), compilation.record.model_sha256, input);
      }
    }
    if (Status ran = execution.run(std::nullopt); !ran.ok())
      return trial_error(compilation, ran.error(), name);
    if (compilation.record.profiles.empty()) break;  // the three are one and the same
  }
  return {};
}

}  // namespace skua::compile
