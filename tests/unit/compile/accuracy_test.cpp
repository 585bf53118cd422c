// The figures of accuracy by hand, and what is beyond its bound.
#include "compile/accuracy.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace skua::compile::accuracy_test {
namespace {

using ::testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename T>
Tensor tensor(DType dtype, const Shape& shape, const std::vector<T>& values) {
  Tensor made = Tensor::allocate(dtype, shape).value();
  std::memcpy(made.view().data, values.data(), values.size() * sizeof(T));
  return made;
}

TensorMap floats(const std::vector<float>& values, const std::string& name = "y") {
  TensorMap map;
  map.insert(name, tensor(DType::kFloat32, {static_cast<std::int64_t>(values.size())}, values)).value();
  return map;
}

TensorMap integers(const std::vector<std::int64_t>& values) {
  TensorMap map;
  map.insert("y", tensor(DType::kInt64, {static_cast<std::int64_t>(values.size())}, values)).value();
  return map;
}

OutputAccuracy figures_of(const TensorMap& expected, const TensorMap& found) {
  AccuracyJudge judge({{"y", DType::kFloat32, {}, {}, false}});
  judge.add(expected, found);
  return judge.finish().front();
}

Status judged(const OutputAccuracy& output, const AccuracyLimits& limits = {}) {
  return check_accuracy({output}, limits);
}

TEST(Accuracy, FiguresOfFloatsAreThoseComputedByHand) {
  const OutputAccuracy found = figures_of(floats({3, 4, 0.01F}), floats({3, 4.5F, 0.03F}));
  const double length = std::sqrt(9 + 16 + 0.0001);
  EXPECT_NEAR(found.relative_l2, std::sqrt(0.25 + 0.0004) / length, 1e-6);
  EXPECT_NEAR(found.relative_error, 0.5 / 4, 1e-6);  // the last value is next to nothing
  EXPECT_NEAR(found.cosine, (9 + 18 + 0.0003) / (length * std::sqrt(9 + 20.25 + 0.0009)), 1e-6);
  EXPECT_EQ(found.compared, 3U);
  EXPECT_FALSE(judged(found).ok());
}

TEST(Accuracy, EqualOutputsAreGood) {
  const OutputAccuracy found = figures_of(floats({1, kNaN, kInfinity}), floats({1, kNaN, kInfinity}));
  EXPECT_EQ(found.relative_l2, 0.0);
  EXPECT_EQ(found.cosine, 1.0);
  EXPECT_EQ(found.compared, 1U);
  EXPECT_TRUE(judged(found).ok());
}

TEST(Accuracy, NaNsInfinitiesAndShapesCountAsWhollyDifferent) {
  EXPECT_FALSE(judged(figures_of(floats({1, 2}), floats({1, kNaN}))).ok());
  EXPECT_FALSE(judged(figures_of(floats({1, kNaN}), floats({1, 2}))).ok());
  EXPECT_FALSE(judged(figures_of(floats({1, kInfinity}), floats({1, -kInfinity}))).ok());
  EXPECT_FALSE(judged(figures_of(floats({1, 2}), floats({1, 2, 3}))).ok());
  EXPECT_FALSE(judged(figures_of(floats({1, 2}), integers({1, 2}))).ok());
}

TEST(Accuracy, AScaleIsSeenThoughTheDirectionIsTheSame) {
  const OutputAccuracy found = figures_of(floats({1, 2}), floats({1.2F, 2.4F}));
  EXPECT_NEAR(found.cosine, 1.0, 1e-6);
  EXPECT_NEAR(found.relative_l2, 0.2, 1e-6);
  EXPECT_FALSE(judged(found).ok());
}

TEST(Accuracy, OfIntegersThoseCountThatSaySomething) {
  // -1 is the usual value: of four matches one is lost and one is another.
  const OutputAccuracy found =
      figures_of(integers({-1, -1, -1, -1, -1, 5, 6, 7, 8}), integers({-1, -1, -1, -1, -1, 5, 6, -1, 9}));
  EXPECT_NEAR(found.mismatched, 0.5, 1e-9);
  EXPECT_THAT(judged(found).error().message, HasSubstr("mismatched 0.5"));
}

TEST(Accuracy, AnOutputThatIsNextToNothingOnceIsJudgedBesideATypicalOne) {
  AccuracyJudge judge({{"y", DType::kFloat32, {}, {}, false}});
  for (int i = 0; i < 9; ++i) judge.add(floats({10}), floats({10}));
  judge.add(floats({0.001F}), floats({0.002F}));
  EXPECT_NEAR(judge.finish().front().relative_l2, 0.001 / (0.1 * 10), 1e-6);
}

TEST(Accuracy, OneLongOutputDoesNotHideTheShortOnes) {
  AccuracyJudge judge({{"y", DType::kFloat32, {}, {}, false}});
  judge.add(floats({1000}), floats({1000}));
  for (int i = 0; i < 19; ++i) judge.add(floats({1}), floats({3}));
  EXPECT_NEAR(judge.finish().front().relative_l2, 2.0, 1e-6);
}

TEST(Accuracy, NothingToCompareIsRefused) {
  EXPECT_THAT(judged(figures_of(floats({kNaN}), floats({kNaN}))).error().message,
              HasSubstr("no value to compare"));
  EXPECT_FALSE(judged(AccuracyJudge({{"y", DType::kFloat32, {}, {}, false}}).finish().front()).ok());
}

TEST(Accuracy, BoundsThatWereTightenedHold) {
  const OutputAccuracy found = figures_of(floats({1, 2}), floats({1.01F, 2}));
  EXPECT_TRUE(judged(found).ok());
  AccuracyLimits tight;
  tight.relative_l2 = 0.001;
  EXPECT_THAT(judged(found, tight).error().message, HasSubstr("bound 0.001"));
  AccuracyLimits straight;
  straight.cosine = 1.0;
  EXPECT_THAT(judged(found, straight).error().message, HasSubstr("cosine"));
  AccuracyLimits equal;
  equal.relative_error = 0.001;
  EXPECT_THAT(judged(found, equal).error().message, HasSubstr("relative_error"));
}

TEST(Accuracy, TheWorstOutputsAreNamedFirst) {
  OutputAccuracy good{.name = "good", .compared = 1};
  OutputAccuracy bad{.name = "bad", .compared = 1, .relative_l2 = 0.2};
  OutputAccuracy worse{.name = "worse", .compared = 1, .relative_l2 = 0.9};
  const Status refused = check_accuracy({good, bad, worse}, {});
  EXPECT_EQ(refused.error().reason, Reason::kAccuracyTooLow);
  const std::string text = refused.error().message;
  EXPECT_LT(text.find("worse"), text.find("bad"));
  EXPECT_EQ(text.find("good"), std::string::npos);
}

/// Keypoints of one image, their scores, and a descriptor each.
TensorMap features(const std::vector<float>& points, const std::vector<float>& scores,
                   const std::vector<float>& descriptors) {
  const auto count = static_cast<std::int64_t>(scores.size());
  TensorMap map;
  map.insert("keypoints", tensor(DType::kFloat32, {1, count, 2}, points)).value();
  map.insert("scores", tensor(DType::kFloat32, {1, count}, scores)).value();
  map.insert("descriptors", tensor(DType::kFloat32, {1, count, 1}, descriptors)).value();
  return map;
}

std::vector<OutputAccuracy> features_apart(const TensorMap& expected, const TensorMap& found) {
  AccuracyJudge judge({{"keypoints", DType::kFloat32, {}, {}, false},
                       {"scores", DType::kFloat32, {}, {}, false},
                       {"descriptors", DType::kFloat32, {}, {}, false}});
  judge.add(expected, found);
  return judge.finish();
}

TEST(Accuracy, KeypointsAreComparedWithTheNearestInWhateverOrder) {
  const auto found = features_apart(features({10, 10, 50, 50, 0, 0}, {1, 0.5F, 0}, {1, 2, 9}),
                                    features({51, 50, 11, 10, 0, 0}, {0.5F, 1, 0}, {2, 1, -9}));
  EXPECT_EQ(found[0].agreement, 1.0);
  EXPECT_EQ(found[0].compared, 2U);  // the third row holds none
  EXPECT_EQ(found[1].relative_l2, 0.0);
  EXPECT_EQ(found[2].relative_l2, 0.0);
  EXPECT_TRUE(check_accuracy(found, {}).ok());
}

TEST(Accuracy, AMarkOfAnotherTypeIsNoMark) {
  const auto with_valid = [](DType dtype) {
    TensorMap map;
    map.insert("keypoints", tensor(DType::kFloat32, {1, 1, 2}, std::vector<float>{10, 10})).value();
    if (dtype == DType::kBool)
      map.insert("valid", tensor(dtype, {1, 1}, std::vector<std::uint8_t>{1})).value();
    else
      map.insert("valid", tensor(dtype, {1, 1}, std::vector<std::int64_t>{1})).value();
    return map;
  };
  const std::vector<TensorSpec> outputs = {{"keypoints", DType::kFloat32, {}, {}, false},
                                           {"valid", DType::kBool, {}, {}, false}};
  AccuracyJudge same(outputs), other(outputs);
  same.add(with_valid(DType::kBool), with_valid(DType::kBool));
  EXPECT_TRUE(check_accuracy(same.finish(), {}).ok());
  other.add(with_valid(DType::kBool), with_valid(DType::kInt64));
  EXPECT_FALSE(check_accuracy(other.finish(), {}).ok());
}

TEST(Accuracy, RowsKeepTheirOwnShape) {
  const auto with_rows = [](const Shape& shape) {
    TensorMap map;
    map.insert("keypoints", tensor(DType::kFloat32, {1, 1, 2}, std::vector<float>{10, 10})).value();
    map.insert("maps", tensor(DType::kFloat32, shape, std::vector<float>{1, 2, 3, 4})).value();
    return map;
  };
  AccuracyJudge judge(
      {{"keypoints", DType::kFloat32, {}, {}, false}, {"maps", DType::kFloat32, {}, {}, false}});
  judge.add(with_rows({1, 1, 4}), with_rows({1, 1, 2, 2}));
  EXPECT_FALSE(check_accuracy(judge.finish(), {}).ok());
}

TEST(Accuracy, KeypointsThatAreLostOrFarAreNoAgreement) {
  const auto lost =
      features_apart(features({10, 10, 50, 50}, {1, 1}, {1, 2}), features({10, 10, 90, 90}, {1, 1}, {1, 2}));
  EXPECT_EQ(lost[0].agreement, 0.5);
  EXPECT_THAT(check_accuracy(lost, {}).error().message, HasSubstr("agreement 0.5"));
  // Two that fall onto one are not two: the nearest has to be mutual.
  const auto doubled =
      features_apart(features({10, 10, 12, 10}, {1, 1}, {1, 2}), features({10, 10, 10, 10}, {1, 1}, {1, 2}));
  EXPECT_EQ(doubled[0].agreement, 0.5);
  const auto none =
      features_apart(features({10, 10, 12, 10}, {1, 1}, {1, 2}), features({10, 10, 12, 10}, {0, 0}, {1, 2}));
  EXPECT_EQ(none[0].agreement, 0.0);
}

}  // namespace
}  // namespace skua::compile::accuracy_test
