// Figures of a manifest: those of the record, each within its bound, or no manifest.
#include "bootstrap/accuracy_figures.h"

#include <gmock/gmock.h>

#include "verdicts.h"

namespace skua::accuracy_figures_test {
namespace {

using test::is_error;

EngineRecord judged_record(const std::string& told) {
  EngineRecord record;
  record.file = "net.onnx";
  record.precision = Precision::kInt8;
  record.outputs = {{"y", DType::kFloat32, {}, {}, false}};
  record.proof["accuracy.y"] = told;
  return record;
}

const std::string kTold =
    "relative_l2 0.02, relative_error 0.5, cosine 0.999, mismatched 0, agreement 1, compared 9";

TEST(AccuracyFigures, AreThoseOfTheRecordWithTheirBounds) {
  const auto figures = accuracy_figures(judged_record(kTold), {}).value();
  EXPECT_THAT(figures, testing::ElementsAre(AccuracyFigure{"y", "relative_l2", 0.02, 0.1},
                                            AccuracyFigure{"y", "mismatched", 0.0, 0.1},
                                            AccuracyFigure{"y", "agreement", 1.0, 0.9}));
  AccuracyLimits more;
  more.cosine = 0.99;
  more.relative_error = 0.6;
  EXPECT_EQ(accuracy_figures(judged_record(kTold), more).value().size(), 5U);
}

TEST(AccuracyFigures, OfOtherPrecisionsThereAreNone) {
  EngineRecord half = judged_record("");
  half.precision = Precision::kFp16;
  EXPECT_TRUE(accuracy_figures(half, {}).value().empty());
}

TEST(AccuracyFigures, WhatIsMissingOrBeyondItsBoundIsRefused) {
  const auto refused = [](const EngineRecord& record, const AccuracyLimits& limits, const std::string& part) {
    return is_error(accuracy_figures(record, limits), ErrorCode::kEngineBuild, Reason::kBuildRecordMalformed,
                    part);
  };
  EXPECT_TRUE(refused(judged_record("cosine 1"), {}, "no relative_l2"));
  EXPECT_TRUE(refused(judged_record("relative_l2 x, mismatched 0, agreement 1"), {}, "no relative_l2"));
  AccuracyLimits tight;
  tight.relative_l2 = 0.01;
  EXPECT_TRUE(refused(judged_record(kTold), tight, "relative_l2 0.02"));
  EngineRecord silent = judged_record(kTold);
  silent.proof.clear();
  EXPECT_TRUE(refused(silent, {}, "nothing of output 'y'"));
}

}  // namespace
}  // namespace skua::accuracy_figures_test
