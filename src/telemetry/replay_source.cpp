#include "telemetry/replay_source.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/host_files.h"
#include "core/text.h"
#include "telemetry/reading_json.h"

namespace skua {
namespace {

constexpr std::size_t kMaxCauses = 32;

Error malformed(std::string message) {
  return make_error(ErrorCode::kTelemetryUnavailable, Reason::kMalformed, std::move(message));
}

// What all lines of one recording share.
Status check_same(const RecordedReading& line, const RecordedReading& first) {
  if (line.source != first.source) {
    return malformed("source is " + quote(line.source) + "; expected " + quote(first.source) +
                     " as in line 1");
  }
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    const bool is_supported = line.reading[info.field].status != FieldStatus::kUnsupported;
    if (is_supported == (first.reading[info.field].status != FieldStatus::kUnsupported)) continue;
    return malformed("fields." + std::string(info.key) + " is " +
                     std::string(to_string(line.reading[info.field].status)) + "; expected " +
                     (is_supported ? "unsupported" : "supported") + " as in line 1");
  }
  return {};
}

// The line's causes as bits of the recording's.
Status number_causes(RecordedReading& line, std::vector<std::string>& known) {
  std::uint32_t bits = 0;
  for (const std::string& cause : line.causes) {
    const auto at = std::find(known.begin(), known.end(), cause);
    if (at == known.end() && known.size() == kMaxCauses) {
      return malformed("throttle_causes holds " + quote(cause) + ", another than the " +
                       std::to_string(kMaxCauses) + " different ones before; expected no more");
    }
    bits |= std::uint32_t{1} << (at - known.begin());
    if (at == known.end()) known.push_back(cause);
  }
  line.reading.throttle_causes = bits;
  return {};
}

struct Recording {
  RecordedReading first;
  std::vector<ThermalReading> readings;
  std::vector<std::string> causes;
};

Status add_line(std::string_view text, Recording& recording) {
  SKUA_ASSIGN_OR_RETURN(RecordedReading line, decode_reading(text));
  if (recording.readings.empty()) recording.first = line;
  SKUA_RETURN_IF_ERROR(check_same(line, recording.first));
  SKUA_RETURN_IF_ERROR(number_causes(line, recording.causes));
  recording.readings.push_back(line.reading);
  return {};
}

Result<Recording> read_recording(const std::filesystem::path& file) {
  const std::string text = read_host_file(file, kMaxRecording);
  if (text.empty()) {
    return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
                      "replay: " + quote(file.string(), 300) +
                          " cannot be read; expected a regular file of 1 byte to 64 MiB: record one with "
                          "`skua thermal --watch --json`");
  }
  Recording recording;
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const Status added = add_line(rest.substr(0, end), recording);
    if (!added.ok()) {
      return malformed("replay: " + quote(file.string(), 300) + ":" + std::to_string(number) + ": " +
                       added.error().message + "; record it anew or remove the line");
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return recording;
}

}  // namespace

Result<std::unique_ptr<ThermalSource>> ReplaySource::open(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(Recording recording, read_recording(file));
  std::unique_ptr<ReplaySource> source(new ReplaySource);
  source->readings_ = std::move(recording.readings);
  for (std::string& cause : recording.causes) source->add_cause(std::move(cause));
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    if (recording.first.reading[info.field].status == FieldStatus::kUnsupported) continue;
    const std::string& origin = recording.first.origins[static_cast<std::size_t>(info.field)];
    source->set_origin(info.field, file.string() + " (recorded from " + origin + ")");
  }
  return std::unique_ptr<ThermalSource>(std::move(source));
}

void ReplaySource::read(ThermalReading& reading) noexcept {
  reading = {};
  const bool is_over = next_ == readings_.size();
  const ThermalReading recorded = is_over ? ThermalReading{} : readings_[next_];
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    const FieldReading& field = recorded[info.field];
    const bool is_measured = field.status == FieldStatus::kValue;
    const SensorProblem lack = is_over ? SensorProblem::kEnded : SensorProblem::kRecorded;
    put(reading, info.field, {is_measured ? SensorProblem::kNone : lack, field.value});
  }
  reading.throttle_causes = recorded.throttle_causes;
  if (!is_over) ++next_;
}

}  // namespace skua
