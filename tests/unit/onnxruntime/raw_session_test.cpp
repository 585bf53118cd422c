// The yardstick computes what Skua computes, in each of its ways, or its times would compare nothing.
#include "runtimes/onnxruntime/raw_session.h"

#include "ort_fixture.h"

namespace skua::test {
namespace {

std::vector<float> wave(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 11) - 5.0F;
  return values;
}

std::unique_ptr<RawSession> open_raw(const std::string& bytes, const EngineRecord& record,
                                     RawOrigin origin = RawOrigin::kEngine) {
  return ort::open_raw_session(cpu_config(), record, bytes_of(bytes), origin).value();
}

TEST(OrtRawSession, EveryVariantGivesWhatSkuaGives) {
  CompileCase add_relu(add_relu_model());
  Loaded skua = load(add_relu);
  const auto raw = open_raw(add_relu.artifact(), skua.record);
  ASSERT_TRUE(is_ok(raw->place({})));
  ASSERT_EQ(raw->variants().size(), 3U);
  EXPECT_EQ(raw->variants().front(), "io_binding");
  for (std::size_t variant = 0; variant < raw->variants().size(); ++variant) {
    for (const float factor : {1.0F, -2.0F}) {  // the second run shows that nothing of the first is kept
      auto input = wave(64);
      for (float& value : input) value *= factor;
      write(skua.execution->input(0), input);
      write(raw->input(0), input);
      ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
      ASSERT_TRUE(is_ok(raw->run(variant)));
      const auto found = raw->output(0);
      ASSERT_TRUE(is_ok(found));
      EXPECT_EQ(found->shape, (Shape{1, 64}));
      EXPECT_EQ(read<float>(*found), read<float>(skua.execution->output(0))) << variant;
    }
  }
}

TEST(OrtRawSession, HasNoResultBeforeItRan) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord record = add_relu.compile().value();
  const auto raw = open_raw(add_relu.artifact(), record);
  ASSERT_TRUE(is_ok(raw->place({})));
  EXPECT_FALSE(raw->output(0).ok());
  ASSERT_TRUE(is_ok(raw->run(0)));
  EXPECT_TRUE(is_ok(raw->output(0)));
}

TEST(OrtRawSession, WorksInTheMemoryItIsGiven) {
  CompileCase add_relu(add_relu_model());
  Loaded skua = load(add_relu);
  write(skua.execution->input(0), wave(64));
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  const TensorView output = skua.execution->output(0);
  const auto expected = read<float>(output);

  const auto raw = open_raw(add_relu.artifact(), skua.record);
  ASSERT_TRUE(is_ok(raw->place({{skua.execution->input(0)}, {output}})));
  EXPECT_EQ(raw->input(0).data, skua.execution->input(0).data);
  for (const std::size_t in_place : {0U, 2U}) {  // io_binding, run_kept
    std::memset(output.data, 0, output.size_bytes());
    ASSERT_TRUE(is_ok(raw->run(in_place)));
    EXPECT_EQ(raw->output(0).value().data, output.data);
    EXPECT_EQ(read<float>(output), expected) << in_place;
  }
}

TEST(OrtRawSession, FollowsShapesAndRefusesMoreThanTheMemoryHolds) {
  CompileCase rows(dynamic_rows_model());
  rows.request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  Loaded skua = load(rows);
  const auto raw = open_raw(rows.artifact(), skua.record);
  ASSERT_TRUE(is_ok(raw->place({})));
  EXPECT_EQ(raw->input(0).shape, (Shape{2, 4})) << "the profile's opt";
  for (const std::int64_t count : {5, 1}) {
    const Shape shape{count, 4};
    ASSERT_TRUE(is_ok(skua.execution->set_input_shape(0, shape)));
    ASSERT_TRUE(is_ok(raw->set_input_shape(0, shape)));
    const auto input = wave(static_cast<std::size_t>(count) * 4);
    write(skua.execution->input(0), input);
    write(raw->input(0), input);
    ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
    for (std::size_t variant = 0; variant < raw->variants().size(); ++variant) {
      ASSERT_TRUE(is_ok(raw->run(variant)));
      const auto found = raw->output(0);
      ASSERT_TRUE(is_ok(found));
      EXPECT_EQ(found->shape, skua.execution->output(0).shape);
      EXPECT_EQ(read<float>(*found), read<float>(skua.execution->output(0)));
    }
  }
  EXPECT_TRUE(is_error(raw->set_input_shape(0, Shape{6, 4}), ErrorCode::kInvalidArgument,
                       Reason::kShapeMismatch, "'x'"));
}

TEST(OrtRawSession, OpensTheSourceModelToo) {
  CompileCase add_relu(add_relu_model());
  Loaded skua = load(add_relu);
  const auto raw = open_raw(add_relu.folder.read("model/net.onnx"), skua.record, RawOrigin::kSource);
  ASSERT_TRUE(is_ok(raw->place({})));
  write(skua.execution->input(0), wave(64));
  write(raw->input(0), wave(64));
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  ASSERT_TRUE(is_ok(raw->run(0)));
  EXPECT_EQ(read<float>(raw->output(0).value()), read<float>(skua.execution->output(0)));
}

TEST(OrtRawSession, RefusesWhatIsNoModel) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord record = add_relu.compile().value();
  EXPECT_TRUE(is_error(
      ort::open_raw_session(cpu_config(), record, bytes_of(std::string(64, 'x')), RawOrigin::kEngine),
      ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed));
}

TEST(OrtPairedRuntime, HasNoSessionOfAnEngineThatIsNotResident) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord record = add_relu.compile().value();
  RuntimeEnvironment environment;
  environment.config = cpu_config();
  environment.role = Role::kGround;
  const auto paired = ort::create_paired(std::move(environment));
  ASSERT_TRUE(is_ok(paired));
  EXPECT_EQ((*paired)->runtime().current_runtime_label(), "onnx_trt_ep");
  EXPECT_TRUE(is_error((*paired)->raw_session(record), ErrorCode::kInvalidArgument, Reason::kUnknownName,
                       record.file));
}

}  // namespace
}  // namespace skua::test
