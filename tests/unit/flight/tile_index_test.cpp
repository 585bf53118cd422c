// The index of the map's tiles: what is nearest, and that a map with a hole is not flown.
#include "flight/tile_index.h"

#include "flight_fixture.h"
#include "hot_path_counters.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::is_error;
using skua::test::is_ok;

/// A picture whose place descriptor is its quarters' values, brought to length 1.
Image quarters(std::array<std::uint8_t, 4> values) {
  Image image{kSide, kSide, 1, std::vector<std::uint8_t>(kSide * kSide)};
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = values[2 * (2 * (i / kSide) / kSide) + 2 * (i % kSide) / kSide];
  return image;
}

class TileIndexTest : public FlightFixture {
 protected:
  Result<TileIndex> build(bool keeps_pictures = true) {
    return TileIndex::build(write_map(), *vpr_, *matcher_, 1, keeps_pictures, [] { return false; });
  }
  /// The nearest `count` tiles to `picture`.
  std::vector<std::size_t> nearest(const TileIndex& index, const Image& picture, std::size_t count) {
    std::vector<float> descriptor(vpr_->dim());
    vpr_->embed(picture, descriptor, {}).value();
    std::vector<std::size_t> order(count, 999);
    similarity_.assign(count, -9.0F);
    order.resize(index.nearest(descriptor, order, similarity_));
    return order;
  }
  std::vector<float> similarity_;
};

using Order = std::vector<std::size_t>;

TEST_F(TileIndexTest, NearestIsInOrderOfTheAngleAndOfEqualsTheFirst) {
  pictures_ = {quarters({0, 200, 0, 0}),  quarters({200, 100, 0, 0}), quarters({200, 0, 0, 0}),
               quarters({100, 0, 0, 0}),  // as bright in no other direction: equal to the one before
               quarters({200, 50, 0, 0}), quarters({0, 0, 0, 200})};
  create_consumers();
  const auto index = build();
  ASSERT_TRUE(is_ok(index));
  const Image seen = quarters({160, 0, 0, 0});
  EXPECT_EQ(nearest(*index, seen, 6), (Order{2, 3, 4, 1, 0, 5}));
  EXPECT_NEAR(similarity_[0], 1.0F, 1e-6);
  EXPECT_NEAR(similarity_[2], 4.0 / std::sqrt(17.0), 1e-6);
  EXPECT_NEAR(similarity_[3], 2.0 / std::sqrt(5.0), 1e-6);
  EXPECT_EQ(nearest(*index, seen, 3), (Order{2, 3, 4}));
  EXPECT_EQ(nearest(*index, seen, 1), (Order{2}));
  EXPECT_EQ(nearest(*index, seen, 0), (Order{}));
  EXPECT_EQ(nearest(*index, quarters({0, 0, 0, 9}), 1), (Order{5}))
      << "the control: another view, another tile";
}

TEST_F(TileIndexTest, FewerTilesThanAskedForAreAllThereAre) {
  create_consumers();
  const auto index = build();
  ASSERT_TRUE(is_ok(index));
  EXPECT_EQ(nearest(*index, pictures_[2], 10).size(), 4U);
  EXPECT_EQ(nearest(*index, pictures_[2], 10).front(), 2U);
}

TEST_F(TileIndexTest, NearestAllocatesAndLocksNothing) {
  create_consumers();
  const auto index = build();
  ASSERT_TRUE(is_ok(index));
  const std::vector<float> descriptor(4, 0.5F);
  std::vector<std::size_t> order(3);
  std::vector<float> similarity(3);
  std::size_t count = 0;
  const auto counts =
      skua::test::count_hot_path([&] { count = index->nearest(descriptor, order, similarity); });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
  EXPECT_EQ(count, 3U);
}

TEST_F(TileIndexTest, KeepsFeaturesAlwaysAndPicturesForAdhop) {
  create_consumers();
  const auto index = build();
  ASSERT_TRUE(is_ok(index));
  EXPECT_EQ(index->size(), 4U);
  EXPECT_EQ(index->tile(3).x, 3000.0);
  EXPECT_EQ(index->picture(1).pixels, pictures_[1].pixels);
  const KeypointSet features = index->features(1);
  EXPECT_EQ(features.keypoints.shape, (Shape{kPoints, 2}));
  EXPECT_EQ(features.keypoints.as<float>()[2], 12.0F);
  EXPECT_EQ(features.descriptors.as<float>()[0], static_cast<float>(pictures_[1].pixels[0]) / 255.0F);
  EXPECT_EQ(features.image_size, (std::array<int, 2>{kSide, kSide}));
}

TEST_F(TileIndexTest, AMapWithAHoleIsRefusedByTheTilesName) {
  create_consumers();
  const auto refused = [&](const TileMap& map) {
    return TileIndex::build(map, *vpr_, *matcher_, 1, false, [] { return false; });
  };
  const TileMap map = write_map();
  EXPECT_TRUE(is_ok(refused(map)));  // the control
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  root_.write("map/t2.png", encode_png(make_picture(kSide, kSide + 1)));
  EXPECT_TRUE(is_error(refused(map), kInvalid, Reason::kShapeMismatch, "tile t2.png: expected 64x64"));
  EXPECT_TRUE(is_error(refused(map), kInvalid, Reason::kShapeMismatch, "found 64x65"));
  root_.write("map/t2.png", "no picture");
  EXPECT_TRUE(is_error(refused(map), kInvalid, Reason::kFrameUnreadable, "tile t2.png"));
  std::filesystem::remove(root_.path() / "map/t2.png");
  EXPECT_TRUE(is_error(refused(map), kInvalid, Reason::kNotFound, "t2.png"));
}

TEST_F(TileIndexTest, ATileThatCannotBeDescribedIsRefusedByName) {
  create_consumers();
  for (const Network network : {Network::kVpr, Network::kFeatures}) {
    behaviour_.fail(network, Reason::kExecutionFailed, 1, 2);
    EXPECT_TRUE(is_error(build(), ErrorCode::kInference, Reason::kExecutionFailed,
                         "tile t2.png of the map cannot be described"))
        << "a failed run is no fault of the map: its class says that a supervisor may try again";
  }
  EXPECT_TRUE(is_ok(build()));
}

TEST_F(TileIndexTest, ASignalEndsTheBuildBetweenTwoTiles) {
  create_consumers();
  const TileMap map = write_map();
  const int before = of(Network::kVpr).runs;
  int asked = 0;
  const auto cancelled = TileIndex::build(map, *vpr_, *matcher_, 1, false, [&] { return ++asked == 3; });
  EXPECT_TRUE(is_error(cancelled, ErrorCode::kInference, Reason::kCancelled));
  EXPECT_EQ(of(Network::kVpr).runs - before, 2);
}

}  // namespace
}  // namespace skua::flight
