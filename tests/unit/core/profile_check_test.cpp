#include "core/profile_check.h"

#include <gtest/gtest.h>

#include "check.h"

namespace skua {
namespace {

using test::is_error;
using test::is_ok;

const std::vector<TensorSpec> kInputs = {
    {.name = "kpts0", .dtype = DType::kFloat32, .shape = Shape({1, -1, 2}), .max_shape = {}},
    {.name = "image", .dtype = DType::kFloat32, .shape = Shape({1, 3}), .max_shape = {}},
};

OptimizationProfile good() { return {"kpts0", Shape({1, 1, 2}), Shape({1, 256, 2}), Shape({1, 512, 2})}; }

testing::AssertionResult refuses(const std::vector<OptimizationProfile>& profiles, const std::string& part) {
  return is_error(check_profiles(profiles, kInputs), ErrorCode::kInvalidArgument, Reason::kProfileMismatch,
                  part);
}

TEST(ProfileCheck, AcceptsProfilesThatFit) {
  EXPECT_TRUE(is_ok(check_profiles({good()}, kInputs)));
  const OptimizationProfile fixed{"image", Shape({1, 3}), Shape({1, 3}), Shape({1, 3})};
  EXPECT_TRUE(is_ok(check_profiles({good(), fixed}, kInputs)));
  EXPECT_TRUE(is_ok(check_profiles({}, {kInputs[1]})));
}

TEST(ProfileCheck, AnUnknownInputListsTheKnownOnes) {
  OptimizationProfile other = good();
  other.input_name = "kpts";
  EXPECT_TRUE(refuses({good(), other}, "'kpts'"));
  EXPECT_TRUE(refuses({good(), other}, "kpts0, image"));
}

TEST(ProfileCheck, TheRankIsTheModels) {
  EXPECT_TRUE(refuses({{"kpts0", Shape({1, 2}), Shape({1, 2}), Shape({1, 2})}}, "rank 3"));
}

TEST(ProfileCheck, AStaticDimensionIsNotVaried) {
  for (Shape OptimizationProfile::*member :
       {&OptimizationProfile::min, &OptimizationProfile::opt, &OptimizationProfile::max}) {
    OptimizationProfile profile = good();
    (profile.*member).set(2, 3);
    EXPECT_TRUE(refuses({profile}, "axis 2"));
  }
}

TEST(ProfileCheck, ADynamicInputNeedsAProfile) { EXPECT_TRUE(refuses({}, "'kpts0' is dynamic")); }

TEST(ProfileCheck, WithinMeansEveryAxisAndTheRank) {
  const OptimizationProfile profile{"x", Shape({1, 2}), Shape({2, 3}), Shape({4, 4})};
  EXPECT_TRUE(is_within(profile, Shape({1, 2})));
  EXPECT_TRUE(is_within(profile, Shape({4, 4})));
  EXPECT_FALSE(is_within(profile, Shape({0, 2})));
  EXPECT_FALSE(is_within(profile, Shape({5, 4})));
  EXPECT_FALSE(is_within(profile, Shape({4, 5})));
  EXPECT_FALSE(is_within(profile, Shape({4, -1})));
  EXPECT_FALSE(is_within(profile, Shape({4})));
  EXPECT_FALSE(is_within(profile, Shape({4, 4, 1})));
}

}  // namespace
}  // namespace skua
