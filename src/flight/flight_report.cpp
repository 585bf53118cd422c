#include "flight/flight_report.h"

#include <array>

#include "cache/publish.h"
#include "core/json_strict.h"

namespace skua::flight {
namespace {

constexpr double kNsPerMs = 1e6, kNsPerSecond = 1e9;

double ms(std::int64_t ns) { return static_cast<double>(ns) / kNsPerMs; }

Json latency_of(const LatencyHistogram& latency) {
  return {{"count", latency.count()},
          {"mean_ms", latency.mean_ns() / kNsPerMs},
          {"p50_ms", ms(latency.quantile_ns(0.50))},
          {"p95_ms", ms(latency.quantile_ns(0.95))},
          {"p99_ms", ms(latency.quantile_ns(0.99))},
          {"max_ms", ms(latency.max_ns())}};
}

/// The network behind a stage; empty for what runs none.
std::string backbone_of(Stage stage, const FlightSettings& settings, const std::string& lightglue) {
  switch (stage) {
    case Stage::kVpr:
      return settings.vpr_model;
    case Stage::kFeatures:
      return settings.features_model;
    case Stage::kRerank:
    case Stage::kMatch:
      return lightglue;
    case Stage::kAdhop:
      return settings.adhop_model;
    case Stage::kSolve:
    case Stage::kOwn:
    case Stage::kFrame:
    case Stage::kAcquire:
      break;
  }
  return {};
}

Json stages_of(const FlownFlight& flight) {
  Json stages = Json::object();
  for (std::size_t i = 0; i < kStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    const LatencyHistogram& latency = flight.loop.statistics().latency(stage);
    if (latency.count() == 0) continue;
    Json entry = latency_of(latency);
    const std::string backbone = backbone_of(stage, flight.settings, flight.lightglue_model);
    if (!backbone.empty()) entry["backbone"] = backbone;
    stages[std::string(to_string(stage))] = std::move(entry);
  }
  return stages;
}

Json failures_of(const FlightStatistics& statistics) {
  Json failures = Json::object();
  for (const Reason reason : all_reasons()) {
    if (statistics.failed(reason) > 0) failures[std::string(to_string(reason))] = statistics.failed(reason);
  }
  return failures;
}

Json engines_of(const EngineSet& set) {
  Json engines = Json::array();
  for (const EngineLoadTimes& times : set.times) {
    engines.push_back({{"model", times.model},
                       {"size_bytes", times.size_bytes},
                       {"verify_ms", ms(times.verify_ns)},
                       {"deserialize_ms", ms(times.deserialize_ns)},
                       {"warm_up_ms", ms(times.warm_up_ns)},
                       {"golden_ms", ms(times.golden_ns)}});
  }
  return engines;
}

Json matcher_of(const LightGlueRuntime& lightglue) {
  Json timings = Json::object();
  for (const BatchTiming& timing : lightglue.batch_timings()) {
    if (timing.median_ns > 0) timings[std::string(to_string(timing.mode))] = ms(timing.median_ns);
  }
  return {{"batch_mode", to_string(lightglue.batch_mode())}, {"warm_up_median_ms", std::move(timings)}};
}

Json memory_of(const MemoryWatch& memory) {
  return {{"samples", memory.samples()},
          {"first_bytes", memory.first_bytes()},
          {"last_bytes", memory.last_bytes()},
          {"peak_bytes", memory.peak_bytes()},
          {"slope_bytes_per_frame", memory.slope()},
          {"rises", memory.rises()}};
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

Error report_error(const std::filesystem::path& file, const Error& error) {
  return make_error(ErrorCode::kInvalidArgument, error.reason,
                    "--report " + file.string() + ": " + error.message + "; name a file that can be written",
                    error.native_code);
}

}  // namespace

std::string report_text(const FlownFlight& flight) {
  const FlightStatistics& statistics = flight.loop.statistics();
  Json report = Json::object();
  report["schema_version"] = 1;
  report["set_id"] = flight.built.engines.set_id;
  report["signer"] = flight.built.engines.signer ? flight.built.engines.signer->hex() : "none";
  report["runtime"] = flight.runtime.current_runtime_label();
  report["phase"] = to_string(flight.phase);
  report["start_count"] = flight.start_count;
  report["cause"] = to_string(flight.end);
  report["rate_hz"] = flight.settings.rate_hz;
  report["flown_s"] = static_cast<double>(flight.loop.flown_ns()) / kNsPerSecond;
  report["ready_ms"] = ms(flight.ready_ns);
  report["load_ms"] = ms(flight.built.engines.total_ns);
  report["engines"] = engines_of(flight.built.engines);
  report["matcher"] = matcher_of(flight.lightglue);
  report["frames"] = statistics.frames();
  report["positions"] = statistics.positions();
  report["no_result"] = failures_of(statistics);
  report["late"] = flight.loop.late_count();
  report["missed"] = flight.loop.missed_count();
  report["frame_lines_lost"] = flight.frame_lines_lost;
  report["trace_spans_lost"] = flight.trace_spans_lost;
  report["throttled"] = statistics.throttled();
  report["refined"] = statistics.refined();
  report["stages"] = stages_of(flight);
  report["memory"] = memory_of(flight.loop.memory());
  return report.dump(2) + "\n";
}

Status check_report_folder(const std::filesystem::path& file) {
  if (file.empty()) return {};
  auto folder = posix_file_system().open_folder(folder_of(file));
  if (!folder.ok()) return report_error(file, folder.error());
  std::error_code ignored;
  const auto there = std::filesystem::symlink_status(file, ignored);
  if (!std::filesystem::exists(there) || std::filesystem::is_regular_file(there)) return {};
  return report_error(
      file, make_error(ErrorCode::kInvalidArgument, Reason::kNotRegularFile,
                       "expected no file or a regular one, which the report replaces, found a link, a "
                       "folder or a device"));
}

Status write_report(const std::filesystem::path& file, const std::string& text) {
  auto folder = posix_file_system().open_folder(folder_of(file));
  Status written = folder.ok()
                       ? publish_file(**folder, file.filename().string(), std::as_bytes(std::span(text)))
                       : Status(folder.error());
  return written.ok() ? Status() : report_error(file, written.error());
}

Event ended_event(const std::string& set_id, FlightEnd end, const FlightProgress& progress) {
  const auto count = [](const std::atomic<std::uint64_t>& value) {
    return static_cast<std::int64_t>(value.load(std::memory_order_relaxed));
  };
  const std::int64_t frames = count(progress.frames), without = count(progress.no_results);
  return {Level::kInfo,
          "c7.flight_ended",
          "C7 flight ended: " + std::string(to_string(end)) + ", " + std::to_string(frames) + " frames, " +
              std::to_string(frames - without) + " positions",
          {{"set_id", set_id},
           {"cause", std::string(to_string(end))},
           {"frame_count", frames},
           {"no_result_count", without},
           {"late_count", count(progress.late)},
           {"missed_count", count(progress.missed)}}};
}

}  // namespace skua::flight
