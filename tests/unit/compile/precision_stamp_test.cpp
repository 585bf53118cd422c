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

/// What is asked of a model whose stamp fits, part by part to be spoilt.
struct Asked {
  Asked() {
    request.build.precision = Precision::kInt8;
    request.build.fp32_source = "/models/wide.onnx";
    samples.calibrating.set.digest = Sha256::from_hex(kTwo).value();
    samples.calibrating.files.resize(8);
  }
  Status settle(const std::string& text = stamp_text()) {
    OnnxWriter graph;
    graph.input("x", kFloat, {4}).output("y", kFloat, {4}).node("Relu", {"x"}, {"y"});
    if (!text.empty()) graph.metadata("skua.precision", text);
    compile::Compilation compilation(request);
    compilation.record.model_sha256 = Sha256::from_hex(kOne).value();
    const auto stamp =
        compile::settle_stamp(compilation, parse_onnx(bytes_of(graph.model())).value(), samples);
    if (!stamp.ok()) return stamp.error();
    origin = *compilation.record.calibration;
    return {};
  }
  CompileRequest request;
  compile::BuildSamples samples;
  CalibrationProvenance origin;
};

TEST(PrecisionStamp, SaysInTheRecordWhatTheModelWasMadeFrom) {
  Asked asked;
  ASSERT_TRUE(is_ok(asked.settle()));
  EXPECT_EQ(asked.origin, (CalibrationProvenance{Sha256::from_hex(kTwo).value(), 8,
                                                 Sha256::from_hex(kOne).value(), "entropy2", "me"}));
}

TEST(PrecisionStamp, IsHeldToWhatIsAsked) {
  Asked asked;
  EXPECT_TRUE(is_mismatch(asked.settle(""), "none"));
  EXPECT_TRUE(is_mismatch(asked.settle(stamp_text("mixed")), "precision"));
  asked.samples.calibrating.files.resize(10);
  EXPECT_TRUE(is_mismatch(asked.settle(), "samples that calibrated"));
  asked = Asked();
  asked.samples.calibrating.set.digest = Sha256::from_hex(kOne).value();
  EXPECT_TRUE(is_mismatch(asked.settle(), "data set"));
  asked = Asked();
  asked.request.build.keep_fp32 = {"b/*"};
  EXPECT_TRUE(is_mismatch(asked.settle(), "keep_fp32"));
  asked.request.build.keep_fp32 = {"a/*"};
  EXPECT_TRUE(is_ok(asked.settle()));
  asked.request.build.fp32_source.reset();
  EXPECT_TRUE(is_build_error(asked.settle(), Reason::kReferenceUnavailable, "fp32_source"));
}

TEST(PrecisionStamp, AnotherSourceIsRefused) {
  const auto stamp = read(stamp_text()).value().value();
  EngineRecord reference;
  reference.model_sha256 = Sha256::from_hex(kTwo).value();
  EXPECT_TRUE(is_mismatch(compile::check_source(stamp, reference), "fp32_source"));
  reference.model_sha256 = Sha256::from_hex(kOne).value();
  EXPECT_TRUE(is_ok(compile::check_source(stamp, reference)));
}

}  // namespace
}  // namespace skua::test::precision_stamp_test
