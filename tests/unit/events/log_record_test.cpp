#include "events/log_record.h"

#include <gmock/gmock.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_strict.h"
#include "events/escape.h"
#include "events/timestamp.h"

namespace skua {
namespace {

using ::testing::HasSubstr;

Event event_with(std::string message, std::vector<Event::Field> fields = {}) {
  return {Level::kWarn, "c7.engine_refused", std::move(message), std::move(fields)};
}

Json parsed(const std::string& line) {
  auto json = parse_json(line);
  EXPECT_TRUE(json.ok()) << line;
  return json.ok() ? *std::move(json) : Json();
}

TEST(LogRecord, RecordHasTheStacksFieldsInTheStacksOrder) {
  const std::string line =
      encode_log_record(event_with("refused", {{"file", std::string("a.onnx")}}), 1772366400000001);
  EXPECT_EQ(
      line,
      R"({"ts":"2026-03-01T12:00:00.000001Z","level":"WARN","component":"c7_inference","frame_id":null,)"
      R"("kind":"c7.engine_refused","msg":"refused","kv":{"file":"a.onnx"},"exc":null})");
}

TEST(LogRecord, FrameAndExceptionFieldsLeaveKv) {
  const Json json = parsed(encode_log_record(
      event_with("x",
                 {{"frame_id", std::int64_t{42}}, {"exc.type", std::string("InferenceError")}, {"ok", true}}),
      0));
  EXPECT_EQ(json["frame_id"], 42);
  EXPECT_EQ(json["exc"], Json({{"type", "InferenceError"}}));
  EXPECT_EQ(json["kv"], Json({{"ok", true}}));
}

TEST(LogRecord, FrameThatIsNoIntegerStaysInKv) {
  const Json json = parsed(encode_log_record(event_with("x", {{"frame_id", std::string("7")}}), 0));
  EXPECT_TRUE(json["frame_id"].is_null());
  EXPECT_EQ(json["kv"]["frame_id"], "7");
}

TEST(LogRecord, RepeatedKeysAreWrittenOnce) {
  const Json json =
      parsed(encode_log_record(event_with("x", {{"a", std::int64_t{1}}, {"a", std::int64_t{2}}}), 0));
  EXPECT_EQ(json["kv"], Json({{"a", 1}}));
}

TEST(LogRecord, NumbersThatJsonCannotHoldAreNull) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Json json = parsed(encode_log_record(event_with("x", {{"n", nan}, {"i", infinity}, {"d", 0.1}}), 0));
  EXPECT_TRUE(json["kv"]["n"].is_null());
  EXPECT_TRUE(json["kv"]["i"].is_null());
  EXPECT_DOUBLE_EQ(json["kv"]["d"].get<double>(), 0.1);
}

TEST(LogRecord, EveryByteAloneAndInPairsStaysOneStrictLine) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; b += 5) {
      const std::string hostile{'x', static_cast<char>(a), static_cast<char>(b), '"', '}'};
      const std::string line = encode_log_record(event_with(hostile, {{hostile, hostile}}), 0);
      ASSERT_EQ(line.find_first_of("\n\r\x7f"), std::string::npos) << a << "," << b;
      ASSERT_TRUE(parse_json(line).ok()) << a << "," << b;
    }
  }
}

TEST(LogRecord, FileNameCannotForgeALine) {
  const std::string hostile =
      "a\"}\n{\"ts\":\"2026\",\"level\":\"INFO\"}\r\x1b[2J\xe2\x80\xa8"
      "b\xe2\x80\xa9\x7f\xff";
  const std::string line = encode_log_record(event_with(hostile), 0);
  EXPECT_EQ(parsed(line)["level"], "WARN");
  for (const char* escaped : {"\\u000a", "\\u000d", "\\u001b", "\\u2028", "\\u2029", "\\u007f", "\\ufffd"}) {
    EXPECT_THAT(line, HasSubstr(escaped));
  }
}

TEST(LogRecord, GoodUnicodeIsKept) {
  const std::string text = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x81";
  EXPECT_EQ(parsed(encode_log_record(event_with(text), 0))["msg"], text);
}

TEST(LogRecord, TextsAreBoundedAndCutBetweenCharacters) {
  std::string text(kLogTextLimit - 1, 'a');
  EXPECT_EQ(parsed(encode_log_record(event_with(text), 0))["msg"], text);  // just fits: not cut
  const Json json = parsed(encode_log_record(event_with(text + "\xc3\xbc" + "tail"), 0));
  EXPECT_EQ(json["msg"], text + "...");
}

TEST(LogRecord, NumberOfFieldsIsBounded) {
  std::vector<Event::Field> fields;
  for (std::int64_t i = 0; i < 1000; ++i) fields.push_back({"k" + std::to_string(i), i});
  EXPECT_EQ(parsed(encode_log_record(event_with("x", fields), 0))["kv"].size(), 64U);
}

TEST(Escape, OverlongFormsSurrogatesAndTruncatedSequencesAreNotUtf8) {
  for (const std::string_view bad :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80", "\x80"}) {
    std::string out;
    append_json_string(out, bad);
    EXPECT_THAT(out, HasSubstr("\\ufffd")) << bad.size();
    EXPECT_EQ(out.find_first_of(bad), std::string::npos);
  }
}

TEST(Escape, PrintableTextKeepsQuotesAndDropsControl) {
  EXPECT_EQ(printable_text("say \"hi\" \\ \x1b[31m\n"), "say \"hi\" \\ \\u001b[31m\\u000a");
  EXPECT_EQ(printable_text("\xc2\x9b"
                           "31m\xe2\x80\xae"),
            "\\u009b31m\\u202e");
}

TEST(Timestamp, MicrosecondsYearsAndTimesBefore1970) {
  EXPECT_EQ(iso8601_utc(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(iso8601_utc(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(iso8601_utc(951782400000000), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(iso8601_utc(std::numeric_limits<std::int64_t>::max()).size(), 27U);
  EXPECT_EQ(iso8601_utc(std::numeric_limits<std::int64_t>::min()).size(), 27U);
}

TEST(LogRecord, PartsAreThoseOfTheWholeRecord) {
  const Event event =
      event_with("x", {{"frame_id", std::int64_t{7}}, {"a", 1.5}, {"exc.type", std::string("E")}});
  EXPECT_EQ(frame_id_of(event), 7);
  EXPECT_EQ(kv_json(event, 100), R"({"a":1.5})");
  EXPECT_EQ(exc_json(event, 100), R"({"type":"E"})");
  EXPECT_EQ(exc_json(event_with("x"), 100), "null");
  EXPECT_EQ(frame_id_of(event_with("x")), std::nullopt);
}

TEST(LogRecord, PartsEndBeforeTheFieldThatWouldPassTheirLimit) {
  std::vector<Event::Field> fields;
  for (int i = 0; i < 60; ++i) fields.push_back({"k" + std::to_string(i), std::string(1000, 'x')});
  const std::string text = kv_json(event_with("x", fields), 8000);
  EXPECT_EQ(parsed(text).size(), 8U);  // seven, and the mark: each takes a little more than 1000 bytes
  EXPECT_TRUE(parsed(text)["..."].is_null());
  EXPECT_LE(text.size(), 8000U);
  for (std::size_t limit = 16; limit < 2100; ++limit) {
    const std::string part = kv_json(event_with("x", fields), limit);
    ASSERT_TRUE(parse_json(part).ok()) << part;
    ASSERT_LE(part.size(), limit);
  }
  const std::string own = kv_json(event_with("x", {{"...", true}, {"a", std::string(100, 'x')}}), 40);
  EXPECT_EQ(own, R"({"...":true})");  // a field of that name stands for itself
}

TEST(LogRecord, KeysThatAreAlikeOnlyOnceWrittenAreWrittenOnce) {
  const std::string prefix(131, 'k');
  const Json json = parsed(encode_log_record(event_with("x", {{"a\xff", std::int64_t{1}},
                                                              {"a\xfe", std::int64_t{2}},
                                                              {prefix + "1", std::int64_t{3}},
                                                              {prefix + "2", std::int64_t{4}},
                                                              {"exc.b\xff", std::int64_t{5}},
                                                              {"exc.b\xfe", std::int64_t{6}}}),
                                             0));
  EXPECT_EQ(json["kv"], Json({{"a\xef\xbf\xbd", 1}, {std::string(128, 'k') + "...", 3}}));
  EXPECT_EQ(json["exc"], Json({{"b\xef\xbf\xbd", 5}}));
}

TEST(Escape, EveryBidirectionalControlIsEscaped) {  // Unicode 15.0, PropList.txt: Bidi_Control
  EXPECT_EQ(printable_text("\xd8\x9c"), "\\u061c");
  EXPECT_EQ(printable_text("\xe2\x80\x8e\xe2\x80\x8f"), "\\u200e\\u200f");
  EXPECT_EQ(printable_text("\xe2\x80\xaa\xe2\x80\xae"), "\\u202a\\u202e");
  EXPECT_EQ(printable_text("\xe2\x81\xa6\xe2\x81\xa9"), "\\u2066\\u2069");
}

}  // namespace
}  // namespace skua
