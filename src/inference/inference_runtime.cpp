#include "skua/inference_runtime.h"

#include <algorithm>
#include <utility>

#include "inference/admission.h"
#include "inference/compile.h"
#include "inference/engine_folder.h"
#include "inference/flight_load.h"
#include "inference/runtime_state.h"
#include "inference/slot_access.h"

namespace skua {
namespace {

Error argument_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

}  // namespace

std::string_view Lane::consumer() const noexcept { return state_ ? std::string_view(state_->consumer) : ""; }

const EngineHandle* EngineSet::find(std::string_view model) const noexcept {
  const auto found =
      std::find_if(engines.begin(), engines.end(), [&](const Item& item) { return item.model == model; });
  return found == engines.end() ? nullptr : &found->handle;
}

InferenceRuntime::InferenceRuntime(RuntimeEnvironment environment, std::string label)
    : state_(std::make_unique<RuntimeState>()) {
  state_->environment = std::move(environment);
  state_->label = std::move(label);
  state_->free_memory = [this] { return free_memory(); };  // not asked before the strategy is there
  state_->default_lane = ensure_lane(*state_, kDefaultLane);
  for (const LaneDeclaration& lane : state_->environment.config.lanes)
    ensure_lane(*state_, lane.consumer, lane.engine);
}

InferenceRuntime::~InferenceRuntime() { state_->share->is_alive.store(false, std::memory_order_release); }

const RuntimeEnvironment& InferenceRuntime::environment() const noexcept { return state_->environment; }
std::string_view InferenceRuntime::current_runtime_label() const noexcept { return state_->label; }
void InferenceRuntime::seal() noexcept {
  // Under the lock: whoever is placing memory finishes first, and whoever comes after sees the seal.
  const std::lock_guard lock(state_->table_mutex);
  if (!state_->is_sealed.exchange(true, std::memory_order_acq_rel)) on_seal();
}

ThermalState InferenceRuntime::thermal_state() const noexcept {
  const ThermalPoller* poller = state_->thermal.load(std::memory_order_acquire);
  return poller == nullptr ? ThermalState() : poller->state();
}

Status InferenceRuntime::start_telemetry() {
  const std::lock_guard lock(state_->telemetry_mutex);
  if (state_->poller) return {};
  const RuntimeEnvironment& environment = state_->environment;
  ThermalPollerOptions options;
  options.source.source = environment.config.thermal_source;
  options.source.root = environment.thermal_root;
  options.source.replay = environment.config.thermal_replay;
  options.poll_hz = environment.config.thermal_poll_hz;
  options.cpu = environment.config.thermal_cpu;
  options.nice = environment.config.thermal_nice;
  SKUA_ASSIGN_OR_RETURN(state_->poller,
                        ThermalPoller::start(options, *environment.events, *environment.clock));
  state_->thermal.store(state_->poller.get(), std::memory_order_release);
  return {};
}

Result<EngineCacheEntry> InferenceRuntime::compile_engine(const std::filesystem::path& model_path,
                                                          const BuildConfig& build) {
  const RuntimeEnvironment& environment = state_->environment;
  if (environment.role != Role::kGround) {
    return make_error(ErrorCode::kEngineBuild, Reason::kAirborneCannotBuild,
                      "an airborne runtime never compiles: " + model_path.string() +
                          " must be compiled on the ground and provisioned in a flight set");
  }
  const std::lock_guard lock(state_->load_mutex);
  CompileContext context;
  context.config = environment.config;
  context.config.runtime = state_->label;
  context.host = environment.host;
  context.events = environment.events;
  context.cancel_requested = environment.cancel_requested;
  SKUA_ASSIGN_OR_RETURN(const EngineRecord record, compile_model(model_path, build, context));
  return to_entry(record, environment.config.engine_cache_dir);
}

AdmissionSteps InferenceRuntime::admission_steps() {
  return {[this](const EngineRecord& record) { return check_record(record); },
          [this](VerifiedEngine engine) { return deserialize(std::move(engine)); }};
}

Result<EngineHandle> InferenceRuntime::deserialize_engine(const EngineCacheEntry& entry) {
  const std::lock_guard lock(state_->load_mutex);
  auto engine = state_->environment.role == Role::kGround
                    ? load_from_cache(*state_, admission_steps(), uses_gpu(), entry)
                    : find_in_flight_set(*state_, entry);
  if (!engine.ok()) return std::move(engine).error();
  return EngineHandle(*std::move(engine));
}

Result<EngineSet> InferenceRuntime::load_flight_set(const std::filesystem::path& set_dir,
                                                    const GatePolicy& policy) {
  const std::lock_guard lock(state_->load_mutex);
  SKUA_ASSIGN_OR_RETURN(LoadedSet loaded, load_set(*state_, admission_steps(), uses_gpu(), set_dir, policy));
  EngineSet set;
  set.set_id = std::move(loaded.set_id);
  set.release_sequence = loaded.release_sequence;
  set.signer = loaded.signer;
  set.times = std::move(loaded.times);
  set.total_ns = loaded.total_ns;
  for (const auto& engine : loaded.engines)
    set.engines.push_back({engine->record.model, EngineHandle(engine)});
  return set;
}

Result<BoundInference> InferenceRuntime::bind(const EngineHandle& handle, const Lane& lane) {
  SKUA_RETURN_IF_ERROR(check_handle(*state_, handle.state_.get()));
  SKUA_ASSIGN_OR_RETURN(ExecutionSlot* const slot, slot_for(*state_, *handle.state_, lane.state_));
  auto impl = std::make_unique<BoundInference::Impl>();
  impl->engine = handle.state_;
  impl->lane = lane.state_;
  impl->slot = slot;
  impl->clock = state_->environment.clock;
  impl->events = state_->environment.events;
  return BoundInference(std::move(impl));
}

Result<Lane> InferenceRuntime::create_lane(std::string_view consumer) {
  const std::lock_guard lock(state_->table_mutex);
  const bool is_known = state_->lanes.find(consumer) != state_->lanes.end();
  if (!is_known && state_->is_sealed) {
    return argument_error(Reason::kLaneNotDeclared,
                          "lane '" + std::string(consumer) +
                              "' was not declared; after the seal only declared lanes are "
                              "handed out: add it to `lanes` in the configuration");
  }
  if (consumer.empty()) return argument_error(Reason::kInvalidArgument, "a lane needs its consumer's name");
  return Lane(ensure_lane(*state_, consumer));
}

Result<EngineInfo> InferenceRuntime::info(const EngineHandle& handle) const {
  SKUA_RETURN_IF_ERROR(check_handle(*state_, handle.state_.get()));
  const EngineState& engine = *handle.state_;
  EngineInfo info;
  info.model = engine.record.model;
  info.runtime_label = state_->label;
  info.device = engine.report.device;
  info.provider = engine.report.provider;
  info.arithmetic = engine.report.arithmetic;
  info.sdk_version = engine.report.sdk_version;
  info.precision = engine.record.precision;
  info.engine_sha256 = engine.record.engine_sha256;
  info.inputs = engine.record.inputs;
  info.outputs = engine.record.outputs;
  info.profiles = engine.record.profiles;
  const std::lock_guard lock(state_->table_mutex);
  info.resident_bytes = engine.resident_bytes;
  return info;
}

void InferenceRuntime::release_engine(EngineHandle& handle) {
  // Whatever was the last holder, the session goes after the lock has.
  const EngineHandle released = std::exchange(handle, EngineHandle());
  if (released.state_ == nullptr || released.state_->runtime != state_->share) return;
  const std::lock_guard lock(state_->table_mutex);
  released.state_->is_released.store(true, std::memory_order_release);
  auto& flight = state_->flight_engines;
  flight.erase(std::remove(flight.begin(), flight.end(), released.state_), flight.end());
  if (flight.empty()) state_->loaded_set_id.clear();
}

}  // namespace skua
