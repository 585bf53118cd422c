// Which engines LightGlueRuntime takes, and which keypoint sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_matcher.h"
#include "matcher_fixture.h"

namespace skua::test {
namespace {

using lightglue::OutputForm;
using lightglue::read_contract;
using ::testing::HasSubstr;

EngineInfo info_of(const MatcherShape& shape) {
  EngineInfo info;
  info.model = "matcher";
  info.inputs = matcher_inputs(shape);
  info.outputs = matcher_outputs(shape);
  info.profiles = matcher_profiles(shape);
  return info;
}

MatcherShape batched_shape() {
  MatcherShape shape;
  shape.most_pairs = 4;
  return shape;
}

TEST(LightGlueContractTest, ReadsWhatAnEngineTakesAndGives) {
  const auto contract = read_contract(info_of(batched_shape())).value();
  EXPECT_EQ(contract.form, OutputForm::kPerKeypoint);
  EXPECT_EQ(contract.descriptor_dim, 3);
  EXPECT_EQ(contract.descriptor_dtype, DType::kFloat32);
  EXPECT_EQ(contract.counts[1], (lightglue::CountRange{1, 4, 8}));
  EXPECT_EQ(contract.max_batch, 4);
  EXPECT_EQ(contract.max_matches, 8U);
}

TEST(LightGlueContractTest, APairListHasNoBatch) {
  MatcherShape shape = batched_shape();
  shape.form = OutputForm::kPairs;
  const auto contract = read_contract(info_of(shape)).value();
  EXPECT_EQ(contract.form, OutputForm::kPairs);
  EXPECT_EQ(contract.max_batch, 1);
}

TEST(LightGlueContractTest, TheOrderOfInputsAndOutputsIsTheEngines) {
  EngineInfo info = info_of({});
  std::reverse(info.inputs.begin(), info.inputs.end());
  std::reverse(info.outputs.begin(), info.outputs.end());
  const auto contract = read_contract(info).value();
  EXPECT_EQ(contract.keypoint_inputs, (std::array<std::size_t, 2>{3, 2}));
  EXPECT_EQ(contract.descriptor_inputs, (std::array<std::size_t, 2>{1, 0}));
  EXPECT_EQ(contract.matches_output, 1U);
}

struct Wrong {
  const char* name;
  void (*spoil)(EngineInfo&);
  std::vector<std::string> words;
};

class LightGlueRefusalTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(LightGlueRefusalTest, NamesTheTensorTheExpectedAndTheFound) {
  EngineInfo info = info_of(batched_shape());
  ASSERT_TRUE(read_contract(info).ok());
  GetParam().spoil(info);
  const auto refused = read_contract(info);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(refused.error().reason, Reason::kContractMismatch);
  for (const std::string& word : GetParam().words) EXPECT_THAT(refused.error().message, HasSubstr(word));
}

const std::vector<Wrong> kWrongs = {
    {"an_input_of_another_name",
     [](EngineInfo& info) { info.inputs[1].name = "points1"; },
     {"'kpts1'", "kpts0, points1"}},
    {"one_input_more",
     [](EngineInfo& info) {
       info.inputs.push_back({"mask", DType::kBool, Shape{1}, Shape{1}, false});
     },
     {"mask"}},
    {"half_keypoints",
     [](EngineInfo& info) { info.inputs[0].dtype = DType::kFloat16; },
     {"'kpts0'", "float32 [B,N,2]", "float16"}},
    {"three_coordinates", [](EngineInfo& info) { info.inputs[0].shape.set(2, 3); }, {"'kpts0'", "x3"}},
    {"keypoints_without_a_batch",
     [](EngineInfo& info) {
       info.inputs[0].shape = Shape{-1, 2};
     },
     {"'kpts0'", "[-1x2]"}},
    {"integer_descriptors",
     [](EngineInfo& info) { info.inputs[2].dtype = DType::kInt8; },
     {"'desc0'", "float16", "int8"}},
    {"descriptors_of_any_length", [](EngineInfo& info) { info.inputs[2].shape.set(2, -1); }, {"'desc0'"}},
    {"two_descriptor_lengths",
     [](EngineInfo& info) { info.inputs[3].shape.set(2, 5); },
     {"'desc1'", "x3", "x5"}},
    {"two_descriptor_types",
     [](EngineInfo& info) { info.inputs[3].dtype = DType::kFloat16; },
     {"'desc1'", "float32", "float16"}},
    {"no_profile", [](EngineInfo& info) { info.profiles.clear(); }, {"'kpts0'", "optimization profile"}},
    {"fewer_descriptors",
     [](EngineInfo& info) { info.profiles[2].max.set(1, 7); },
     {"'desc0'", "1 to 8", "1 to 7"}},
    {"pairs_in_twos", [](EngineInfo& info) { info.profiles[0].min.set(0, 2); }, {"'kpts0'", "2 to 4"}},
    {"no_matches", [](EngineInfo& info) { info.outputs[0].name = "pairs"; }, {"'matches'", "pairs"}},
    {"no_scores", [](EngineInfo& info) { info.outputs.pop_back(); }, {"'scores'"}},
    {"narrow_indices",
     [](EngineInfo& info) { info.outputs[0].dtype = DType::kInt32; },
     {"'matches'", "int64", "int32"}},
    {"half_scores",
     [](EngineInfo& info) { info.outputs[1].dtype = DType::kFloat16; },
     {"'scores'", "float32", "float16"}},
    {"too_little_room",
     [](EngineInfo& info) { info.outputs[0].max_shape.set(1, 7); },
     {"'matches'", "room for 8", "4x7"}},
    {"triples",
     [](EngineInfo& info) {
       info.outputs[0].shape = info.outputs[0].max_shape = Shape{8, 3};
       info.outputs[1].shape = info.outputs[1].max_shape = Shape{8};
     },
     {"'matches'", "[M,2]", "8x3"}},
};

INSTANTIATE_TEST_SUITE_P(Engines, LightGlueRefusalTest, ::testing::ValuesIn(kWrongs),
                         [](const auto& test) { return std::string(test.param.name); });

struct BadSet {
  const char* name;
  void (*spoil)(KeypointSet&);
  Reason reason;
  const char* word;
};

class KeypointSetTest : public ::testing::TestWithParam<BadSet> {};

TEST_P(KeypointSetTest, IsRefusedNamingTheMember) {
  const auto contract = read_contract(info_of({})).value();
  Keypoints keypoints({1, 2, 3}, 3);
  ASSERT_TRUE(lightglue::check_set(contract, 1, keypoints.set).ok());
  GetParam().spoil(keypoints.set);
  const Status refused = lightglue::check_set(contract, 1, keypoints.set);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().reason, GetParam().reason);
  EXPECT_THAT(refused.error().message, HasSubstr("second keypoint set"));
  EXPECT_THAT(refused.error().message, HasSubstr(GetParam().word));
}

const std::vector<BadSet> kBadSets = {
    {"double_keypoints", [](KeypointSet& set) { set.keypoints.dtype = DType::kFloat64; },
     Reason::kDtypeMismatch, "float64"},
    {"half_descriptors", [](KeypointSet& set) { set.descriptors.dtype = DType::kFloat16; },
     Reason::kDtypeMismatch, "descriptors: expected float32"},
    {"on_the_gpu", [](KeypointSet& set) { set.descriptors.device.type = DeviceType::kCuda; },
     Reason::kDeviceMismatch, "host memory"},
    {"with_a_batch",
     [](KeypointSet& set) {
       set.keypoints.shape = Shape{1, 3, 2};
     },
     Reason::kShapeMismatch, "[1x3x2]"},
    {"another_length",
     [](KeypointSet& set) {
       set.descriptors.shape = Shape{3, 4};
     },
     Reason::kShapeMismatch, "[N,3]"},
    {"fewer_descriptors", [](KeypointSet& set) { set.descriptors.shape.set(0, 2); }, Reason::kShapeMismatch,
     "3 rows"},
    {"too_many",
     [](KeypointSet& set) {
       set.keypoints.shape.set(0, 9);
       set.descriptors.shape.set(0, 9);
     },
     Reason::kShapeMismatch, "1 to 8"},
    {"none",
     [](KeypointSet& set) {
       set.keypoints.shape.set(0, 0);
       set.descriptors.shape.set(0, 0);
     },
     Reason::kShapeMismatch, "found 0"},
    {"dynamic", [](KeypointSet& set) { set.keypoints.shape.set(0, -1); }, Reason::kShapeMismatch, "[-1x2]"},
    {"no_memory", [](KeypointSet& set) { set.keypoints.data = nullptr; }, Reason::kInvalidArgument, "null"},
    {"no_width", [](KeypointSet& set) { set.image_size[0] = 0; }, Reason::kInvalidArgument, "0x480"},
    {"negative_height", [](KeypointSet& set) { set.image_size[1] = -1; }, Reason::kInvalidArgument, "640x-1"},
};

INSTANTIATE_TEST_SUITE_P(Sets, KeypointSetTest, ::testing::ValuesIn(kBadSets),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace skua::test
