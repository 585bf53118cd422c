#include "events/event_kinds.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/json_strict.h"
#include "event_names.h"
#include "event_payload.h"
#include "events/escape.h"
#include "events/flight_record_json.h"

namespace skua {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// --- the document ---

/// "| `kind` | LEVEL | recorded | `key` type, ... |": the document's row up to its last, free column.
std::string row_of(const EventKind& kind) {
  std::string row = "| `" + std::string(kind.name) + "` | " + std::string(to_string(kind.level)) + " | " +
                    std::string(test::name_of(kind.recorded)) + " | ";
  std::string keys;
  for (const PayloadKey& key : kind.keys) {
    keys += (keys.empty() ? "`" : ", `") + std::string(key.key) + "` ";
    keys += test::name_of(key.type);
  }
  return row + (keys.empty() ? "-" : keys) + " | ";
}

/// What the document lacks or has too much, as rows.
std::vector<std::string> differences(const std::string& document) {
  std::set<std::string> wanted;
  for (const EventKind& kind : event_kinds()) wanted.insert(row_of(kind));
  std::vector<std::string> found;
  std::istringstream lines(document);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string row = line.substr(0, line.rfind(" | ") + 3);
    const bool has_text = line.size() > row.size() + 10;
    if (!has_text || wanted.erase(row) == 0) found.push_back(line);
  }
  found.insert(found.end(), wanted.begin(), wanted.end());
  return found;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(EventDocument, HasTheTablesRows) {
  const std::string document = text_of_file(SKUA_SOURCE_DIR "/docs/reference/events.md");
  ASSERT_FALSE(document.empty());
  EXPECT_THAT(differences(document), IsEmpty());
  // Controls: each kind of mistake is seen.
  EXPECT_THAT(differences(replaced(document, "`reason` text", "`reason` real")), SizeIs(2));
  EXPECT_THAT(differences(replaced(document, "| ERROR |", "| WARN |")), SizeIs(2));
  EXPECT_THAT(differences(replaced(document, "| always |", "| by level |")), SizeIs(2));
  EXPECT_THAT(differences(replaced(document, "| `overrun`", "| `overran`")), SizeIs(2));
  EXPECT_THAT(differences(document + "| `c7.invented` | INFO | always | - | it never happens |\n"),
              SizeIs(1));
}

// --- the sources ---

/// Kinds that a source text names and the table lacks.
std::vector<std::string> unknown_kinds(const std::string& source) {
  static const std::regex kLiteral("\"(c7\\.[a-z0-9_]+)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator at(source.begin(), source.end(), kLiteral), end; at != end; ++at) {
    if (find_event_kind((*at)[1].str()) == nullptr) found.push_back((*at)[1].str());
  }
  return found;
}

TEST(EventKinds, EveryKindInTheSourcesIsInTheTable) {
  std::set<std::string> named;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SKUA_SOURCE_DIR "/src")) {
    if (!entry.is_regular_file() || entry.path().filename() == "event_kinds.cpp") continue;
    const std::string source = text_of_file(entry.path());
    EXPECT_THAT(unknown_kinds(source), IsEmpty()) << entry.path();
    for (const EventKind& kind : event_kinds()) {
      if (source.find("\"" + std::string(kind.name) + "\"") != std::string::npos)
        named.insert(std::string(kind.name));
    }
  }
  // The control: the search sees kinds at all, and an unknown one among them.
  EXPECT_THAT(named,
              IsSupersetOf({"c7.engine_refused", "c7.engines_ready", "c7.infer", "c7.sink_lost", "overrun"}));
  EXPECT_THAT(unknown_kinds(R"(emit({Level::kInfo, "c7.engine_built", x}); emit({Level::kInfo, "c7.typo"}))"),
              ElementsAre("c7.typo"));
}

/// Kinds of the table that nothing here emits yet, or ever: the document's last column says why.
const std::set<std::string, std::less<>> kNotEmitted = {
    "c7.cpu_fallback",  // decoded only: another component's
};

TEST(EventKinds, EveryKindIsEmittedSomewhereOrNamedAsOneThatIsNot) {
  std::string sources;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SKUA_SOURCE_DIR "/src")) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name != "event_kinds.cpp" && name != "flight_record_of.cpp") {
      sources += text_of_file(entry.path());
    }
  }
  for (const EventKind& kind : event_kinds()) {
    if (kind.name == "log") continue;  // made of other kinds by flight_record_of; a word like any other
    const bool is_named = sources.find("\"" + std::string(kind.name) + "\"") != std::string::npos;
    EXPECT_NE(is_named, kNotEmitted.contains(kind.name)) << kind.name;
  }
}

/// Exactly the row's keys with the row's types, whether the run had a frame number or not.
TEST(EventKinds, FrameEventsHaveTheTablesKeysAndTypes) {
  using Kind = FrameEvent::Kind;
  for (const Kind kind : {Kind::kInferenceFailed, Kind::kOutOfMemory, Kind::kTiming}) {
    FrameEvent frame;
    frame.kind = kind;
    frame.frame = 7;
    const Event event = to_event(frame);
    EXPECT_THAT(test::missing_keys(event), IsEmpty()) << event.kind;
    ASSERT_NE(find_event_kind(event.kind), nullptr);
    EXPECT_EQ(event.fields.size(), find_event_kind(event.kind)->keys.size()) << event.kind;
    EXPECT_EQ(event.level, find_event_kind(event.kind)->level) << event.kind;
    frame.frame.reset();
    EXPECT_THAT(test::missing_keys(to_event(frame)), ElementsAre("frame_id")) << event.kind;
  }
  // The controls: a wrong type and an unknown kind are seen.
  EXPECT_THAT(test::missing_keys({Level::kWarn, "c7.set_unsigned", "x", {{"set_id", true}}}),
              ElementsAre("set_id"));
  EXPECT_THAT(test::missing_keys({Level::kWarn, "c7.typo", "x", {}}), ElementsAre("c7.typo"));
}

TEST(EventKinds, NamesAreSortedAndFoundAndKeysAreDistinct) {
  EXPECT_TRUE(std::is_sorted(event_kinds().begin(), event_kinds().end(),
                             [](const EventKind& a, const EventKind& b) { return a.name < b.name; }));
  for (const EventKind& kind : event_kinds()) {
    EXPECT_EQ(find_event_kind(kind.name), &kind);
    std::set<std::string_view> keys;
    for (const PayloadKey& key : kind.keys) EXPECT_TRUE(keys.insert(key.key).second) << kind.name << key.key;
  }
  EXPECT_EQ(find_event_kind("c7.nothing"), nullptr);
  EXPECT_EQ(find_event_kind("zzz"), nullptr);
}

TEST(EventKinds, RecorderAlwaysKeepsWhatTheStackAsksFor) {
  std::vector<std::string_view> always;
  for (const EventKind& kind : event_kinds()) {
    if (kind.recorded == Recorded::kAlways) always.push_back(kind.name);
  }
  EXPECT_THAT(
      always,
      ElementsAre("c7.calibration_cache_rejected", "c7.crash_loop", "c7.device_lost", "c7.engine_refused",
                  "c7.engines_ready", "c7.flight_begun", "c7.flight_cut_short", "c7.flight_ended",
                  "c7.inference_failed", "c7.memory_after_seal", "c7.out_of_memory", "c7.reboot_in_flight",
                  "c7.runtime_faulted", "c7.takeoff_refused", "c7.thermal_transition", "overrun"));
}

// --- the flight record of an event ---

using Value = FlightRecord::Value;

Event::Value sample_of(ValueType type) {
  switch (type) {
    case ValueType::kInteger:
      return std::int64_t{-7};
    case ValueType::kReal:
      return 83.5;
    case ValueType::kFlag:
      return true;
    case ValueType::kText:
      break;
  }
  return std::string("a \"text\"\n");
}

Event sample_event(const EventKind& kind) {
  Event event{kind.level, kind.name, "message", {}};
  for (const PayloadKey& key : kind.keys) event.fields.push_back({std::string(key.key), sample_of(key.type)});
  return event;
}

std::vector<std::string> keys_of(const FlightRecord& record) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : record.payload) keys.push_back(key);
  return keys;
}

TEST(FlightRecordOf, EveryAlwaysKindHasExactlyItsKeysInOrderWithTheEventsValues) {
  for (const EventKind& kind : event_kinds()) {
    if (kind.recorded != Recorded::kAlways) continue;
    Event event = sample_event(kind);
    std::reverse(event.fields.begin(), event.fields.end());
    event.fields.push_back({"a_field_the_table_lacks", std::int64_t{1}});
    const auto record = flight_record_of(event, 12, 34);
    ASSERT_TRUE(record.has_value()) << kind.name;
    EXPECT_EQ(record->kind, kind.name);
    EXPECT_EQ(record->utc_us, 12);
    EXPECT_EQ(record->monotonic_ns, 34);
    ASSERT_EQ(record->payload.size(), kind.keys.size()) << kind.name;
    for (std::size_t i = 0; i < kind.keys.size(); ++i) {
      EXPECT_EQ(record->payload[i].first, kind.keys[i].key);
      const Value expected = std::visit([](const auto& v) { return Value(v); }, sample_of(kind.keys[i].type));
      EXPECT_EQ(record->payload[i].second, expected) << kind.name << "." << kind.keys[i].key;
    }
  }
}

TEST(FlightRecordOf, MissingAndWronglyTypedFieldsAreNull) {
  const Event event{Level::kWarn,
                    "c7.inference_failed",
                    "x",
                    {{"backbone", std::int64_t{1}}, {"native_code", std::string("7")}, {"reason", true}}};
  const auto record = flight_record_of(event, 0, 0);
  ASSERT_TRUE(record.has_value());
  EXPECT_THAT(keys_of(*record), ElementsAre("backbone", "reason", "native_code", "frame_id"));
  for (const auto& [key, value] : record->payload) EXPECT_EQ(value, Value()) << key;
}

TEST(FlightRecordOf, WarningsAndErrorsOfOtherKindsAreLogRecords) {
  const Event event{
      Level::kWarn,
      "c7.set_unsigned",
      "not signed",
      {{"set_id", std::string("a\nb")}, {"frame_id", std::int64_t{9}}, {"exc.type", std::string("E")}}};
  const auto record = flight_record_of(event, 0, 0);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->kind, "log");
  EXPECT_EQ(record->payload,
            (std::vector<std::pair<std::string, Value>>{{"level", std::string("WARN")},
                                                        {"log_kind", std::string("c7.set_unsigned")},
                                                        {"frame_id", std::int64_t{9}},
                                                        {"msg", std::string("not signed")},
                                                        {"kv", std::string(R"({"set_id":"a\u000ab"})")},
                                                        {"exc", std::string(R"({"type":"E"})")}}));
  const EventKind* const log = find_event_kind("log");
  ASSERT_NE(log, nullptr);
  std::vector<std::string> expected;
  for (const PayloadKey& key : log->keys) expected.emplace_back(key.key);
  EXPECT_EQ(keys_of(*record), expected);
}

TEST(FlightRecordOf, TheRestIsNotKept) {
  EXPECT_FALSE(flight_record_of({Level::kInfo, "c7.engine_built", "x", {}}, 0, 0).has_value());
  EXPECT_FALSE(flight_record_of({Level::kInfo, "c7.not_in_the_table", "x", {}}, 0, 0).has_value());
  EXPECT_TRUE(flight_record_of({Level::kError, "c7.not_in_the_table", "x", {}}, 0, 0).has_value());
  EXPECT_FALSE(
      flight_record_of({Level::kError, "c7.cpu_fallback", "x", {}}, 0, 0).has_value());  // decoded only
  EXPECT_TRUE(flight_record_of({Level::kInfo, "c7.thermal_transition", "x", {}}, 0, 0).has_value());
}

TEST(FlightRecordOf, HostileTextsAreBoundedAndCutBetweenCharacters) {
  const std::string text(kLogTextLimit - 4, 'a');  // the next character ends behind the room of the mark
  const std::string long_text = text + "\xc3\xbc" + std::string(100000, 'b');
  std::vector<Event::Field> fields;
  for (int i = 0; i < 100; ++i) fields.push_back({"k" + std::to_string(i), long_text});
  const auto record = flight_record_of({Level::kWarn, "c7.set_unsigned", long_text, fields}, 0, 0);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(std::get<std::string>(record->payload[3].second), text + "...");
  EXPECT_LE(std::get<std::string>(record->payload[4].second).size(), kLogTextLimit);
  const auto own = flight_record_of({Level::kError, "c7.engine_refused", "x", {{"file", long_text}}}, 0, 0);
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(std::get<std::string>(own->payload[0].second), text + "...");
  const std::string fits(kLogTextLimit, 'a');
  const auto whole = flight_record_of({Level::kError, "c7.engine_refused", "x", {{"file", fits}}}, 0, 0);
  EXPECT_EQ(std::get<std::string>(whole.value().payload[0].second), fits);
}

/// As a reader gets it: through the line of the segment, which bounds texts once more.
TEST(FlightRecordOf, KvAndExcOfEveryStoredLogRecordAreJson) {
  for (std::size_t size = 0; size < 5000; size += 97) {
    const std::string text = std::string(size, 'm') + "\xc3\xbc\"\n";
    const Event event{Level::kError,
                      "c7.engine_build_failed",
                      std::string(5000, 'm'),
                      {{"model_path", std::string(1500, 'p')}, {"reason", text}, {"exc.type", text}}};
    const FlightRecord record = flight_record_of(event, 0, 0).value();
    const auto stored = decode_flight_record(encode_flight_record(record));
    ASSERT_TRUE(stored.ok());
    ASSERT_EQ(stored->payload, record.payload) << "the encoder cut again";
    EXPECT_THAT(std::get<std::string>(stored->payload[3].second), ::testing::EndsWith("m..."));
    for (const std::size_t part : {4U, 5U}) {
      const auto json = parse_json(std::get<std::string>(stored->payload[part].second));
      ASSERT_TRUE(json.ok()) << size << ": " << json.error().describe();
    }
  }
}

}  // namespace
}  // namespace skua
