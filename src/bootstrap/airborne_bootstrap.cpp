#include "skua/airborne_bootstrap.h"

#include <utility>

#include "bootstrap/airborne_freshness.h"
#include "bootstrap/airborne_keys.h"
#include "bootstrap/airborne_messages.h"
#include "cache/set_gate.h"

namespace skua {
namespace {

using InferencePointer = std::shared_ptr<InferenceRuntime>;
using LightGluePointer = std::shared_ptr<LightGlueRuntime>;

std::vector<std::string> matcher_lanes(const RuntimeConfig& config) {
  std::vector<std::string> names{std::string(kLightGlueKey)};
  for (int i = 1; i < config.lightglue_lanes; ++i) {
    names.push_back(std::string(kLightGlueKey) + "_" + std::to_string(i));
  }
  return names;
}

RuntimeEnvironment environment_of(const AirborneConfig& config, const AirborneSurroundings& surroundings) {
  RuntimeEnvironment environment;
  environment.config = config.inference;
  // Declared before the set is loaded, so that their memory is counted and placed with it.
  for (std::string& lane : matcher_lanes(config.inference)) {
    environment.config.lanes.push_back({std::move(lane), config.inference.lightglue_model});
  }
  environment.role = Role::kAirborne;
  environment.host = surroundings.host;
  environment.clock = surroundings.clock;
  environment.events = surroundings.events;
  environment.thermal_root = surroundings.thermal_root;
  return environment;
}

Result<std::unique_ptr<InferenceRuntime>> build_airborne_runtime(const AirborneConfig& config,
                                                                 const AirborneSurroundings& surroundings) {
  const std::string& runtime = config.inference.runtime;
  if (!is_airborne_runtime(runtime)) return not_airborne(runtime);
  return surroundings.build_runtime(environment_of(config, surroundings));
}

Result<InferencePointer> build_inference(const AirborneConfig& config,
                                         const AirborneSurroundings& surroundings) {
  auto built = build_airborne_runtime(config, surroundings);
  if (built.ok()) return InferencePointer(*std::move(built));
  const bool is_unavailable = built.error().code == ErrorCode::kRuntimeNotAvailable;
  if (!is_unavailable || configured_consumers(config).empty()) return std::move(built).error();
  return no_inference(config, built.error());
}

/// What is asked of a set in the air. Nothing in it can be relaxed.
Result<GatePolicy> airborne_policy(const RuntimeConfig& config, const FlightRatchet& ratchet) {
  GatePolicy policy;
  policy.flight_set_limit_bytes = config.flight_set_limit_bytes;
  SKUA_ASSIGN_OR_RETURN(policy.trusted_keys, airborne_keys(posix_file_system(), config));
  ratchet.restrict(policy);
  return policy;
}

Result<EngineSet> load_set(InferenceRuntime& runtime, const RuntimeConfig& config,
                           const std::filesystem::path& set, const FlightRatchet& ratchet) {
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy, airborne_policy(config, ratchet));
  return runtime.load_flight_set(set, policy);
}

Result<LightGluePointer> build_lightglue(const AirborneConfig& config, const InferencePointer& inference,
                                         const EngineSet& engines) {
  const EngineHandle* engine = engines.find(config.inference.lightglue_model);
  if (engine == nullptr) return no_matcher(config, engines);
  LightGlueOptions options;
  for (const std::string& name : matcher_lanes(config.inference)) {
    SKUA_ASSIGN_OR_RETURN(Lane lane, inference->create_lane(name));
    options.lanes.push_back(std::move(lane));
  }
  SKUA_ASSIGN_OR_RETURN(auto lightglue, LightGlueRuntime::create(inference, *engine, options));
  return LightGluePointer(std::move(lightglue));
}

/// The instance of a key; null when it is missing, null, or of another type.
template <typename Pointer>
Pointer entry_of(const PreConstructed& entries, std::string_view key) {
  const auto found = entries.find(key);
  if (found == entries.end()) return nullptr;
  const Pointer* pointer = std::get_if<Pointer>(&found->second);
  return pointer != nullptr ? *pointer : nullptr;
}

bool is_present(const PreConstructed& entries, std::string_view key) {
  return key == kInferenceKey ? entry_of<InferencePointer>(entries, key) != nullptr
                              : entry_of<LightGluePointer>(entries, key) != nullptr;
}

std::vector<const ConsumerFactory*> factories_of(const AirborneConfig& config,
                                                 std::span<const ConsumerFactory> factories) {
  std::vector<const ConsumerFactory*> chosen;
  if (!config.uses_inference() && !config.consumers) return chosen;
  for (const std::string& slug : configured_consumers(config)) {
    for (const ConsumerFactory& factory : factories) {
      if (factory.slug == slug) chosen.push_back(&factory);
    }
  }
  return chosen;
}

bool needs(std::string_view slug, std::string_view key) {
  for (const RequiredKeys& required : AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS) {
    if (required.consumer == slug) return required.keys[0] == key || required.keys[1] == key;
  }
  return false;
}

Status check_required(const AirborneConfig& config, const PreConstructed& entries,
                      const std::vector<const ConsumerFactory*>& factories) {
  std::vector<MissingKey> missing;
  for (const std::string_view key : {kInferenceKey, kLightGlueKey}) {
    if (is_present(entries, key)) continue;
    MissingKey entry{key, {}};
    for (const ConsumerFactory* factory : factories) {
      if (needs(factory->slug, key)) entry.consumers.emplace_back(factory->slug);
    }
    if (!entry.consumers.empty()) missing.push_back(std::move(entry));
  }
  if (missing.empty()) return {};
  return missing_keys(config, missing);
}

/// One runtime per process is the promise; a second one would double the memory and split the budget.
Status check_identity(std::string_view who, const InferenceRuntime* held, const InferenceRuntime* shared) {
  if (held == shared) return {};
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    std::string(who) + " holds another runtime than " + std::string(kInferenceKey) +
                        "; expected the one shared instance: this is a defect, report it");
}

Result<std::unique_ptr<Consumer>> create_consumer(const ConsumerFactory& factory, const Injected& shared) {
  Injected injected{shared.inference, needs(factory.slug, kLightGlueKey) ? shared.lightglue : nullptr};
  SKUA_ASSIGN_OR_RETURN(auto consumer, factory.create(injected));
  const InferenceRuntime* held = consumer != nullptr ? consumer->inference() : nullptr;
  SKUA_RETURN_IF_ERROR(check_identity(factory.slug, held, shared.inference.get()));
  return consumer;
}

}  // namespace

Result<PreConstruction> build_pre_constructed(const AirborneConfig& config,
                                              const AirborneSurroundings& surroundings) {
  PreConstruction built;
  if (!config.uses_inference()) return built;
  SKUA_ASSIGN_OR_RETURN(const InferencePointer inference, build_inference(config, surroundings));
  FileSystem& files = posix_file_system();
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path set,
                        current_set(files, config.inference.flight_sets_dir));
  const bool is_reboot = set.filename() == surroundings.set_in_flight;
  SKUA_ASSIGN_OR_RETURN(FlightRatchet ratchet,
                        FlightRatchet::read(files, config.inference, *surroundings.events, is_reboot));
  SKUA_ASSIGN_OR_RETURN(built.engines, load_set(*inference, config.inference, set, ratchet));
  built.set_id = built.engines.set_id;
  SKUA_ASSIGN_OR_RETURN(LightGluePointer lightglue, build_lightglue(config, inference, built.engines));
  if (!surroundings.is_dry) SKUA_RETURN_IF_ERROR(ratchet.accept(built.engines));
  built.entries.emplace(kInferenceKey, inference);
  built.entries.emplace(kLightGlueKey, std::move(lightglue));
  return built;
}

Result<std::vector<std::unique_ptr<Consumer>>> compose_root(const AirborneConfig& config,
                                                            const PreConstructed& pre_constructed,
                                                            std::span<const ConsumerFactory> factories) {
  const auto chosen = factories_of(config, factories);
  SKUA_RETURN_IF_ERROR(check_required(config, pre_constructed, chosen));
  const Injected shared{entry_of<InferencePointer>(pre_constructed, kInferenceKey),
                        entry_of<LightGluePointer>(pre_constructed, kLightGlueKey)};
  if (shared.lightglue != nullptr) {
    SKUA_RETURN_IF_ERROR(
        check_identity(kLightGlueKey, shared.lightglue->source().get(), shared.inference.get()));
  }
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (const ConsumerFactory* factory : chosen) {
    SKUA_ASSIGN_OR_RETURN(auto consumer, create_consumer(*factory, shared));
    consumers.push_back(std::move(consumer));
  }
  if (shared.inference != nullptr) shared.inference->seal();
  return consumers;
}

}  // namespace skua
