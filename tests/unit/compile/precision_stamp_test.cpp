// What a model says of its making: read strictly, and held to what is given.
#include "compile/precision_stamp.h"
#include "compile_fixture.h"
#include "onnx_writer.h"

namespace skua::test::precision_stamp_test {
namespace {

const std::string kOne(64, '1'), kTwo(64, '2');

std::string stamp_text(const std::string& precision = "int8", const std::string& extra = "") {
  return R"({"precision":")" + precision + R"(","source_sha256":")" + kOne + R"(","dataset_sha256":")" +
         kTwo +
         R"(","sample_count":8,"held_out_count":2,"algorithm":"entropy2","keep_fp32":["a/*"],"producer":"me")" +
         extra + "}";
}

Result<std::optional<compile::PrecisionStamp>> read(const std::string& text) {
  OnnxWriter graph;
  graph.input("x", kFloat, {4}).output("y", kFloat, {4}).node("Relu", {"x"}, {"y"});
  graph.metadata("skua.precision", text);
  return compile::stamp_of(parse_onnx(bytes_of(graph.model())).value());
}

testing::AssertionResult is_mismatch(const Status& status, const std::string& part) {
  return is_build_error(status, Reason::kCalibrationMismatch, part);
}

Status status_of(const Result<std::optional<compile::PrecisionStamp>>& stamp) {
  return stamp.ok() ? Status() : Status(stamp.error());
}

TEST(PrecisionStamp, HoldsWhatWasWritten) {
  const auto stamp = read(stamp_text()).value().value();
  EXPECT_EQ(stamp.precision, Precision::kInt8);
  EXPECT_EQ(stamp.source_sha256.hex(), kOne);
  EXPECT_EQ(stamp.dataset_sha256.hex(), kTwo);
  EXPECT_EQ(stamp.sample_count, 8U);
  EXPECT_EQ(stamp.algorithm, "entropy2");
  EXPECT_EQ(stamp.keep_fp32, std::vector<std::string>{"a/*"});
  EXPECT_EQ(stamp.producer, "me");
}

TEST(PrecisionStamp, WhatCannotBeReadIsToldAndNotPassedOver) {
  EXPECT_TRUE(is_mismatch(status_of(read("{")), "JSON"));
  EXPECT_TRUE(is_mismatch(status_of(read("[]")), "precision"));
  EXPECT_TRUE(is_mismatch(status_of(read("{}")), "precision"));
  EXPECT_TRUE(is_mismatch(status_of(read(stamp_text("int4"))), "'int4'"));
  EXPECT_TRUE(is_mismatch(status_of(read(stamp_text("int8", R"(,"more":1)"))), "more"));
  EXPECT_TRUE(is_mismatch(status_of(read(R"({"precision":"int8"})")), "source_sha256"));
}

TEST(PrecisionStamp, OthersAreNone) {
  EXPECT_FALSE(read("").value().has_value());
  EXPECT_FALSE(read(R"({"precision":"fp16"})").value().has_value());
}

TEST(PrecisionStamp, IsHeldToPrecisionAndDataSet) {
  const auto stamp = read(stamp_text()).value();
  const Sha256 data_set = Sha256::from_hex(kTwo).value(), other = Sha256::from_hex(kOne).value();
  EXPECT_TRUE(is_ok(compile::check_stamp(stamp, Precision::kInt8, data_set)));
  EXPECT_TRUE(is_mismatch(compile::check_stamp(stamp, Precision::kMixed, data_set), "precision"));
  EXPECT_TRUE(is_mismatch(compile::check_stamp(stamp, Precision::kInt8, other), "data set"));
  EXPECT_TRUE(is_mismatch(compile::check_stamp(std::nullopt, Precision::kInt8, data_set), "none"));
}

}  // namespace
}  // namespace skua::test::precision_stamp_test
