#include "flight/flight_program.h"

#include <algorithm>
#include <array>
#include <memory>

#include "bootstrap/airborne_config.h"
#include "bootstrap/event_setup.h"
#include "bootstrap/flight_state.h"
#include "core/host_probe.h"
#include "core/trace_session.h"
#include "flight/flight_outputs.h"
#include "flight/flight_report.h"
#include "flight/last_words.h"
#include "flight/tile_map.h"

namespace skua::flight {
namespace {

constexpr double kNsPerSecond = 1e9;

Error usage_error(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

/// The components of one flight, in the order in which they are made; each needs those above it.
class Flight {
 public:
  Flight(const FlightArguments& arguments, const ProcessSurroundings& surroundings, Supervisor supervisor,
         SignalWatcher& signals, LastWords& last_words)
      : arguments_(arguments),
        surroundings_(surroundings),
        supervisor_(std::move(supervisor)),
        signals_(signals),
        last_words_(last_words) {}
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  /// From here on nobody speaks for this flight any more.
  ~Flight() { signals_.ended(); }

  Status run() {
    SKUA_RETURN_IF_ERROR(configure());
    Status flown = compose_and_fly();
    if (!flown.ok() && !has_flown_) tell_refusal(flown.error());
    return flown;
  }
  bool has_flown() const noexcept { return has_flown_; }

 private:
  Status configure();
  Status compose_and_fly();
  Status check_consumers() const;
  Status open_inputs();
  Status open_outputs();
  Status compose();
  Status tell_nothing_to_fly();
  Status index_map();
  Status fly();
  Status finish(const FlightLoop& loop, FlightEnd end);
  void tell_refusal(const Error& error);
  void tell_fault(int native_code);
  void tell_begun();

  const FlightArguments& arguments_;
  const ProcessSurroundings& surroundings_;
  Supervisor supervisor_;
  SignalWatcher& signals_;
  LastWords& last_words_;

  AirborneConfig config_;
  FlightSettings settings_;
  std::unique_ptr<EventPipeline> events_;
  std::unique_ptr<TraceSession> trace_;
  std::optional<FlightState> state_;
  std::optional<FrameSource> frames_;
  std::optional<FrameLinesWriter> lines_;
  TileMap map_;
  PreConstruction built_;
  std::shared_ptr<InferenceRuntime> runtime_;
  std::shared_ptr<LightGlueRuntime> lightglue_;
  std::vector<std::unique_ptr<Consumer>> owned_;
  FlightConsumers consumers_;
  std::optional<TileIndex> tiles_;
  int channels_ = 1;
  bool has_flown_ = false;
  FlightPhase phase_ = FlightPhase::kTakeOff;
  int start_count_ = 1;
  std::int64_t ready_ns_ = 0;
};

/// A lane of its own for every consumer, for the engine that it runs and no other.
void declare_lanes(RuntimeConfig& config, const FlightSettings& settings) {
  const std::array<LaneDeclaration, 3> wanted{{{std::string(kVprSlug), settings.vpr_model},
                                               {std::string(kMatcherSlug), settings.features_model},
                                               {std::string(kAdhopSlug), settings.adhop_model}}};
  for (const LaneDeclaration& lane : wanted) {
    const bool is_declared =
        std::any_of(config.lanes.begin(), config.lanes.end(),
                    [&](const LaneDeclaration& own) { return own.consumer == lane.consumer; });
    if (!is_declared) config.lanes.push_back(lane);
  }
}

Status Flight::configure() {
  SKUA_ASSIGN_OR_RETURN(config_, read_airborne_config(arguments_.config, surroundings_.environment));
  SKUA_ASSIGN_OR_RETURN(settings_, read_flight_settings(arguments_.config));
  if (!arguments_.frames.empty()) settings_.frames = arguments_.frames;
  declare_lanes(config_.inference, settings_);  // the last that is changed: from here on it is only read
  SKUA_ASSIGN_OR_RETURN(events_, start_events(config_.inference));
  last_words_.set_events(events_.get());
  return check_consumers();
}

void Flight::tell_refusal(const Error& error) {
  if (error.reason == Reason::kCancelled) return;
  if (error.reason == Reason::kDeviceLost) tell_fault(error.native_code);
  events_->emit({Level::kError,
                 "c7.takeoff_refused",
                 operator_text(error),
                 {{"error", std::string(error_class_name(error.code))},
                  {"reason", std::string(to_string(error.reason))}}});
}

void Flight::tell_fault(int native_code) {
  events_->emit(
      {Level::kError,
       "c7.runtime_faulted",
       "C7 device lost; native code " + std::to_string(native_code) + ": ending for a restart",
       {{"runtime", config_.inference.runtime}, {"reason", std::string(to_string(Reason::kDeviceLost))}}});
}

/// A replay without inference composes whoever needs none: here that is nobody.
Status Flight::tell_nothing_to_fly() {
  events_->emit(
      {Level::kWarn,
       "c7.flight_state",
       "mode is replay and components.c7_inference is not given: no inference is composed and nothing "
       "is flown; add the block to fly",
       {{"folder", config_.inference.state_dir.string()}}});
  return compose();
}

Status Flight::compose_and_fly() {
  if (!config_.uses_inference()) return tell_nothing_to_fly();
  SKUA_RETURN_IF_ERROR(open_inputs());
  Span take_off(SpanKind::kTakeOff);
  if (!arguments_.check_only) state_->note_restart(boot_moment());
  AirborneSurroundings surroundings;
  surroundings.host = probe_host();
  surroundings.events = events_.get();
  surroundings.set_in_flight = state_->set_in_flight();
  surroundings.is_dry = arguments_.check_only;
  SKUA_ASSIGN_OR_RETURN(built_, build_pre_constructed(config_, surroundings));
  SKUA_RETURN_IF_ERROR(compose());
  runtime_ = std::get<std::shared_ptr<InferenceRuntime>>(built_.entries.at(std::string(kInferenceKey)));
  lightglue_ = std::get<std::shared_ptr<LightGlueRuntime>>(built_.entries.at(std::string(kLightGlueKey)));
  SKUA_RETURN_IF_ERROR(index_map());
  take_off.end();
  ready_ns_ = system_clock().monotonic_ns() - surroundings_.started_ns;
  return arguments_.check_only ? Status() : fly();
}

/// The frame loop needs three of the four consumers; AdHoP may be left out. None known: all of them.
Status Flight::check_consumers() const {
  if (!config_.uses_inference() || !config_.consumers) return {};
  std::string missing;
  for (const std::string_view slug : {kVprSlug, kRerankSlug, kMatcherSlug}) {
    const auto& known = *config_.consumers;
    if (std::find(known.begin(), known.end(), slug) == known.end()) missing += " " + std::string(slug);
  }
  if (missing.empty()) return {};
  return usage_error("components of " + arguments_.config.string() + ":" + missing +
                     " missing; the frame loop needs c2_vpr, c2_5_rerank and c3_matcher: add them");
}

/// What can be wrong without any engine is found out before one is loaded.
Status Flight::open_inputs() {
  SKUA_ASSIGN_OR_RETURN(FlightState state, FlightState::open(posix_file_system(), config_.inference.state_dir,
                                                             *events_, arguments_.check_only));
  state_.emplace(std::move(state));
  if (settings_.frames.empty())
    return usage_error("no frames: give --frames FOLDER, or flight.frames in " + arguments_.config.string());
  if (settings_.map.empty())
    return usage_error("no map: give flight.map, a folder with map.json, in " + arguments_.config.string());
  SKUA_ASSIGN_OR_RETURN(FrameSource frames, FrameSource::open(settings_.frames));
  frames_.emplace(std::move(frames));
  SKUA_ASSIGN_OR_RETURN(map_, read_tile_map(settings_.map));
  return open_outputs();
}

Status Flight::open_outputs() {
  const FlightFiles files = files_of(arguments_, config_.inference, settings_, *frames_, map_);
  SKUA_RETURN_IF_ERROR(check_flight_files(files));
  SKUA_RETURN_IF_ERROR(check_report_folder(arguments_.report));
  const bool is_restart = !arguments_.check_only && !state_->set_in_flight().empty();
  SKUA_ASSIGN_OR_RETURN(trace_, start_trace(files, is_restart, *events_));
  if (arguments_.frame_lines.empty()) return {};
  SKUA_ASSIGN_OR_RETURN(FrameLinesWriter lines, FrameLinesWriter::open(arguments_.frame_lines));
  lines_.emplace(std::move(lines));
  return {};
}

/// The engine behind a consumer, or why it has none.
Result<const EngineHandle*> named_engine(const EngineSet& set, std::string_view field,
                                         const std::string& model) {
  if (const EngineHandle* const engine = set.find(model); engine != nullptr) return engine;
  std::string known;
  for (const EngineSet::Item& item : set.engines) known += (known.empty() ? "" : ", ") + item.model;
  return make_error(ErrorCode::kInvalidArgument, Reason::kUnknownName,
                    "flight." + std::string(field) + " is '" + model + "'; expected an engine of set " +
                        set.set_id + ": " + known + "; name one of them, or provision the network");
}

Status Flight::compose() {
  const Span span(SpanKind::kCompose);
  const EngineSet& set = built_.engines;
  const std::size_t most = settings_.candidates;
  const std::array<ConsumerFactory, 4> factories{
      {{kVprSlug,
        [&](const Injected& injected) -> Result<std::unique_ptr<Consumer>> {
          SKUA_ASSIGN_OR_RETURN(const EngineHandle* engine,
                                named_engine(set, "vpr_model", settings_.vpr_model));
          SKUA_ASSIGN_OR_RETURN(auto made, VprConsumer::create(injected, *engine));
          consumers_.vpr = made.get();
          return std::unique_ptr<Consumer>(std::move(made));
        }},
       {kRerankSlug,
        [&](const Injected& injected) -> Result<std::unique_ptr<Consumer>> {
          SKUA_ASSIGN_OR_RETURN(auto made, RerankConsumer::create(injected, most));
          consumers_.rerank = made.get();
          return std::unique_ptr<Consumer>(std::move(made));
        }},
       {kMatcherSlug,
        [&](const Injected& injected) -> Result<std::unique_ptr<Consumer>> {
          SKUA_ASSIGN_OR_RETURN(const EngineHandle* engine,
                                named_engine(set, "features_model", settings_.features_model));
          SKUA_ASSIGN_OR_RETURN(auto made, MatcherConsumer::create(injected, *engine, most));
          consumers_.matcher = made.get();
          return std::unique_ptr<Consumer>(std::move(made));
        }},
       {kAdhopSlug, [&](const Injected& injected) -> Result<std::unique_ptr<Consumer>> {
          SKUA_ASSIGN_OR_RETURN(const EngineHandle* engine,
                                named_engine(set, "adhop_model", settings_.adhop_model));
          SKUA_ASSIGN_OR_RETURN(auto made, AdhopConsumer::create(injected, *engine));
          consumers_.adhop = made.get();
          return std::unique_ptr<Consumer>(std::move(made));
        }}}};
  SKUA_ASSIGN_OR_RETURN(owned_, compose_root(config_, built_.entries, factories));
  return {};
}

Status Flight::index_map() {
  const MatcherConsumer& matcher = *consumers_.matcher;
  if (map_.tile_width != matcher.width() || map_.tile_height != matcher.height()) {
    return usage_error("the map's tiles are " + std::to_string(map_.tile_width) + "x" +
                       std::to_string(map_.tile_height) + "; expected " + std::to_string(matcher.width()) +
                       "x" + std::to_string(matcher.height()) + ", what " + settings_.features_model +
                       " takes: cut the map anew");
  }
  const Span span(SpanKind::kIndexMap);
  channels_ = std::max(consumers_.vpr->channels(), matcher.channels());
  SKUA_ASSIGN_OR_RETURN(TileIndex tiles, TileIndex::build(map_, *consumers_.vpr, *consumers_.matcher,
                                                          channels_, consumers_.adhop != nullptr,
                                                          [&] { return signals_.is_requested(); }));
  tiles_.emplace(std::move(tiles));
  return {};
}

Status Flight::fly() {
  const std::string& set_id = built_.engines.set_id;
  SKUA_ASSIGN_OR_RETURN(FramePipeline pipeline, FramePipeline::create(consumers_, *tiles_, *runtime_,
                                                                      settings_, &signals_.requested()));
  const LoopParts parts{
      &pipeline, &*frames_, &*tiles_, &signals_, &supervisor_, events_.get(), lines_ ? &*lines_ : nullptr};
  const FrameFormat format{consumers_.matcher->width(), consumers_.matcher->height(), channels_};
  const auto loop = std::make_unique<FlightLoop>(parts, format, settings_);  // its histograms are large
  phase_ = state_->phase_for(set_id);
  SKUA_ASSIGN_OR_RETURN(start_count_, state_->begin(set_id, boot_moment()));
  has_flown_ = true;
  last_words_.set_flight(&*state_, set_id, &loop->progress());
  tell_begun();
  supervisor_.ready("flying set " + set_id);
  std::optional<std::int64_t> duration_ns;
  if (arguments_.duration_s) duration_ns = static_cast<std::int64_t>(*arguments_.duration_s * kNsPerSecond);
  const FlightEnd end = loop->run(duration_ns);
  signals_.ended();  // this thread speaks from here on; if the watcher has begun to, the process ends in this
                     // call
  return finish(*loop, end);
}

void Flight::tell_begun() {
  const std::string& set_id = built_.engines.set_id;
  events_->emit({Level::kInfo,
                 "c7.flight_begun",
                 "C7 flight begun (" + std::string(to_string(phase_)) + "): set " + set_id,
                 {{"set_id", set_id},
                  {"runtime", std::string(runtime_->current_runtime_label())},
                  {"phase", std::string(to_string(phase_))},
                  {"start_count", std::int64_t{start_count_}}}});
}

/// What is to be known of a flight comes before what waits for a disk. A lost device leaves the flight's
/// record where it is: the next start is a reboot in flight.
Status Flight::finish(const FlightLoop& loop, FlightEnd end) {
  supervisor_.stopping(to_string(end));
  if (end == FlightEnd::kDeviceLost) tell_fault(loop.native_code());
  events_->emit(ended_event(built_.engines.set_id, end, loop.progress()));
  static_cast<void>(events_->drain(LastWords::kDrainLimit));
  if (end != FlightEnd::kDeviceLost) state_->end();
  FlownFlight flown{built_, *runtime_, *lightglue_,  settings_, config_.inference.lightglue_model,
                    loop,   phase_,    start_count_, end};
  flown.frame_lines_lost = lines_ ? lines_->lost() : 0;
  if (trace_) trace_->stop();
  flown.trace_spans_lost = trace_ ? trace_->counts().lost : 0;
  flown.ready_ns = ready_ns_;
  Status reported =
      arguments_.report.empty() ? Status() : write_report(arguments_.report, report_text(flown));
  if (end != FlightEnd::kDeviceLost) return reported;
  return make_error(ErrorCode::kInference, Reason::kDeviceLost,
                    "the device is lost (native code " + std::to_string(loop.native_code()) +
                        "); the supervisor is to start the program again",
                    loop.native_code());
}

}  // namespace

Outcome run_flight(const FlightArguments& arguments, const ProcessSurroundings& surroundings) {
  LastWords last_words;
  SignalWatcher::Options options;
  options.last_words = [&] { last_words.say(); };
  auto signals = SignalWatcher::start(std::move(options));
  if (!signals.ok()) return {std::move(signals).error(), false};
  auto supervisor = Supervisor::connect(surroundings.notify_socket, surroundings.watchdog_usec);
  if (!supervisor.ok()) return {std::move(supervisor).error(), false};
  Flight flight(arguments, surroundings, *std::move(supervisor), **signals, last_words);
  Status ended = flight.run();
  const bool is_signal =
      !ended.ok() && ended.error().reason == Reason::kCancelled && (*signals)->is_requested();
  return {is_signal ? Status() : std::move(ended), flight.has_flown()};
}

}  // namespace skua::flight
