#include "bootstrap/event_setup.h"

#include <utility>

#include "events/file_recorder.h"

namespace skua {
namespace {

/// `config` is valid: the names are those of the table of fields.
Level level_of(const RuntimeConfig& config) {
  if (config.per_frame_debug_log) return Level::kDebug;
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn}) {
    if (to_string(level) == config.log_level) return level;
  }
  return Level::kError;
}

std::shared_ptr<LogSink> log_of(const RuntimeConfig& config) {
  if (config.log_sink == "none") return nullptr;
  return make_log_sink(config.log_sink == "journald" ? LogTarget::kJournald : LogTarget::kStdout);
}

Result<std::shared_ptr<FlightRecorder>> recorder_of(const RuntimeConfig& config) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  FileRecorderOptions options;
  options.folder = config.recorder_dir;
  options.limit_bytes = config.recorder_limit_bytes;
  options.sync_interval_ns = config.recorder_sync_ms * kNsPerMs;
  auto opened = FileRecorder::open(options);
  if (opened.ok()) return std::shared_ptr<FlightRecorder>(*std::move(opened));
  const Error& error = opened.error();
  return make_error(ErrorCode::kInvalidArgument, error.reason,
                    "recorder_dir: " + error.message +
                        "; correct the configuration or the folder, a flight without "
                        "its recorder is not begun",
                    error.native_code);
}

}  // namespace

Result<std::unique_ptr<EventPipeline>> start_events(const RuntimeConfig& config,
                                                    std::vector<std::shared_ptr<FlightRecorder>> recorders) {
  SKUA_RETURN_IF_ERROR(config.validate());
  PipelineOptions options;
  options.minimum = level_of(config);
  options.log = log_of(config);
  options.recorders = std::move(recorders);
  if (!config.recorder_dir.empty()) {
    SKUA_ASSIGN_OR_RETURN(options.own_recorder, recorder_of(config));
  }
  return EventPipeline::start(std::move(options));
}

}  // namespace skua
