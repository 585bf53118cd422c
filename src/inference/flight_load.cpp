#include "inference/flight_load.h"

#include "cache/engine_verify.h"
#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "inference/engine_stream.h"

namespace skua {
namespace {

/// Every refusal is told, with what an operator keys on.
void report_refusal(const RuntimeState& runtime, std::string_view file, const Error& error) {
  runtime.environment.events->emit(refusal_event(file, error));
}

/// The two steps of a load: the SDK took the verified bytes; the golden vectors were reproduced and every
/// declared lane has its memory.
void report_loaded(const RuntimeState& runtime, const EngineState& engine, const EngineLoadTimes& times) {
  EventSink& events = *runtime.environment.events;
  const std::string name = engine.record.model + "@" + std::string(to_string(engine.record.precision));
  events.emit({Level::kInfo,
               "c7.engine_deserialized",
               "C7 engine deserialised: " + name,
               {{"model", engine.record.model},
                {"engine_sha256", engine.record.engine_sha256.hex()},
                {"device", engine.report.device},
                {"arithmetic", engine.report.arithmetic},
                {"verify_ns", times.verify_ns},
                {"deserialize_ns", times.deserialize_ns}}});
  events.emit({Level::kInfo,
               "c7.backbone_resident",
               "C7 backbone resident: " + name,
               {{"backbone", engine.record.model},
                {"resident_bytes", static_cast<std::int64_t>(engine.resident_bytes)},
                {"golden_ns", times.golden_ns}}});
}

/// The rest of the gate for a prepared engine.
Result<std::shared_ptr<EngineState>> admit_prepared(RuntimeState& runtime, const AdmissionSteps& steps,
                                                    PreparedEngine prepared, EngineLoadTimes& times) {
  times.verify_ns = prepared.verify_ns;
  SKUA_RETURN_IF_ERROR(prepared.status());
  return admit_engine(runtime, steps, *std::move(prepared.engine), *prepared.golden, times);
}

std::vector<EngineExpectation> expectations_of(const RuntimeState& runtime, const Manifest& manifest,
                                               bool uses_gpu) {
  std::vector<EngineExpectation> expectations;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const EngineRecord& record = artifact.engine;
    expectations.push_back({record.file, record, record.precision, runtime.environment.host, uses_gpu});
  }
  return expectations;
}

Status check_airborne_precision(const RuntimeState& runtime, const EngineRecord& record) {
  if (runtime.environment.role == Role::kGround || record.precision != Precision::kFp32) return {};
  return make_error(ErrorCode::kEngineSchemaMismatch, Reason::kPrecisionNotAirborne,
                    record.file + " is fp32: reference artifacts never fly; provision the set with fp16");
}

Status check_set_matches(const RuntimeState& runtime, const Manifest& manifest) {
  if (manifest.runtime_label == runtime.label) return {};
  return make_error(ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch,
                    "set " + manifest.set_id + " was provisioned for runtime '" + manifest.runtime_label +
                        "', this is '" + runtime.label +
                        "'; nothing is substituted: provision a set for it or change "
                        "the configuration");
}

/// The state of one flight-set load.
class SetLoader {
 public:
  SetLoader(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu, AdmittedSet set)
      : runtime_(runtime), steps_(steps), uses_gpu_(uses_gpu), set_(std::move(set)) {}

  Status open_golden() {
    if (set_.manifest.artifacts.empty()) return {};
    auto golden = set_.folder->open_folder(kGoldenFolder);
    if (!golden.ok()) return as_load_error(golden.error(), file_text(*set_.folder, kGoldenFolder));
    golden_ = *std::move(golden);
    return {};
  }

  /// Judges every engine, also after a first refusal; loads while there is none. While one engine is
  /// deserialised and proven, the next is read and hashed.
  void run() {
    const auto& artifacts = set_.manifest.artifacts;
    const auto expectations = expectations_of(runtime_, set_.manifest, uses_gpu_);
    EngineStream stream(*set_.folder, *golden_, expectations, *runtime_.environment.clock);
    for (const ManifestArtifact& artifact : artifacts) take(artifact, stream.next());
  }

  Result<LoadedSet> finish() {
    if (first_error_) {
      if (refused_ > 1)
        first_error_->message += " (" + std::to_string(refused_ - 1) + " more engines refused; see the log)";
      return *std::move(first_error_);
    }
    loaded_.set_id = set_.manifest.set_id;
    loaded_.release_sequence = set_.manifest.release_sequence;
    return std::move(loaded_);
  }

 private:
  void take(const ManifestArtifact& artifact, PreparedEngine prepared) {
    EngineLoadTimes times;
    times.model = artifact.name;
    times.size_bytes = artifact.engine.size_bytes;
    auto engine = judge(artifact, std::move(prepared), times);
    if (!engine.ok()) {
      const Error error = as_refusal(std::move(engine).error(), artifact.engine.file);
      report_refusal(runtime_, artifact.engine.file, error);
      if (!first_error_) first_error_ = error;
      ++refused_;
      loaded_.engines.clear();
      return;
    }
    if (*engine == nullptr) return;
    report_loaded(runtime_, **engine, times);
    loaded_.engines.push_back(*std::move(engine));
    loaded_.times.push_back(times);
  }

  /// nullptr: it passed, but nothing is loaded any more because another engine was refused.
  Result<std::shared_ptr<EngineState>> judge(const ManifestArtifact& artifact, PreparedEngine prepared,
                                             EngineLoadTimes& times) {
    SKUA_RETURN_IF_ERROR(check_airborne_precision(runtime_, artifact.engine));
    if (first_error_ && prepared.status().ok()) {
      SKUA_RETURN_IF_ERROR(steps_.check_record(artifact.engine));
      return std::shared_ptr<EngineState>();
    }
    return admit_prepared(runtime_, steps_, std::move(prepared), times);
  }

  RuntimeState& runtime_;
  const AdmissionSteps& steps_;
  bool uses_gpu_;
  AdmittedSet set_;
  std::unique_ptr<Folder> golden_;
  LoadedSet loaded_;
  std::optional<Error> first_error_;
  int refused_ = 0;
};

std::string thermal_source_of(const RuntimeState& runtime) {
  const ThermalPoller* poller = runtime.thermal.load(std::memory_order_acquire);
  if (poller == nullptr) return "none";
  const ThermalSource* source = poller->source();
  return source == nullptr ? "opening" : std::string(source->name());
}

void report_ready(const RuntimeState& runtime, const LoadedSet& set) {
  std::string engines;
  for (const auto& engine : set.engines) {
    engines += (engines.empty() ? "" : ", ") + engine->record.model + "@" +
               std::string(to_string(engine->record.precision));
  }
  runtime.environment.events->emit({Level::kInfo,
                                    "c7.engines_ready",
                                    "C7 ready: runtime=" + runtime.label + ", engines=[" + engines + "]",
                                    {{"runtime", runtime.label},
                                     {"engines", engines},
                                     {"set_id", set.set_id},
                                     {"total_ns", set.total_ns},
                                     {"thermal_source", thermal_source_of(runtime)}}});
}

Result<AdmittedSet> admit_whole_set(const RuntimeState& runtime, const std::filesystem::path& set_dir,
                                    const GatePolicy& policy) {
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_set(posix_file_system(), set_dir, policy));
  if (set.is_unsigned) {
    runtime.environment.events->emit({Level::kWarn,
                                      "c7.set_unsigned",
                                      "flight set " + set.manifest.set_id +
                                          " is not signed; allowed by policy, for "
                                          "development only",
                                      {{"set_id", set.manifest.set_id}}});
  }
  SKUA_RETURN_IF_ERROR(check_set_matches(runtime, set.manifest));
  SKUA_RETURN_IF_ERROR(verify_listed_files(set));
  return set;
}

Status check_not_sealed(const RuntimeState& runtime) {
  if (!runtime.is_sealed) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "the runtime is sealed: nothing is loaded any more; load before seal()");
}

/// One set a flight, and nothing after the seal.
Status check_may_load(const RuntimeState& runtime) {
  SKUA_RETURN_IF_ERROR(check_not_sealed(runtime));
  const std::lock_guard lock(runtime.table_mutex);
  if (!runtime.loaded_set_id.empty()) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "flight set " + runtime.loaded_set_id + " is loaded already; one set a flight");
  }
  return {};
}

/// The entry that the caller holds must name the very bytes that were hashed.
Status check_entry(const EngineCacheEntry& entry, const EngineRecord& record) {
  if (entry.engine_sha256 == record.engine_sha256) return {};
  return make_error(ErrorCode::kEngineHashMismatch, Reason::kManifestHashMismatch,
                    record.file + " (stage manifest): the cache entry names SHA-256 " +
                        entry.engine_sha256.hex() + ", found " + record.engine_sha256.hex() +
                        "; the engine was compiled again since: use its new "
                        "entry");
}

/// Set gate, then every engine. Refusals of single engines are told where they are found, those of the set
/// here.
Result<LoadedSet> load_admitted(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                                const std::filesystem::path& set_dir, const GatePolicy& policy) {
  auto set = admit_whole_set(runtime, set_dir, policy);
  if (!set.ok()) {
    const Error error = as_refusal(std::move(set).error(), set_dir.string());
    report_refusal(runtime, set_dir.string(), error);
    return error;
  }
  SetLoader loader(runtime, steps, uses_gpu, *std::move(set));
  if (const Status opened = loader.open_golden(); !opened.ok()) {
    report_refusal(runtime, set_dir.string(), opened.error());
    return Error(opened.error());
  }
  loader.run();
  return loader.finish();
}

}  // namespace

Event refusal_event(std::string_view file, const Error& error) {
  return {Level::kError,
          "c7.engine_refused",
          error.describe(),
          {{"file", std::string(file)},
           {"error", std::string(error_class_name(error.code))},
           {"reason", std::string(to_string(error.reason))}}};
}

Result<std::shared_ptr<EngineState>> load_from_cache(RuntimeState& runtime, const AdmissionSteps& steps,
                                                     bool uses_gpu, const EngineCacheEntry& entry) {
  SKUA_RETURN_IF_ERROR(check_not_sealed(runtime));
  const std::string file = entry.engine_path.filename().string();
  EngineLoadTimes times;
  const auto load = [&]() -> Result<std::shared_ptr<EngineState>> {
    SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(entry.engine_path.parent_path()));
    const EngineExpectation expected{file, std::nullopt, entry.precision, runtime.environment.host, uses_gpu};
    const Clock& clock = *runtime.environment.clock;
    const std::int64_t start_ns = clock.monotonic_ns();
    BufferPool pool(0);
    auto prepared = prepare_engine(admit_cached(*folder, expected, pool), *folder, clock, start_ns);
    if (prepared.engine.ok()) SKUA_RETURN_IF_ERROR(check_entry(entry, prepared.engine->record()));
    return admit_prepared(runtime, steps, std::move(prepared), times);
  };
  auto engine = load();
  if (!engine.ok()) {
    Error error = as_refusal(std::move(engine).error(), file);
    report_refusal(runtime, file, error);
    return error;
  }
  report_loaded(runtime, **engine, times);
  return engine;
}

Result<std::shared_ptr<EngineState>> find_in_flight_set(RuntimeState& runtime,
                                                        const EngineCacheEntry& entry) {
  const std::lock_guard lock(runtime.table_mutex);
  for (const auto& engine : runtime.flight_engines) {
    if (engine->record.engine_sha256 == entry.engine_sha256) return engine;
  }
  const std::string file = entry.engine_path.filename().string();
  const Error error =
      make_error(ErrorCode::kEngineDeserialize, Reason::kNotInFlightSet,
                 file + " (SHA-256 " + entry.engine_sha256.hex() +
                     ") is not an engine of the loaded flight set; in the air nothing else is loaded");
  report_refusal(runtime, file, error);
  return error;
}

Result<LoadedSet> load_set(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                           const std::filesystem::path& set_dir, const GatePolicy& policy) {
  SKUA_RETURN_IF_ERROR(check_may_load(runtime));
  const Clock& clock = *runtime.environment.clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  auto loaded = load_admitted(runtime, steps, uses_gpu, set_dir, policy);
  if (!loaded.ok()) return std::move(loaded).error();
  loaded->total_ns = clock.monotonic_ns() - start_ns;
  {
    const std::lock_guard lock(runtime.table_mutex);
    // The seal may have come while the set was loading: what came too late does not stay.
    SKUA_RETURN_IF_ERROR(check_not_sealed(runtime));
    runtime.flight_engines = loaded->engines;
    runtime.loaded_set_id = loaded->set_id;
  }
  report_ready(runtime, *loaded);
  return loaded;
}

}  // namespace skua
