#include "telemetry/replay_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "core/json_strict.h"
#include "source_check.h"
#include "sysfs_tree.h"
#include "telemetry/jetson_source.h"
#include "telemetry/reading_json.h"
#include "temp_folder.h"

namespace skua {
namespace {

using test::causes_of;
using test::expect_field;
using test::read_once;
using test::SysfsTree;
using test::TempFolder;
using test::text_of;
using enum ThermalField;

constexpr auto kGpuAlert = "/sys/class/thermal/cooling_device5/cur_state";

// Three polls of an Orin Nano: at rest, throttled, without its GPU sensor.
std::string recorded_lines() {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const auto source = open_jetson_source(tree.root()).value();
  std::string text = encode_reading(*source, read_once(*source), 1000) + "\n";
  tree.set(kGpuAlert, "1\n");
  text += encode_reading(*source, read_once(*source), 2000) + "\n";
  tree.set(kGpuAlert, "0\n");
  tree.remove("/sys/class/thermal/thermal_zone1/temp");
  return text + encode_reading(*source, read_once(*source), 3000) + "\n";
}

std::string line_of(const std::string& text, std::size_t number) {
  std::size_t start = 0;
  for (; number > 1; --number) start = text.find('\n', start) + 1;
  return text.substr(start, text.find('\n', start) - start);
}

// The whole text with one passage replaced; the passage must be there.
std::string with(std::string text, const std::string& passage, const std::string& replacement) {
  const auto at = text.find(passage);
  if (at == std::string::npos) throw std::runtime_error("no '" + passage + "' in " + text);
  return text.replace(at, passage.size(), replacement);
}

std::string error_of(const std::string& recording) {
  const TempFolder folder;
  const auto source = ReplaySource::open(folder.write("recording.jsonl", recording));
  if (source.ok()) return "none";
  EXPECT_EQ(source.error().code, ErrorCode::kTelemetryUnavailable);
  return source.error().message;
}

/// A figure that no sensor would give must not reach C4 from a recording either.
TEST(ReadingJson, ImpossibleFiguresAreRefused) {
  const std::string line = line_of(recorded_lines(), 1);
  ASSERT_TRUE(decode_reading(line).ok());
  const RecordedReading good = decode_reading(line).value();
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    if (good.reading[info.field].status != FieldStatus::kValue) continue;
    for (const char* value : {"1e300", "-99999.0"}) {
      Json json = parse_json(line).value();
      json["fields"][std::string(info.key)]["value"] = std::strtod(value, nullptr);
      EXPECT_FALSE(decode_reading(json.dump()).ok()) << info.key << " " << value;
    }
  }
}

class HostileSource final : public ThermalSource {
 public:
  std::string_view name() const noexcept override { return "hostile"; }
  void read(ThermalReading&) noexcept override {}
  std::string_view origin(ThermalField) const noexcept override { return text_; }
  std::string_view cause(std::size_t) const noexcept override { return "x"; }

 private:
  std::string text_ = std::string(100000, '\xff');
};

TEST(ReadingJson, WhatHostileNamesMakeIsReadAgain) {
  ThermalReading reading;
  for (FieldReading& field : reading.fields) field = {FieldStatus::kValue, 1.0};
  reading.throttle_causes = 0xffffffff;
  const std::string line = encode_reading(HostileSource(), reading, 1);
  EXPECT_LE(line.size(), kMaxReadingLine);
  EXPECT_TRUE(decode_reading(line).ok()) << decode_reading(line).error().message;
}

TEST(ReadingJson, WhatWasEncodedComesBack) {
  const std::string text = recorded_lines();
  for (std::size_t number = 1; number <= 3; ++number) {
    const RecordedReading read = decode_reading(line_of(text, number)).value();
    EXPECT_EQ(read.source, "jetson_sysfs");
    EXPECT_EQ(read.measured_at_ns, static_cast<std::int64_t>(number) * 1000);
    EXPECT_EQ(text_of(read.reading[kCpuTemp]), "value 52.468");
    EXPECT_EQ(text_of(read.reading[kGpuTemp]), number == 3 ? "offline" : "value 51.812");
    EXPECT_EQ(read.causes,
              number == 2 ? std::vector<std::string>{"gpu-throttle-alert"} : std::vector<std::string>{});
    EXPECT_NE(read.origins[0].find("thermal_zone0/temp (cpu-thermal)"), std::string::npos);
  }
  EXPECT_NE(text.find(R"("problem":"is not there")"), std::string::npos);
}

TEST(ReadingJson, WhatIsNotExactlyTheFormatIsRefused) {
  const std::string good = line_of(recorded_lines(), 2);
  ASSERT_TRUE(decode_reading(good).ok());
  const std::pair<std::string, std::string> changes[] = {
      {R"("schema":1)", R"("schema":2)"},
      {R"("schema":1)", R"("schema":1,"extra":0)"},
      {R"("schema":1,)", ""},
      {R"("measured_at_ns":2000)", R"("measured_at_ns":-1)"},
      {R"("measured_at_ns":2000)", R"("measured_at_ns":2000.5)"},
      {R"("cpu_temp_c":)", R"("cpu_temp":)"},
      {R"("value":52.468)", R"("value":"52.468")"},
      {R"("value":52.468)", R"("value":1e999)"},
      {R"("status":"value","value":52.468)", R"("status":"value")"},
      {R"("status":"value","value":52.468)", R"("status":"fine","value":52.468)"},
      {R"("throttle":{"status":"value","value":1.0)", R"("throttle":{"status":"value","value":0.5)"},
      {R"("throttle_events":{"status":"value","value":0.0)",
       R"("throttle_events":{"status":"value","value":-1.0)"},
      {R"(["gpu-throttle-alert"])", R"([7])"},
      {R"(["gpu-throttle-alert"])", R"("gpu-throttle-alert")"},
  };
  for (const auto& [passage, replacement] : changes) {
    EXPECT_FALSE(decode_reading(with(good, passage, replacement)).ok()) << passage << " -> " << replacement;
  }
  const std::string padded = good + std::string(kMaxReadingLine - good.size(), ' ');
  EXPECT_TRUE(decode_reading(padded).ok());
  EXPECT_FALSE(decode_reading(padded + " ").ok());
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(decode_reading(std::string_view(good).substr(0, cut)).ok()) << cut;
  }
}

TEST(ReplaySource, OneLineAPollThenEverythingIsOffline) {
  const TempFolder folder;
  const auto file = folder.write("recording.jsonl", recorded_lines());
  const auto source = ReplaySource::open(file).value();
  std::filesystem::remove(file);  // it was read when it was opened
  EXPECT_EQ(source->name(), "replay");
  EXPECT_TRUE(source->origin(kCpuTemp).starts_with(file.string() + " (recorded from "));
  expect_field(*source, kThrottle, "value 0");
  const ThermalReading throttled = read_once(*source);
  EXPECT_EQ(throttled[kThrottle].value, 1.0);
  EXPECT_EQ(causes_of(*source, throttled), "gpu-throttle-alert");
  const FieldReading lost = read_once(*source)[kGpuTemp];
  EXPECT_EQ(text_of(lost), "offline");
  EXPECT_EQ(lost.problem, "was offline when it was recorded");
  for (int poll = 0; poll < 3; ++poll) {
    const ThermalReading reading = read_once(*source);
    for (const FieldReading& field : reading.fields) EXPECT_EQ(text_of(field), "offline");
    EXPECT_EQ(reading.throttle_causes, 0U);
  }
}

TEST(ReplaySource, StaleValuesOfARecordingAreOffline) {
  const TempFolder folder;
  const std::string stale =
      with(recorded_lines(), R"({"status":"value","value":52.468)", R"({"status":"stale","value":52.468)");
  const auto source = ReplaySource::open(folder.write("recording.jsonl", stale)).value();
  expect_field(*source, kCpuTemp, "offline");
  expect_field(*source, kCpuTemp, "value 52.468");
}

TEST(ReplaySource, ADamagedLineIsNamed) {
  const std::string good = recorded_lines();
  EXPECT_EQ(error_of(good), "none");
  EXPECT_EQ(error_of(good.substr(0, good.size() - 1)), "none");  // without the last line end
  EXPECT_NE(error_of(good + "{}\n").find("recording.jsonl':4: "), std::string::npos)
      << error_of(good + "{}\n");
  EXPECT_NE(error_of(good + "\n").find(":4: "), std::string::npos);
  EXPECT_NE(error_of("\n" + good).find(":1: "), std::string::npos);
  EXPECT_NE(error_of(good.substr(0, good.size() - 2)).find(":3: "), std::string::npos);
  const std::string other = with(line_of(good, 1), "jetson_sysfs", "linux");
  EXPECT_NE(error_of(good + other).find("source is 'linux'"), std::string::npos);
  const std::string fewer =
      with(line_of(good, 1), R"({"status":"value","value":1113.6,)", R"({"status":"unsupported","a":1,)");
  EXPECT_NE(error_of(good + fewer).find("cpu_clock_mhz"), std::string::npos);
}

TEST(ReplaySource, AFieldThatAppearsLaterIsRefused) {
  const std::string good = recorded_lines();
  RecordedReading first = decode_reading(line_of(good, 1)).value();
  const std::string origin = first.origins[static_cast<std::size_t>(kOverCurrentEvents)];
  const std::string whole = R"({"status":"value","value":0.0,"origin":")" + origin + R"("})";
  const std::string without = with(line_of(good, 1), R"("over_current_events":)" + whole,
                                   R"("over_current_events":{"status":"unsupported"})");
  EXPECT_EQ(error_of(without), "none");
  EXPECT_NE(
      error_of(without + "\n" + good).find(":2: fields.over_current_events is value; expected unsupported"),
      std::string::npos)
      << error_of(without + "\n" + good);
}

TEST(ReplaySource, MoreThan32DifferentCausesAreRefused) {
  const std::string line = line_of(recorded_lines(), 2);
  std::string recording;
  for (int i = 0; i < 32; ++i) {
    recording += with(line, "gpu-throttle-alert\"]", "cause" + std::to_string(i) + "\"]") + "\n";
  }
  EXPECT_EQ(error_of(recording), "none");
  EXPECT_EQ(error_of(recording + with(line, "gpu-throttle-alert\"]", "cause7\"]")), "none");
  EXPECT_NE(error_of(recording + line).find("32 different"), std::string::npos);
}

TEST(ReplaySource, WhatIsNoReadableFileIsUnavailable) {
  const TempFolder folder;
  folder.write("empty", "");
  ASSERT_EQ(mkfifo((folder.path() / "fifo").c_str(), 0644), 0);
  std::filesystem::resize_file(folder.write("huge", "x"), kMaxRecording + 1);
  for (const char* name : {"missing", "empty", "fifo", "huge", "."}) {
    const auto source = ReplaySource::open(folder.path() / name);
    ASSERT_FALSE(source.ok()) << name;
    EXPECT_EQ(source.error().reason, Reason::kTelemetryUnavailable) << name;
  }
}

}  // namespace
}  // namespace skua
