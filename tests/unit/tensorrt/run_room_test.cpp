// Outputs that are greater than the room they were given: no result, nothing cut off, and the next run is
// right.
#include "run_fixture.h"

namespace skua::test::run_room_tests {
namespace {

class TensorrtRoom : public TensorrtRun {};

TEST_F(TensorrtRoom, AnOutputThatAnInputMakesTooLargeIsNoResult) {
  PlanRequest request = dynamic_rows();
  request.max_output_shapes = {{"y", Shape{2, 3}}};
  const Lane lane = place(request);
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, Shape{5, 4})));
  write(lane->input(0), std::vector<float>(20, 1.0F));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kOutputOverflow));
  EXPECT_EQ(lane->output(0).data, nullptr);
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, Shape{2, 4})));
  write(lane->input(0), std::vector<float>(8, 1.0F));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_TRUE(is_right_for(1.0F, lane->output(0)));
}

/// Two rows of three values have room in one of eight, and are none the less not what was asked for.
TEST_F(TensorrtRoom, AnOutputThatTheDataMakeTooLargeInOneDimensionIsNoResult) {
  const std::string model = OnnxWriter()
                                .input("x", kFloat, {2, 4})
                                .output("y", kInt64, {2, "found"})
                                .node("NonZero", {"x"}, {"y"})
                                .model();
  const Lane lane = place({model, {}, {{"y", Shape{1, 8}}}});
  write<float>(lane->input(0), {1.0F, 1.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kOutputOverflow));
  EXPECT_EQ(lane->output(0).data, nullptr);
}

}  // namespace
}  // namespace skua::test::run_room_tests
