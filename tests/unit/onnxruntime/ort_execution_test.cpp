// Engines on the real library: values, shapes, types, and what a failed run leaves behind.
#include "hot_path_counters.h"
#include "kept_trace.h"
#include "ort_fixture.h"

namespace skua::test {
namespace {

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) - static_cast<float>(count) / 2;
  return values;
}

OptimizationProfile rows_profile() { return {"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}; }

CompileCase rows_case() { return CompileCase(dynamic_rows_model()); }

TEST(OrtExecution, ComputesAddRelu) {
  CompileCase add_relu(add_relu_model());
  Loaded loaded = load(add_relu);
  const auto input = ramp(64);
  write(loaded.execution->input(0), input);
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  const auto found = read<float>(loaded.execution->output(0));
  ASSERT_EQ(found.size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) {
    const float bias = (static_cast<float>(i % 7) - 3.0F) / 8.0F;
    EXPECT_EQ(found[i], std::max(0.0F, input[i] + bias)) << i;
  }
}

TEST(OrtExecution, ATraceShowsWhatARunConsistsOf) {
  CompileCase add_relu(add_relu_model()), rows = rows_case();
  rows.request.build.optimization_profiles = {rows_profile()};
  Loaded fixed = load(add_relu), dynamic = load(rows);
  KeptTrace trace;
  ASSERT_TRUE(is_ok(fixed.execution->run(std::nullopt)));
  ASSERT_TRUE(is_ok(dynamic.execution->run(std::nullopt)));
  EXPECT_THAT(trace.names(), testing::ElementsAre("sdk_run", "bind_outputs", "sdk_run", "copy_out"));
}

TEST(OrtExecution, MemoryIsAlignedAndStaysInPlace) {
  CompileCase add_relu(add_relu_model());
  Loaded loaded = load(add_relu);
  const void* input = loaded.execution->input(0).data;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(input) % 64, 0U);
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  const void* output = loaded.execution->output(0).data;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(output) % 64, 0U);
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(loaded.execution->input(0).data, input);
  EXPECT_EQ(loaded.execution->output(0).data, output);
}

TEST(OrtExecution, OutputsAreHiddenBeforeTheFirstRun) {
  CompileCase add_relu(add_relu_model());
  Loaded loaded = load(add_relu);
  EXPECT_EQ(loaded.execution->output(0).data, nullptr);
}

TEST(OrtExecution, ReportReadsTheSessionBack) {
  CompileCase add_relu(add_relu_model());
  const Loaded loaded = load(add_relu);
  const EngineReport report = loaded.engine->report();
  ASSERT_EQ(report.inputs.size(), 1U);
  EXPECT_EQ(report.inputs[0].name, "x");
  EXPECT_EQ(report.inputs[0].shape, (Shape{1, 64}));
  EXPECT_EQ(report.outputs[0].name, "y");
  EXPECT_EQ(report.device, "cpu");
  EXPECT_EQ(report.provider, "cpu");
  EXPECT_EQ(report.arithmetic, loaded.record.arithmetic);
  EXPECT_EQ(report.sdk_version, loaded.record.options.at("onnxruntime"));
}

TEST(OrtExecution, TypesOtherThanFloat) {
  CompileCase mixed(mixed_types_model(), Precision::kFp16);
  Loaded loaded = load(mixed);
  write<std::int64_t>(loaded.execution->input(0), {1, -2, 3});
  write<std::uint8_t>(loaded.execution->input(1), {1, 0, 1});
  write<std::uint16_t>(loaded.execution->input(2), {0x3C00, 0x4000, 0xBC00, 0x0000});  // 1, 2, -1, 0
  write<std::uint8_t>(loaded.execution->input(3), {7, 255});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(read<std::int64_t>(loaded.execution->output(0)), (std::vector<std::int64_t>{2, -4, 6}));
  EXPECT_EQ(read<std::uint8_t>(loaded.execution->output(1)), (std::vector<std::uint8_t>{0, 1, 0}));
  EXPECT_EQ(read<std::uint16_t>(loaded.execution->output(2)),
            (std::vector<std::uint16_t>{0x4000, 0x4400, 0xC000, 0x0000}));
  EXPECT_EQ(read<std::uint8_t>(loaded.execution->output(3)), (std::vector<std::uint8_t>{7, 255}));
}

TEST(OrtExecution, DynamicInputFollowsItsShape) {
  CompileCase rows = rows_case();
  rows.request.build.optimization_profiles = {rows_profile()};
  Loaded loaded = load(rows);
  EXPECT_EQ(loaded.execution->input(0).shape, (Shape{2, 4}));
  for (const std::int64_t count : {5, 1, 3}) {
    ASSERT_TRUE(is_ok(loaded.execution->set_input_shape(0, Shape{count, 4})));
    write(loaded.execution->input(0), ramp(static_cast<std::size_t>(count) * 4));
    ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
    EXPECT_EQ(loaded.execution->output(0).shape, (Shape{count, 3}));
  }
}

TEST(OrtExecution, ShapeBeyondCapacityChangesNothing) {
  CompileCase rows = rows_case();
  rows.request.build.optimization_profiles = {rows_profile()};
  Loaded loaded = load(rows);
  EXPECT_TRUE(is_error(loaded.execution->set_input_shape(0, Shape{6, 4}), ErrorCode::kInvalidArgument,
                       Reason::kShapeMismatch, "'x'"));
  EXPECT_EQ(loaded.execution->input(0).shape, (Shape{2, 4}));
  EXPECT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
}

TEST(OrtExecution, DataDependentOutputHasTheShapeOfItsRun) {
  CompileCase non_zero(non_zero_model());
  non_zero.request.build.max_output_shapes = {{"y", Shape{1, 8}}};
  Loaded loaded = load(non_zero);
  write<float>(loaded.execution->input(0), {0, 1, 0, 2, 0, 0, 3, 0});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(read<std::int64_t>(loaded.execution->output(0)), (std::vector<std::int64_t>{1, 3, 6}));
  write<float>(loaded.execution->input(0), {0, 0, 0, 0, 0, 0, 0, 0});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(loaded.execution->output(0).shape, (Shape{1, 0}));
  EXPECT_NE(loaded.execution->output(0).data, nullptr);
  write<float>(loaded.execution->input(0), {1, 1, 1, 1, 1, 1, 1, 1});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(loaded.execution->output(0).shape, (Shape{1, 8}));
}

TEST(OrtExecution, OverflowExposesNothingAndTheNextRunIsFine) {
  CompileCase non_zero(non_zero_model());
  non_zero.request.build.max_output_shapes = {{"y", Shape{1, 8}}};
  EngineRecord record = non_zero.compile().value();
  record.outputs[0].max_shape = Shape{1, 3};
  const std::string artifact = non_zero.artifact();
  auto engine = ort::load_engine(real_library(), cpu_config(), bytes_of(artifact), record).value();
  auto execution = engine->create_execution().value();
  write<float>(execution->input(0), {1, 1, 1, 1, 0, 0, 0, 0});
  const Status overflow = execution->run(std::nullopt);
  EXPECT_TRUE(is_error(overflow, ErrorCode::kInference, Reason::kOutputOverflow));
  EXPECT_TRUE(overflow.error().message.empty());
  EXPECT_EQ(execution->output(0).data, nullptr);
  write<float>(execution->input(0), {1, 1, 1, 0, 0, 0, 0, 0});
  ASSERT_TRUE(is_ok(execution->run(std::nullopt)));
  EXPECT_EQ(execution->output(0).shape, (Shape{1, 3}));
}

TEST(OrtExecution, ZeroSizeOutput) {
  CompileCase zero(zero_size_model());
  Loaded loaded = load(zero);
  write<float>(loaded.execution->input(0), {1, 2, 3, 4});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(loaded.execution->output(0).shape, Shape{0});
  EXPECT_EQ(loaded.execution->output(0).size_bytes(), 0U);
  EXPECT_EQ(read<float>(loaded.execution->output(1)), (std::vector<float>{1, 2, 3, 4}));
}

// Gather with an index that the data decides: ONNX Runtime itself refuses at run time.
std::string gather_model() {
  return OnnxWriter()
      .input("index", kInt64, {1})
      .output("y", kFloat, {1})
      .weights("table", kFloat, {4}, raw<float>({10, 20, 30, 40}))
      .node("Gather", {"table", "index"}, {"y"})
      .model();
}

TEST(OrtExecution, FailedRunHasReasonAndCodeButNoOutputAndNoMessage) {
  CompileCase gather(gather_model());
  Loaded loaded = load(gather);
  write<std::int64_t>(loaded.execution->input(0), {2});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(read<float>(loaded.execution->output(0)), std::vector<float>{30});
  write<std::int64_t>(loaded.execution->input(0), {4});
  const Status failed = loaded.execution->run(std::nullopt);
  ASSERT_TRUE(is_error(failed, ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_NE(failed.error().native_code, 0);
  EXPECT_TRUE(failed.error().message.empty());
  EXPECT_EQ(loaded.execution->output(0).data, nullptr);
  write<std::int64_t>(loaded.execution->input(0), {0});
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(read<float>(loaded.execution->output(0)), std::vector<float>{10});
}

TEST(OrtExecution, NothingIsPrinted) {
  CompileCase gather(gather_model());
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Loaded loaded = load(gather);
  write<std::int64_t>(loaded.execution->input(0), {99});
  EXPECT_FALSE(loaded.execution->run(std::nullopt).ok());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// The same session driven by hand, without Skua: what it allocates and locks is ONNX Runtime's own.
HotPathCounts raw_counts(const std::string& artifact) {
  const auto library = real_library();
  const OrtApi& api = library->api();
  const auto options =
      ort::make_options(*library, ort::run_plan(cpu_config(), {}), ErrorCode::kInternal).value();
  const auto session =
      ort::create_session(library, options, bytes_of(artifact), ort::OrtContext::kLoad, "raw").value();
  ort::MemoryInfoHandle info(api);
  ort::BindingHandle binding(api);
  ort::ValueHandle x(api), y(api);
  std::vector<float> in(64), out(64);
  const std::int64_t dims[] = {1, 64};
  EXPECT_EQ(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, info.out()), nullptr);
  EXPECT_EQ(api.CreateIoBinding(session->handle.get(), binding.out()), nullptr);
  EXPECT_EQ(api.CreateTensorWithDataAsOrtValue(info.get(), in.data(), 256, dims, 2,
                                               ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, x.out()),
            nullptr);
  EXPECT_EQ(api.CreateTensorWithDataAsOrtValue(info.get(), out.data(), 256, dims, 2,
                                               ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, y.out()),
            nullptr);
  EXPECT_EQ(api.BindInput(binding.get(), "x", x.get()), nullptr);
  EXPECT_EQ(api.BindOutput(binding.get(), "y", y.get()), nullptr);
  const auto run = [&] {
    EXPECT_EQ(api.RunWithBinding(session->handle.get(), nullptr, binding.get()), nullptr);
  };
  for (int i = 0; i < 3; ++i) run();
  OrtStatus* status = nullptr;
  const auto counts =
      count_hot_path([&] { status = api.RunWithBinding(session->handle.get(), nullptr, binding.get()); });
  EXPECT_EQ(status, nullptr);
  return counts;
}

TEST(OrtExecution, RunAddsNoAllocationAndNoLockToOnnxRuntimesOwn) {
  CompileCase add_relu(add_relu_model());
  Loaded loaded = load(add_relu);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  bool is_ok_run = false;
  const HotPathCounts ours = count_hot_path([&] { is_ok_run = loaded.execution->run(std::nullopt).ok(); });
  const HotPathCounts raw = raw_counts(add_relu.artifact());
  EXPECT_TRUE(is_ok_run);
  EXPECT_GT(raw.allocations, 0U) << "the counter sees nothing";
  EXPECT_EQ(ours.allocations, raw.allocations);
  EXPECT_EQ(ours.locks, raw.locks);
  RecordProperty("allocations_of_onnxruntime", static_cast<int>(raw.allocations));
  RecordProperty("locks_of_onnxruntime", static_cast<int>(raw.locks));
}

TEST(LoadEngine, RefusesBytesThatAreNoModel) {
  EngineRecord record;
  record.file = "net.onnx";
  const std::string garbage(1000, '\x7f');
  EXPECT_TRUE(is_error(ort::load_engine(real_library(), cpu_config(), bytes_of(garbage), record),
                       ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "net.onnx"));
}

TEST(LoadEngine, RefusesWeightsOutsideTheFile) {
  const std::string model = OnnxWriter()
                                .input("x", kFloat, {4})
                                .output("y", kFloat, {4})
                                .external_weights("w", kFloat, {4}, "w.bin", 0, 16)
                                .node("Add", {"x", "w"}, {"y"})
                                .model();
  EngineRecord record;
  record.file = "net.onnx";
  EXPECT_TRUE(is_error(ort::load_engine(real_library(), cpu_config(), bytes_of(model), record),
                       ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "outside the file"));
  const auto with_place = [](std::int64_t place) {
    const WireMessage w = onnx_tensor("w", kFloat, {4}, std::string(16, '\0')).integer(14, place);
    const WireMessage constant = onnx_tensor_attribute("value", w);
    return OnnxWriter().output("y", kFloat, {4}).node("Constant", {}, {"y"}, {constant}).model();
  };
  for (const std::int64_t place : {std::int64_t{2}, std::int64_t{0x100000001}}) {
    const std::string text = with_place(place);
    EXPECT_TRUE(is_error(ort::check_self_contained(bytes_of(text), record, "cpu"),
                         ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "outside the file"));
  }
  EXPECT_TRUE(is_ok(ort::check_self_contained(bytes_of(with_place(0)), record, "cpu")));
  const auto sparse = [](std::int64_t place) {
    const WireMessage values = onnx_tensor("w", kFloat, {4}, std::string(16, '\0')).integer(14, place);
    const WireMessage attribute =
        WireMessage().text(1, "sparse_value").message(22, WireMessage().message(1, values));
    return OnnxWriter().output("y", kFloat, {4}).node("Constant", {}, {"y"}, {attribute}).model();
  };
  EXPECT_FALSE(is_ok(ort::check_self_contained(bytes_of(sparse(1)), record, "cpu")));
  EXPECT_TRUE(is_ok(ort::check_self_contained(bytes_of(sparse(0)), record, "cpu")));
}

TEST(LoadEngine, RefusesShapesBeyondTheRecordedCapacity) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord good = add_relu.compile().value();
  const std::string artifact = add_relu.artifact();
  const auto create = [&artifact](const EngineRecord& record) {
    auto engine = ort::load_engine(real_library(), cpu_config(), bytes_of(artifact), record).value();
    return engine->create_execution();
  };
  const auto is_refused = [&create](const EngineRecord& record, const std::string& name) {
    return is_error(create(record), ErrorCode::kEngineDeserialize, Reason::kContractMismatch, name);
  };
  EXPECT_TRUE(is_ok(create(good)));
  for (const Shape& capacity : {Shape{1, 63}, Shape{64}}) {
    EngineRecord bad = good;
    bad.inputs[0].max_shape = capacity;
    EXPECT_TRUE(is_refused(bad, "'x'"));
    bad = good;
    bad.outputs[0].max_shape = capacity;
    EXPECT_TRUE(is_refused(bad, "'y'"));
  }
}

}  // namespace
}  // namespace skua::test
