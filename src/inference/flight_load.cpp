#include "inference/flight_load.h"

#include <array>
#include <cstdio>

#include "cache/engine_verify.h"
#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "cache/set_signature.h"
#include "core/trace.h"
#include "inference/load_events.h"
#include "inference/set_loader.h"

namespace skua {
namespace {

Status check_set_matches(const RuntimeState& runtime, const Manifest& manifest) {
  if (manifest.runtime_label == runtime.label) return {};
  return make_error(ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch,
                    "set " + manifest.set_id + " was provisioned for runtime '" + manifest.runtime_label +
                        "', this is '" + runtime.label +
                        "'; nothing is substituted: provision a set for it or change "
                        "the configuration");
}

std::string thermal_source_of(const RuntimeState& runtime) {
  const ThermalPoller* poller = runtime.thermal.load(std::memory_order_acquire);
  return poller == nullptr ? "none" : poller->source_name();
}

/// "demo_vpr verify=1.2 deserialize=9.1 warm_up=305.0 golden=64.2 ms; ..."
std::string times_text(const std::vector<EngineLoadTimes>& times) {
  std::string text;
  for (const EngineLoadTimes& engine : times) {
    std::array<char, 128> figures{};
    const auto ms = [](std::int64_t ns) { return static_cast<double>(ns) / 1e6; };
    std::snprintf(figures.data(), figures.size(), " verify=%.1f deserialize=%.1f warm_up=%.1f golden=%.1f ms",
                  ms(engine.verify_ns), ms(engine.deserialize_ns), ms(engine.warm_up_ns),
                  ms(engine.golden_ns));
    text += (text.empty() ? "" : "; ") + engine.model + figures.data();
  }
  return text;
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
                                     {"signer", set.signer ? set.signer->hex() : "none"},
                                     {"total_ns", set.total_ns},
                                     {"engine_times", times_text(set.times)},
                                     {"thermal_source", thermal_source_of(runtime)}}});
}

void report_unsigned(const RuntimeState& runtime, const std::string& set_id) {
  runtime.environment.events->emit(
      {Level::kWarn,
       "c7.set_unsigned",
       "flight set " + set_id + " is not signed; allowed by policy, for development only",
       {{"set_id", set_id}}});
}

void report_expired(const RuntimeState& runtime, const Manifest& manifest) {
  const std::string last = manifest.not_after.value_or("");
  runtime.environment.events->emit({Level::kWarn,
                                    "c7.set_expired",
                                    "flight set " + manifest.set_id + " was good until " + last +
                                        "; loaded by policy: provision a newer one",
                                    {{"set_id", manifest.set_id}, {"not_after", last}}});
}

/// What may be relaxed on the ground may not be in the air, whoever wrote the policy.
Status check_policy(const RuntimeState& runtime, const GatePolicy& policy) {
  if (runtime.environment.role != Role::kAirborne) return {};
  if (policy.allow_unsigned) {
    return make_error(
        ErrorCode::kManifest, Reason::kPolicyNotAirborne,
        "load policy: expected unsigned sets to be refused in the air, found them allowed; sign the "
        "set and give the runtime its public key");
  }
  if (policy.trusted_keys.size() <= kMostTrustedKeys) return {};
  return make_error(ErrorCode::kManifest, Reason::kPolicyNotAirborne,
                    "load policy: expected at most two trusted keys in the air, the current and the next, "
                    "found " +
                        std::to_string(policy.trusted_keys.size()) + "; give those two alone");
}

Result<AdmittedSet> admit_whole_set(const RuntimeState& runtime, const std::filesystem::path& set_dir,
                                    const GatePolicy& policy) {
  const Span span(SpanKind::kSetGate);
  SKUA_RETURN_IF_ERROR(check_policy(runtime, policy));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set,
                        admit_set(posix_file_system(), set_dir, policy, *runtime.environment.clock));
  if (set.is_unsigned) report_unsigned(runtime, set.manifest.set_id);
  if (set.is_expired) report_expired(runtime, set.manifest);
  SKUA_RETURN_IF_ERROR(check_set_matches(runtime, set.manifest));
  const Span files(SpanKind::kListedFiles);
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
  return load_engines(runtime, steps, uses_gpu, *std::move(set));
}

Result<LoadedSet> load_and_keep(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                                const std::filesystem::path& set_dir, const GatePolicy& policy) {
  SKUA_RETURN_IF_ERROR(check_may_load(runtime));
  const Clock& clock = *runtime.environment.clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  SKUA_ASSIGN_OR_RETURN(LoadedSet loaded, load_admitted(runtime, steps, uses_gpu, set_dir, policy));
  loaded.total_ns = clock.monotonic_ns() - start_ns;
  {
    const std::lock_guard lock(runtime.table_mutex);
    // The seal may have come while the set was loading: what came too late does not stay.
    SKUA_RETURN_IF_ERROR(check_not_sealed(runtime));
    runtime.flight_engines = loaded.engines;
    runtime.loaded_set_id = loaded.set_id;
  }
  report_ready(runtime, loaded);
  return loaded;
}

}  // namespace

Result<std::shared_ptr<EngineState>> load_from_cache(RuntimeState& runtime, const AdmissionSteps& steps,
                                                     bool uses_gpu, const EngineCacheEntry& entry) {
  SKUA_RETURN_IF_ERROR(check_not_sealed(runtime));
  const std::string file = entry.engine_path.filename().string();
  Span span(SpanKind::kLoadEngine, {file});
  EngineLoadTimes times;
  const auto load = [&]() -> Result<std::shared_ptr<EngineState>> {
    SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(entry.engine_path.parent_path()));
    const EngineExpectation expected{file, std::nullopt, entry.precision, runtime.environment.host, uses_gpu};
    const Clock& clock = *runtime.environment.clock;
    const std::int64_t start_ns = clock.monotonic_ns();
    BufferPool pool(0);
    auto prepared = prepare_engine(admit_cached(*folder, expected, pool), *folder, clock, start_ns);
    if (prepared.engine.ok()) SKUA_RETURN_IF_ERROR(check_entry(entry, prepared.engine->record()));
    SKUA_ASSIGN_OR_RETURN(auto resident, admit_prepared(runtime, steps, std::move(prepared), times));
    for (const auto& slot : resident->slots) {
      SKUA_ASSIGN_OR_RETURN(const std::int64_t took_ns, warm_up(runtime, resident->record, *slot));
      times.warm_up_ns += took_ns;
    }
    return resident;
  };
  auto engine = load();
  if (!engine.ok()) {
    Error error = as_refusal(std::move(engine).error(), file);
    span.failed(error.reason);
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
  Span span(SpanKind::kLoadSet);
  auto loaded = load_and_keep(runtime, steps, uses_gpu, set_dir, policy);
  if (!loaded.ok()) span.failed(loaded.error().reason);
  return loaded;
}

}  // namespace skua
