#include "core/json_strict.h"

#include <gtest/gtest.h>

#include "check.h"

namespace skua {
namespace {

using test::is_error;
using test::is_ok;

template <typename T>
testing::AssertionResult is_malformed(const Result<T>& result, const std::string& part) {
  return is_error(result, ErrorCode::kInvalidArgument, Reason::kMalformed, part);
}

TEST(JsonStrict, KeepsTheOrderOfKeys) {
  EXPECT_EQ(parse_json(R"({"b": 1, "a": [true, null, "x"]})").value().dump(),
            R"({"b":1,"a":[true,null,"x"]})");
}

TEST(JsonStrict, KeepsEveryKindOfValue) {
  for (const std::string text : {"null", "-1", "18446744073709551615", "-9223372036854775808", "0.5", "false",
                                 R"("a\nb")", "[]", "{}", R"([[1,{"z":[{}],"a":null}],"x"])"}) {
    const auto json = parse_json(text);
    ASSERT_TRUE(json.ok()) << text;
    EXPECT_EQ(*json, Json::parse(text)) << text;
    EXPECT_EQ(json->dump(), text);
    EXPECT_EQ(json->type(), Json::parse(text).type()) << text;
  }
}

TEST(JsonStrict, RefusesWhatIsNoJson) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " "sv, "{"sv, "{}x"sv, "{} {}"sv, "{'a':1}"sv, "[1,]"sv, "nan"sv, "1e999"sv, "\"\xff\""sv,
        "{\"a\":1 // c\n}"sv, "\0"sv, "{}\0"sv, "\xef\xbb\xbf{}"sv, "{}\0x"sv, "01"sv}) {
    EXPECT_TRUE(is_malformed(parse_json(text), "JSON text cannot be read")) << text;
  }
}

TEST(JsonStrict, RefusesDuplicateKeysInOneObjectOnly) {
  EXPECT_TRUE(is_malformed(parse_json(R"({"a": 1, "a": 1})"), "'a' stands twice"));
  EXPECT_TRUE(is_malformed(parse_json(R"([{"x": {"b": 1, "c": {}, "b": 1}}])"), "'b' stands twice"));
  EXPECT_TRUE(is_malformed(parse_json(R"({"a": 1, "\u0061": 1})"), "'a' stands twice"));
  EXPECT_TRUE(is_ok(parse_json(R"({"a": {"a": [{"a": 1}, {"a": 1}]}})")));
}

TEST(JsonStrict, RefusesMoreDepthThanTheLimit) {
  const JsonLimits limits{.max_bytes = 1000, .max_depth = 3};
  EXPECT_TRUE(is_ok(parse_json(R"([[{"a": 1}]])", limits)));
  EXPECT_TRUE(is_malformed(parse_json(R"([[{"a": []}]])", limits), "deeper than 3"));
  EXPECT_TRUE(is_ok(parse_json("[[[],[]],[[],[]]]", limits)));
  EXPECT_TRUE(is_malformed(parse_json(std::string(500000, '[')), "deeper than 12"));
}

TEST(JsonStrict, RefusesMoreValuesThanTheLimit) {
  const JsonLimits limits{.max_values = 4};
  EXPECT_TRUE(parse_json("[1, {\"a\": 2}]", limits).ok());
  EXPECT_TRUE(is_malformed(parse_json("[1, 2, {\"a\": 3}]", limits), "more than 4 values"));
  std::string many = "[1";
  for (std::size_t i = 0; i < kMaxJsonValues; ++i) many += ",1";
  EXPECT_TRUE(is_malformed(parse_json(many + "]"), "more than 65536 values"));
}

TEST(JsonStrict, RefusesMoreBytesThanTheLimit) {
  EXPECT_TRUE(is_ok(parse_json("[1]", {.max_bytes = 3})));
  EXPECT_TRUE(is_malformed(parse_json("[1] ", {.max_bytes = 3}), "at most 3"));
}

const Json kObject = parse_json(R"({"text": "abc", "count": 7, "offset": -3, "ratio": 0.5, "flag": true,
    "digest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "list": [1, 2], "inner": {"x": 1},
    "nothing": null})")
                         .value();

TEST(ObjectReader, ReadsEveryKindOfField) {
  ObjectReader reader(kObject, "");
  EXPECT_EQ(reader.text("text"), "abc");
  EXPECT_EQ(reader.unsigned_integer("count"), 7U);
  EXPECT_EQ(reader.integer("offset", -5, 5), -3);
  EXPECT_EQ(reader.number("ratio"), 0.5);
  EXPECT_TRUE(reader.boolean("flag"));
  EXPECT_EQ(reader.digest("digest").bytes[1], 0x23);
  EXPECT_EQ(reader.array("list", 2).size(), 2U);
  EXPECT_EQ(reader.object("inner").size(), 1U);
  EXPECT_EQ(reader.optional("nothing"), nullptr);
  EXPECT_EQ(reader.optional("absent"), nullptr);
  EXPECT_TRUE(is_ok(reader.finish()));
}

TEST(ObjectReader, UnknownKeysAreRefusedWithTheKnownOnes) {
  const Json json = parse_json(R"({"a": 1, "b": 2})").value();
  ObjectReader reader(json, "top");
  reader.integer("a", 0, 9);
  EXPECT_TRUE(is_malformed(reader.finish(), "top.'b' is unknown; expected only a"));
}

template <typename Read>
testing::AssertionResult refuses(const std::string& value, Read read, const std::string& part) {
  const Json json = parse_json(R"({"key": )" + value + "}").value();
  ObjectReader reader(json, "list[2]");
  read(reader);
  return is_malformed(reader.finish(), part);
}

TEST(ObjectReader, WrongTypesNamePathFoundAndExpected) {
  EXPECT_TRUE(refuses(
      "3", [](ObjectReader& r) { r.text("key"); }, "list[2].key is 3; expected text"));
  EXPECT_TRUE(refuses(
      "\"x\"", [](ObjectReader& r) { r.unsigned_integer("key"); }, "text 'x'; expected a whole number"));
  EXPECT_TRUE(refuses(
      "1.0", [](ObjectReader& r) { r.integer("key", 0, 9); }, "a whole number from 0 to 9"));
  EXPECT_TRUE(refuses(
      "\"1\"", [](ObjectReader& r) { r.number("key"); }, "a finite number"));
  EXPECT_TRUE(refuses(
      "0", [](ObjectReader& r) { r.boolean("key"); }, "true or false"));
  EXPECT_TRUE(refuses(
      "\"ab\"", [](ObjectReader& r) { r.digest("key"); }, "64 lower-case hex"));
  EXPECT_TRUE(refuses(
      "{}", [](ObjectReader& r) { r.array("key", 9); }, "is an object; expected an array"));
  EXPECT_TRUE(refuses(
      "[]", [](ObjectReader& r) { r.object("key"); }, "an array of 0; expected an object"));
  EXPECT_TRUE(refuses(
      "null", [](ObjectReader& r) { r.text("key"); }, "is null"));
}

TEST(ObjectReader, BoundsAreInclusive) {
  EXPECT_TRUE(refuses(
      "-1", [](ObjectReader& r) { r.unsigned_integer("key"); }, "-1"));
  EXPECT_TRUE(refuses(
      "9007199254740993", [](ObjectReader& r) { r.unsigned_integer("key"); }, "9007199254740992"));
  EXPECT_TRUE(refuses(
      "10", [](ObjectReader& r) { r.integer("key", 0, 9); }, "10"));
  EXPECT_TRUE(refuses(
      "18446744073709551615", [](ObjectReader& r) { r.integer("key", -9, 9); }, "whole number"));
  EXPECT_TRUE(refuses(
      "[1,2]", [](ObjectReader& r) { r.array("key", 1); }, "at most 1"));
  EXPECT_TRUE(refuses(
      "\"abc\"", [](ObjectReader& r) { r.text("key", 2); }, "at most 2"));
  EXPECT_TRUE(refuses(
      "\"a\\u0000\"", [](ObjectReader& r) { r.text("key"); }, "NUL"));
  const Json json = parse_json(R"({"i": 9, "t": "ab", "u": 9007199254740992})").value();
  ObjectReader reader(json, "");
  EXPECT_EQ(reader.integer("i", 9, 9), 9);
  EXPECT_EQ(reader.text("t", 2), "ab");
  EXPECT_EQ(reader.unsigned_integer("u"), std::uint64_t{1} << 53U);
  EXPECT_TRUE(is_ok(reader.finish()));
}

TEST(ObjectReader, TheFirstErrorStays) {
  ObjectReader reader(kObject, "");
  EXPECT_EQ(reader.text("absent"), "");
  EXPECT_EQ(reader.integer("text", 0, 1), 0);
  EXPECT_TRUE(reader.array("list", 9).empty());
  EXPECT_TRUE(reader.object("inner").empty());
  reader.fail(make_error(ErrorCode::kIo, Reason::kIo, "later"));
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(is_malformed(reader.finish(), "absent is missing"));
}

TEST(ObjectReader, AnythingButAnObjectIsRefused) {
  const Json json = parse_json("[1]").value();
  EXPECT_TRUE(
      is_malformed(ObjectReader(json, "").finish(), "JSON text is an array of 1; expected an object"));
  EXPECT_TRUE(is_malformed(ObjectReader(json, "a.b").finish(), "a.b is an array"));
}

}  // namespace
}  // namespace skua
