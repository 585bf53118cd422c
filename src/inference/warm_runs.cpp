#include "inference/warm_runs.h"

namespace skua {

Status Execution::warm_up(const EngineRecord& record) {
  return set_shapes(*this, record, &OptimizationProfile::opt);
}

Status set_shapes(Execution& execution, const EngineRecord& record, Shape OptimizationProfile::*side) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    for (const OptimizationProfile& profile : record.profiles) {
      if (profile.input_name != record.inputs[i].name || execution.input(i).shape == profile.*side) continue;
      SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, profile.*side));
    }
  }
  return {};
}

Status run_at(Execution& execution, const EngineRecord& record, Shape OptimizationProfile::*side, int runs) {
  SKUA_RETURN_IF_ERROR(set_shapes(execution, record, side));
  for (int n = 0; n < runs; ++n) {
    Status ran = execution.run(std::nullopt);
    if (ran.ok()) continue;
    const Error& error = ran.error();
    if (error.code == ErrorCode::kOutOfMemory || error.reason == Reason::kDeviceLost) return ran;
  }
  return {};
}

}  // namespace skua
