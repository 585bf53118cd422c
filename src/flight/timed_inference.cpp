#include "flight/timed_inference.h"

#include <algorithm>

namespace skua::flight {

Result<TimedInference> TimedInference::create(InferenceRuntime& runtime, const EngineHandle& engine,
                                              std::string_view consumer) {
  SKUA_ASSIGN_OR_RETURN(EngineInfo info, runtime.info(engine));
  SKUA_ASSIGN_OR_RETURN(const Lane lane, runtime.create_lane(consumer));
  SKUA_ASSIGN_OR_RETURN(BoundInference bound, runtime.bind(engine, lane));
  return TimedInference(std::move(bound), std::move(info));
}

Error contract_error(std::string_view consumer, const EngineInfo& info, const std::string& expected,
                     const std::string& found) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    std::string(consumer) + ": engine " + info.model + ": expected " + expected + ", found " +
                        found + "; provision a network that this consumer can use, or name another one");
}

std::string describe(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += (text.empty() ? "'" : ", '") + spec.name + "' " + std::string(to_string(spec.dtype)) + " " +
            spec.shape.to_string();
  }
  return text.empty() ? "none" : text;
}

std::optional<std::size_t> index_of(const std::vector<TensorSpec>& specs, std::string_view name) noexcept {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& spec) { return spec.name == name; });
  if (found == specs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - specs.begin());
}

}  // namespace skua::flight
