// What the consumers demand of their engines right after load, and how they bring an answer home.
#include <cmath>

#include "cache/half.h"
#include "flight_fixture.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::is_error;
using skua::test::is_ok;

using Spoil = std::function<void(NetworkSpecs&)>;

class ConsumersTest : public FlightFixture {
 protected:
  /// A test of its own for each case: what is loaded is loaded once.
  template <typename Make>
  auto with_specs(Network network, const Spoil& spoil, const Make& make) {
    of(network).specs = usual_specs(network);
    spoil(of(network).specs);
    load_runtime();
    load_matcher();
    auto made = make(load(network));
    of(network).specs = usual_specs(network);
    return made;
  }
  template <typename Made>
  static void expect_mismatch(const Made& made, const std::string& slug, const std::string& found) {
    EXPECT_TRUE(is_error(made, ErrorCode::kEngineDeserialize, Reason::kContractMismatch, slug));
    EXPECT_TRUE(is_error(made, ErrorCode::kEngineDeserialize, Reason::kContractMismatch, found));
    EXPECT_TRUE(is_error(made, ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "expected"));
  }
};

TEST_F(ConsumersTest, VprDemandsOneImageAndOneVector) {
  const auto make = [&](const EngineHandle& engine) { return VprConsumer::create(injected_, engine); };
  const auto vpr = [&](const Spoil& spoil) { return with_specs(Network::kVpr, spoil, make); };
  EXPECT_TRUE(is_ok(vpr([](NetworkSpecs&) {})));
  EXPECT_TRUE(is_ok(vpr([](NetworkSpecs& s) { s.outputs[0] = fixed("e", {512}, DType::kFloat16); })));
  EXPECT_TRUE(is_ok(vpr([](NetworkSpecs& s) { s.inputs[0] = fixed("i", {1, 3, 8, 8}, DType::kFloat16); })));
  const std::string slug = "c2_vpr: engine vpr";
  expect_mismatch(vpr([](NetworkSpecs& s) {
                    s.inputs.push_back(fixed("mask", {1, 1, 8, 8}));
                  }),
                  slug, "'mask'");
  expect_mismatch(vpr([](NetworkSpecs& s) { s.outputs.push_back(fixed("more", {1})); }), slug, "'more'");
  expect_mismatch(vpr([](NetworkSpecs& s) { s.outputs[0] = fixed("e", {2, 4}); }), slug, "'e'");
  expect_mismatch(vpr([](NetworkSpecs& s) { s.outputs[0] = fixed("e", {1, 2, 4}); }), slug, "'e'");
  expect_mismatch(vpr([](NetworkSpecs& s) {
                    s.outputs[0] = fixed("e", {1, 4}, DType::kInt64);
                  }),
                  slug, "int64");
  const auto no_image = vpr([](NetworkSpecs& s) { s.inputs[0] = fixed("image", {1, 2, 8, 8}); });
  EXPECT_TRUE(is_error(no_image, ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "input 'image'"));
}

TEST_F(ConsumersTest, TheMatchersExtractorFitsLightGlue) {
  const auto make = [&](const EngineHandle& engine) { return MatcherConsumer::create(injected_, engine, 3); };
  const auto matcher = [&](const Spoil& spoil) { return with_specs(Network::kFeatures, spoil, make); };
  EXPECT_TRUE(is_ok(matcher([](NetworkSpecs&) {})));
  EXPECT_TRUE(is_ok(matcher([](NetworkSpecs& s) {
    s.outputs = {fixed("descriptors", {kPoints, kDim}), fixed("extra", {1}),
                 fixed("keypoints", {kPoints, 2})};
  })));
  const std::string slug = "c3_matcher: engine features";
  const struct {
    Spoil spoil;
    std::string found;
  } cases[] = {
      {[](NetworkSpecs& s) { s.outputs[0].name = "points"; }, "'points'"},
      {[](NetworkSpecs& s) { s.outputs.pop_back(); }, "'keypoints'"},
      {[](NetworkSpecs& s) {
         s.outputs[0] = fixed("keypoints", {2, kPoints, 2});
       },
       "'keypoints'"},
      {[](NetworkSpecs& s) {
         s.outputs[0] = fixed("keypoints", {1, kPoints, 3});
       },
       "'keypoints'"},
      {[](NetworkSpecs& s) {
         s.outputs[0] = fixed("keypoints", {1, kPoints, 2}, DType::kInt64);
       },
       "int64"},
      {[](NetworkSpecs& s) {
         s.outputs[1] = fixed("descriptors", {1, kPoints - 1, kDim});
       },
       "63"},
      {[](NetworkSpecs& s) {
         s.outputs[1] = fixed("descriptors", {1, kPoints, kDim + 1});
       },
       "D = 8"},
      {[](NetworkSpecs& s) {
         s.outputs[1] = fixed("descriptors", {1, kPoints, kDim}, DType::kFloat16);
       },
       "float16"},
      {[](NetworkSpecs& s) {
         s.outputs = {fixed("keypoints", {1, 32, 2}), fixed("descriptors", {1, 32, kDim})};
       },
       "N = 64"},
      {[](NetworkSpecs& s) { s.inputs.push_back(fixed("mask", {1})); }, "'mask'"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.found);
    expect_mismatch(matcher(one.spoil), slug, one.found);
  }
}

TEST_F(ConsumersTest, AdhopDemandsTwoEqualSquaresAndItsTwoAnswers) {
  const auto make = [&](const EngineHandle& engine) { return AdhopConsumer::create(injected_, engine); };
  const auto adhop = [&](const Spoil& spoil) { return with_specs(Network::kAdhop, spoil, make); };
  EXPECT_TRUE(is_ok(adhop([](NetworkSpecs&) {})));
  EXPECT_TRUE(is_ok(adhop([](NetworkSpecs& s) {
    std::swap(s.inputs[0], s.inputs[1]);
    std::swap(s.outputs[0], s.outputs[1]);
  })));
  const struct {
    Spoil spoil;
    std::string found;
  } cases[] = {
      {[](NetworkSpecs& s) { s.inputs[0].name = "template"; }, "'template'"},
      {[](NetworkSpecs& s) { s.inputs.push_back(fixed("mask", {1})); }, "'mask'"},
      {[](NetworkSpecs& s) {
         s.inputs[1] = fixed("query", {1, 1, kPatch, kPatch + 1});
       },
       "33"},
      {[](NetworkSpecs& s) {
         s.inputs = {fixed("reference", {1, 1, 8, 9}), fixed("query", {1, 1, 8, 9})};
       },
       "9"},
      {[](NetworkSpecs& s) {
         s.outputs[0] = fixed("corner_offsets", {4, 2});
       },
       "'corner_offsets'"},
      {[](NetworkSpecs& s) {
         s.outputs[0] = fixed("corner_offsets", {1, 4, 2}, DType::kFloat16);
       },
       "float16"},
      {[](NetworkSpecs& s) { s.outputs[1] = fixed("confidence", {1}); }, "'confidence'"},
      {[](NetworkSpecs& s) { s.outputs.pop_back(); }, "'corner_offsets'"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.found);
    expect_mismatch(adhop(one.spoil), "c3_5_adhop: engine adhop", one.found);
  }
}

TEST_F(ConsumersTest, EverybodyHoldsTheSameRuntime) {
  create_consumers();
  EXPECT_EQ(vpr_->inference(), runtime_.get());
  EXPECT_EQ(rerank_->inference(), runtime_.get());
  EXPECT_EQ(matcher_->inference(), runtime_.get());
  EXPECT_EQ(adhop_->inference(), runtime_.get());
  EXPECT_EQ(vpr_->slug(), "c2_vpr");
  EXPECT_EQ(rerank_->slug(), "c2_5_rerank");
  EXPECT_EQ(matcher_->slug(), "c3_matcher");
  EXPECT_EQ(adhop_->slug(), "c3_5_adhop");
}

TEST_F(ConsumersTest, AnEmbeddingIsBroughtToLengthOneHoweverShort) {
  create_consumers();
  // The least float there is: the inverse of its length is no float.
  for (const float size : {3.0F, 1e-30F, std::numeric_limits<float>::denorm_min(), 1e38F}) {
    of(Network::kVpr).after_run = [size](RunOutputs& outputs) {
      for (float& value : outputs[0].as<float>()) value = 0.0F;
      outputs[0].as<float>()[2] = -size;
    };
    std::vector<float> descriptor(4);
    ASSERT_TRUE(is_ok(vpr_->embed(pictures_[0], descriptor, {}))) << size;
    EXPECT_EQ(descriptor, (std::vector<float>{0.0F, 0.0F, -1.0F, 0.0F})) << size;
  }
}

TEST_F(ConsumersTest, AHalfEmbeddingIsReadAsHalf) {
  of(Network::kVpr).specs.outputs[0] = fixed("embedding", {1, 2}, DType::kFloat16);
  load_runtime();
  load_matcher();
  const auto vpr = VprConsumer::create(injected_, load(Network::kVpr)).value();
  of(Network::kVpr).after_run = [](RunOutputs& outputs) {
    outputs[0].as<std::uint16_t>()[0] = 0x4200;  // 3
    outputs[0].as<std::uint16_t>()[1] = 0x4400;  // 4
  };
  std::vector<float> descriptor(2);
  ASSERT_TRUE(is_ok(vpr->embed(pictures_[0], descriptor, {})));
  EXPECT_FLOAT_EQ(descriptor[0], 0.6F);
  EXPECT_FLOAT_EQ(descriptor[1], 0.8F);
}

/// How many keypoints match decides; of equals the one that looked more alike stays first.
TEST_F(ConsumersTest, RerankingOrdersByMatchesAndKeepsEqualsInOrder) {
  create_consumers();
  const TileMap map = write_map();
  const auto tiles = TileIndex::build(map, *vpr_, *matcher_, 1, false, [] { return false; }).value();
  FrameFeatures frame = matcher_->make_features().value();
  ASSERT_TRUE(is_ok(matcher_->extract(pictures_[0], frame, {})));
  // Pair i gets so many matches.
  const std::array<std::size_t, 4> matches = {3, 20, 3, 40};
  std::size_t pair = 0;
  of(Network::kMatcher).after_run = [&](RunOutputs& outputs) {
    const auto rows = outputs[0].as<std::int64_t>();
    for (std::size_t i = 0; i < kPoints; ++i)
      rows[i] = i < matches[pair % 4] ? static_cast<std::int64_t>(i) : -1;
    ++pair;
  };
  std::vector<KeypointSet> sets;
  for (std::size_t i = 0; i < 4; ++i) sets.push_back(tiles.features(i));
  std::vector<std::size_t> order(4);
  EXPECT_EQ(rerank_->best(frame.view(), sets, order, {}).value(), 4U);
  EXPECT_EQ(order, (std::vector<std::size_t>{3, 1, 0, 2}));
  order.resize(2);
  EXPECT_EQ(rerank_->best(frame.view(), sets, order, {}).value(), 2U);
  EXPECT_EQ(order, (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(rerank_->best(frame.view(), {}, order, {}).value(), 0U);
}

}  // namespace
}  // namespace skua::flight
