#include "events/flight_record_json.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "counts.h"
#include "events/escape.h"
#include "events/timestamp.h"
#include "recorder_testing.h"

namespace skua {
namespace {

using ::testing::HasSubstr;
using Value = FlightRecord::Value;

FlightRecord with(Value value) { return {1772366400000001, 42, "c7.test", {{"value", std::move(value)}}}; }

FlightRecord round_trip(const FlightRecord& record) {
  const std::string line = encode_flight_record(record);
  auto decoded = decode_flight_record(line);
  EXPECT_TRUE(decoded.ok()) << line << "\n" << (decoded.ok() ? "" : decoded.error().message);
  return decoded.ok() ? *std::move(decoded) : FlightRecord{};
}

TEST(FlightRecordJson, LineHasTheFieldsInTheirOrder) {
  const FlightRecord record = {
      1772366400000001,
      -5,
      "c7.thermal_transition",
      {{"b", std::int64_t{1}}, {"a", 2.0}, {"c", true}, {"d", std::string("x\"")}, {"e", {}}}};
  EXPECT_EQ(encode_flight_record(record),
            R"({"schema":1,"producer":"c7_inference","ts":"2026-03-01T12:00:00.000001Z","mono_ns":-5,)"
            R"("kind":"c7.thermal_transition","payload":{"b":1,"a":2.0,"c":true,"d":"x\"","e":null}})");
  EXPECT_EQ(round_trip(record), record);
}

TEST(FlightRecordJson, EmptyPayloadAndExtremeTimesComeBack) {
  constexpr auto kLimits = std::numeric_limits<std::int64_t>();
  for (const std::int64_t utc_us : {std::int64_t{-62167219200000000}, std::int64_t{-1}, std::int64_t{0},
                                    std::int64_t{253402300799999999}}) {
    for (const std::int64_t monotonic_ns : {kLimits.min(), std::int64_t{0}, kLimits.max()}) {
      const FlightRecord record{utc_us, monotonic_ns, "k", {}};
      EXPECT_EQ(round_trip(record), record);
    }
  }
}

void expect_round_trips(const std::vector<Value>& values) {
  for (const Value& value : values) {
    EXPECT_EQ(round_trip(with(value)), with(value)) << encode_flight_record(with(value));
  }
}

TEST(FlightRecordJson, EveryTypeOfValueComesBack) {
  constexpr auto kLimits = std::numeric_limits<std::int64_t>();
  using Limits = std::numeric_limits<double>;
  expect_round_trips({std::monostate{}, true, false});
  expect_round_trips({kLimits.min(), kLimits.max(), std::int64_t{0}, std::int64_t{-1}});
  expect_round_trips({0.0, 1.0, -1.0, 0.1, 1e15, 1e16, 1e22, 5e-7, 123456789.0, 9007199254740993.0,
                      9223372036854775808.0, 1.7976931348623157e308, Limits::min(), Limits::denorm_min(),
                      -Limits::denorm_min()});
  const double minus_zero = std::get<double>(round_trip(with(-0.0)).payload.at(0).second);
  EXPECT_TRUE(std::signbit(minus_zero));
}

TEST(FlightRecordJson, TextsComeBack) {
  expect_round_trips({std::string(), std::string("1.0"), std::string("null"),
                      std::string("\0\x01\n\x7f\"\\/", 8), std::string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x81"),
                      std::string("\xe2\x80\xa8\xe2\x80\xae"), std::string(kLogTextLimit, 'a')});
}

TEST(FlightRecordJson, RandomDoublesComeBackBitByBit) {
  std::mt19937_64 random(20260301);
  const auto count = skua_test::count("recorder_doubles");
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = random();
    double value = 0.0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(round_trip(with(value)), with(value)) << encode_flight_record(with(value));
  }
}

TEST(FlightRecordJson, WhatJsonCannotHoldIsNull) {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    EXPECT_EQ(round_trip(with(value)), with(std::monostate{}));
  }
}

TEST(FlightRecordJson, CutAndBrokenTextsSayThatTheyAre) {
  const auto text_of = [](std::string text) {
    return std::get<std::string>(round_trip(with(std::move(text))).payload.at(0).second);
  };
  EXPECT_EQ(text_of(std::string(kLogTextLimit + 1, 'a')), std::string(kLogTextLimit, 'a') + "...");
  EXPECT_EQ(text_of("a\xff"
                    "b\xc3"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
}

TEST(FlightRecordJson, RecordOfWorstTextsStillFitsIntoAFrame) {
  FlightRecord record{0, 0, std::string(4096, '\x01'), {}};
  for (int i = 0; i < 200; ++i) {
    record.payload.emplace_back(std::to_string(i) + std::string(4096, '\x01'), std::string(100'000, '\x02'));
  }
  const std::string line = encode_flight_record(record);
  EXPECT_LE(line.size(), kMaxRecordBytes);
  const auto decoded = decode_flight_record(line);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded->payload.size(), 64U);
  EXPECT_THAT(std::get<std::string>(decoded->payload[63].second), HasSubstr("\x02..."));
}

TEST(FlightRecordJson, OfEqualKeysTheFirstCounts) {
  FlightRecord record = with(std::int64_t{1});
  record.payload.emplace_back("value", std::int64_t{2});
  EXPECT_EQ(round_trip(record), with(std::int64_t{1}));
}

TEST(FlightRecordJson, EveryByteAloneAndInPairsStaysOneStrictLine) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; b += 5) {
      const std::string hostile{'x', static_cast<char>(a), static_cast<char>(b), '"', '}'};
      const std::string line = encode_flight_record({0, 0, hostile, {{hostile, hostile}}});
      ASSERT_EQ(line.find_first_of("\n\r\x7f\xF5\xFA\xFE\xC1"), std::string::npos) << a << "," << b;
      ASSERT_TRUE(decode_flight_record(line).ok()) << line;
    }
  }
}

TEST(FlightRecordJson, NumbersBeyond64BitsAreDoubles) {
  const std::string line = encode_flight_record(with(std::int64_t{7}));
  for (const char* big : {"9223372036854775808", "18446744073709551615", "99999999999999999999"}) {
    std::string edited = line;
    edited.replace(edited.find(":7}") + 1, 1, big);
    const auto decoded = decode_flight_record(edited);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_TRUE(std::holds_alternative<double>(decoded->payload[0].second)) << big;
  }
}

struct BadLine {
  const char* what;  ///< replaced in a good line
  const char* by;
  const char* told;  ///< in the message
};

TEST(FlightRecordJson, BadLinesAreRefusedByName) {
  const std::string good = encode_flight_record(with(std::int64_t{7}));
  ASSERT_TRUE(decode_flight_record(good).ok());
  for (const BadLine& bad :
       std::vector<BadLine>{{"\"schema\":1", "\"schema\":2", "schema is 2; expected 1"},
                            {"\"schema\":1", "\"schema\":1,\"schema\":1", "stands twice"},
                            {"\"schema\":1,", "", "schema is missing"},
                            {"c7_inference", "c9_other", "producer is 'c9_other'; expected c7_inference"},
                            {"2026-03-01T12", "2026-02-30T12", "ts is '2026-02-30"},
                            {"2026-03-01T12", "2026-03-01 12", "ts is"},
                            {"\"mono_ns\":42", "\"mono_ns\":4.5", "mono_ns is 4.5"},
                            {"\"mono_ns\":42", "\"mono_ns\":9223372036854775808", "mono_ns is"},
                            {"\"c7.test\"", "7", "kind is none; expected text"},
                            {"{\"value\":7}", "[]", "payload is an array"},
                            {"\"value\":7", "\"value\":[7]", "payload.'value' is an object or an array"},
                            {"\"value\":7", "\"value\":{\"a\":[]}", "nested deeper"},
                            {"\"value\":7", "\"value\":7,\"value\":8", "stands twice"},
                            {"\"kind\"", "\"more\":1,\"kind\"", "'more' is unknown"},
                            {"\"kind\"", "\n\"kind\"", "control character"},
                            {"c7.test", "c7\xff", "cannot be read"},
                            {"}}", "}}x", "cannot be read"},
                            {"}}", "}", "cannot be read"}}) {
    std::string line = good;
    line.replace(line.find(bad.what), std::string_view(bad.what).size(), bad.by);
    const auto decoded = decode_flight_record(line);
    ASSERT_FALSE(decoded.ok()) << line;
    EXPECT_EQ(decoded.error().reason, Reason::kMalformed);
    EXPECT_THAT(decoded.error().message, HasSubstr(bad.told)) << line;
  }
  EXPECT_FALSE(decode_flight_record("").ok());
  EXPECT_FALSE(decode_flight_record(std::string(kMaxRecordBytes + 1, ' ')).ok());
}

TEST(Timestamp, ParsesWhatItPrintsAndNothingElse) {
  for (const std::int64_t utc_us : {std::int64_t{-62167219200000000}, std::int64_t{-1},
                                    std::int64_t{951782400000000}, std::int64_t{253402300799999999}}) {
    EXPECT_EQ(parse_iso8601_utc(iso8601_utc(utc_us)), utc_us);
  }
  for (const char* bad :
       {"", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000001", "2026-13-01T12:00:00.000001Z",
        "2026-03-01T24:00:00.000001Z", "2026-03-01T12:00:60.000001Z", "2026-03-0xT12:00:00.000001Z",
        "2026-03-01T12:00:00,000001Z", "2026-03-01T12:00:00.000001z", "/026-03-01T12:00:00.000001Z",
        "2023-02-29T12:00:00.000001Z", "\xff\xff\xff\xff-03-01T12:00:00.000001Z"}) {
    EXPECT_FALSE(parse_iso8601_utc(bad).has_value()) << bad;
  }
}

TEST(FlightRecordJson, KeysThatAreAlikeOnlyOnceWrittenAreWrittenOnce) {
  const std::string prefix(131, 'k');
  const FlightRecord record{0,
                            0,
                            "k",
                            {{"a\xff", std::int64_t{1}},
                             {"a\xfe", std::int64_t{2}},
                             {prefix + "1", std::int64_t{3}},
                             {prefix + "2", std::int64_t{4}}}};
  EXPECT_EQ(round_trip(record).payload,
            (std::vector<std::pair<std::string, Value>>{{"a\xef\xbf\xbd", std::int64_t{1}},
                                                        {std::string(128, 'k') + "...", std::int64_t{3}}}));
}

}  // namespace
}  // namespace skua
