// The calibrator between a data set and TensorRT: everything that TensorRT takes in silence ends the build.
#include "calibration_fixture.h"
#include "runtimes/tensorrt/compile_builder.h"

namespace skua::test {
namespace {

using calibration::Algorithm;
using tensorrt::Calibrator;
using testing::ElementsAre;
using testing::HasSubstr;

class CalibratorTest : public testing::Test {
 protected:
  void SetUp() override { sil::reset(); }
  void TearDown() override { sil::reset(); }

  tensorrt::CalibratorSetup setup(calibration::CalibrationSamples* samples) {
    tensorrt::CalibratorSetup made;
    made.inputs = {{"x", DType::kFloat32, Shape{2, 4}}};
    made.activations = tensorrt::activation_tensors(*parsed_->network.network);
    made.samples = samples;
    made.progress = &progress_;
    return made;
  }
  tensorrt::CalibratorSetup with_cache(const std::string& text) {
    tensorrt::CalibratorSetup made = setup(nullptr);
    made.cache = text;
    return made;
  }
  Result<std::unique_ptr<Calibrator>> make(tensorrt::CalibratorSetup made) {
    return Calibrator::make(std::make_shared<tensorrt::DeviceState>(null_event_sink()), std::move(made));
  }
  /// Whether TensorRT gives a plan; what that is worth the calibrator says.
  bool build(Calibrator& calibrator) {
    tensorrt::BuildOptions options = options_;
    options.precision = Precision::kInt8;
    options.sdk_major = NV_TENSORRT_MAJOR;
    const auto config = tensorrt::make_config(*parsed_->network.builder, *parsed_->network.network, options,
                                              parsed_->recorder)
                            .value();
    attached_ = calibrator.attach(*parsed_->network.builder, *config, options.profiles, parsed_->recorder);
    const std::unique_ptr<nvinfer1::IHostMemory> plan(
        parsed_->network.builder->buildSerializedNetwork(*parsed_->network.network, *config));
    return plan != nullptr;
  }

  std::unique_ptr<Parsed> parsed_ = parse(dynamic_relu_model());
  tensorrt::BuildOptions options_ = [] {
    BuildConfig build;
    build.optimization_profiles = rows_profile();
    return tensorrt::build_options(build, "net", NV_TENSORRT_MAJOR, std::nullopt).value();
  }();
  SilentProgress progress_;
  Status attached_;
};

TEST_F(CalibratorTest, EveryTensorHasTheScaleOfItsSamples) {
  for (const auto& [algorithm, name] : {std::pair(Algorithm::kEntropy2, "EntropyCalibration2"),
                                        std::pair(Algorithm::kMinMax, "MinMaxCalibration")}) {
    const auto samples = both_samples();
    auto asked = setup(samples.get());
    asked.algorithm = algorithm;
    const auto calibrator = make(std::move(asked)).value();
    ASSERT_TRUE(build(*calibrator)) << parsed_->recorder.text();
    EXPECT_TRUE(is_ok(attached_));
    EXPECT_EQ(calibrator->finish().value(), rows_cache(name));
  }
  EXPECT_THAT(progress_.steps, ElementsAre("calibrating: sample 1 of 2", "calibrating: sample 2 of 2",
                                           "calibrating: sample 1 of 2", "calibrating: sample 2 of 2"));
}

TEST_F(CalibratorTest, MemoryIsTakenOnce) {
  ListedSamples samples(std::vector<Rows>(20, first_rows()));
  const auto calibrator = make(setup(&samples)).value();
  const int taken = sil::calls("cudaMalloc");
  EXPECT_EQ(taken, 1);
  ASSERT_TRUE(build(*calibrator));
  EXPECT_EQ(sil::calls("cudaMalloc"), taken);
  EXPECT_TRUE(is_ok(calibrator->finish()));
}

TEST_F(CalibratorTest, ACacheIsHandedOverAndNoSampleIsRead) {
  const auto samples = both_samples();
  auto asked = setup(samples.get());
  asked.cache = rows_cache();
  const auto calibrator = make(std::move(asked)).value();
  ASSERT_TRUE(build(*calibrator));
  EXPECT_EQ(calibrator->finish().value(), rows_cache());
  EXPECT_EQ(samples->given, 0U);
}

// --- what TensorRT would build all the same ---

TEST_F(CalibratorTest, ASampleThatDoesNotFitEndsTheBuild) {
  const Rows rows = second_rows();
  std::vector<TensorMap> wrong;
  wrong.push_back(rows_sample({1, 2, 3, 4}));  // another size
  wrong.push_back(one_tensor<float>("z", DType::kFloat32, Shape{2, 4}, rows));
  wrong.push_back(one_tensor<std::int32_t>("x", DType::kInt32, Shape{2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}));
  wrong.push_back(rows_sample(rows));
  ASSERT_TRUE(is_ok(wrong.back().insert("extra", Tensor::allocate(DType::kFloat32, Shape{1}).value())));
  const std::string said[] = {"expected 'x' as float32 2x4, found float32 1x4", "found no such array",
                              "found int32 2x4", "found 2"};
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    const auto samples = both_samples();
    samples->list[1] = std::move(wrong[i]);
    const auto calibrator = make(setup(samples.get())).value();
    EXPECT_TRUE(build(*calibrator)) << said[i];  // of the first sample alone
    EXPECT_TRUE(is_build_error(calibrator->finish(), Reason::kDataSetMalformed, said[i]));
    ASSERT_FALSE(calibrator->status().ok());
    EXPECT_THAT(calibrator->status().error().message, HasSubstr("calibration sample 2"));
  }
}

TEST_F(CalibratorTest, AnUnreadableSampleEndsTheBuildInItsOwnWords) {
  const auto samples = both_samples();
  samples->fails_at = 1;
  const auto calibrator = make(setup(samples.get())).value();
  EXPECT_TRUE(build(*calibrator));
  EXPECT_TRUE(is_build_error(calibrator->finish(), Reason::kDataSetChanged, "0007.npz has changed"));
}

TEST_F(CalibratorTest, AnErrorStaysTheFirstOne) {
  const auto samples = both_samples();
  samples->fails_at = 0;
  const auto calibrator = make(setup(samples.get())).value();
  void* binding = nullptr;
  const char* const name = "x";
  EXPECT_FALSE(calibrator->get_batch(&binding, &name, 1));
  samples->fails_at.reset();
  EXPECT_FALSE(calibrator->get_batch(&binding, &name, 1));  // it would work now
  EXPECT_EQ(samples->given, 0U);
  EXPECT_TRUE(is_build_error(calibrator->status(), Reason::kDataSetChanged));
}

TEST_F(CalibratorTest, ABuilderThatEndsEarlyIsNoticed) {
  sil::end_calibration_after(1);
  const auto samples = both_samples();
  const auto calibrator = make(setup(samples.get())).value();
  EXPECT_TRUE(build(*calibrator));
  EXPECT_TRUE(is_ok(calibrator->status()));
  EXPECT_TRUE(is_build_error(calibrator->finish(), Reason::kCalibrationIncomplete, "all 2 samples"));
}

TEST_F(CalibratorTest, ABuilderThatDoesNotTakeTheCacheIsNoticed) {
  const auto unread = make(with_cache(rows_cache())).value();
  EXPECT_TRUE(is_build_error(unread->finish(), Reason::kCalibrationIncomplete, "from the cache"));
  const auto passed_over = make(with_cache(rows_cache())).value();
  std::size_t length = 0;
  EXPECT_NE(passed_over->read_cache(length), nullptr);
  EXPECT_EQ(length, rows_cache().size());
  void* binding = nullptr;
  const char* const name = "x";
  EXPECT_FALSE(passed_over->get_batch(&binding, &name, 1));
  EXPECT_TRUE(is_build_error(passed_over->finish(), Reason::kCalibrationIncomplete, "from the cache"));
}

TEST_F(CalibratorTest, WhatTensorrtWritesIsReadAsStrictly) {
  const auto samples = both_samples();
  samples->list[0] = rows_sample(Rows(8, 0));
  samples->list[1] = rows_sample(Rows(8, 0));
  const auto calibrator = make(setup(samples.get())).value();
  EXPECT_TRUE(build(*calibrator));  // of ranges that are nothing
  EXPECT_TRUE(is_error(calibrator->finish(), ErrorCode::kCalibrationCache, Reason::kMalformed));
  const std::string whole = rows_cache(), cut = cache_header() + scale_line("x", 2) + scale_line("y", 12);
  calibrator->write_cache(whole.data(), whole.size());
  EXPECT_TRUE(is_ok(calibrator->finish()));
  calibrator->write_cache(cut.data(), cut.size());
  EXPECT_TRUE(is_error(calibrator->finish(), ErrorCode::kCalibrationCache, Reason::kCalibrationIncomplete,
                       "found none for 1 ('h')"));
  calibrator->write_cache(nullptr, 0);
  EXPECT_TRUE(is_error(calibrator->finish(), ErrorCode::kCalibrationCache, Reason::kMalformed));
}

TEST_F(CalibratorTest, AStopIsHeededAtTheNextSample) {
  const auto samples = both_samples();
  auto asked = setup(samples.get());
  asked.check_stop = [&samples]() -> Status {
    if (samples->given == 0) return {};
    return make_error(ErrorCode::kEngineBuild, Reason::kCancelled, "stopped");
  };
  const auto calibrator = make(std::move(asked)).value();
  EXPECT_TRUE(build(*calibrator));
  EXPECT_EQ(samples->given, 1U);
  EXPECT_TRUE(is_build_error(calibrator->finish(), Reason::kCancelled));
}

// --- what never comes to a builder ---

TEST_F(CalibratorTest, ACacheThatDoesNotFitIsRefused) {
  const auto refused = [this](const std::string& text, Reason reason, const std::string& part) {
    return is_error(make(with_cache(text)), ErrorCode::kCalibrationCache, reason, part);
  };
  EXPECT_TRUE(refused(cache_header() + scale_line("x", 2) + scale_line("y", 12),
                      Reason::kCalibrationIncomplete, "3 activation tensors, found none for 1 ('h')"));
  EXPECT_TRUE(refused(rows_cache("MinMaxCalibration"), Reason::kMalformed, "found MinMaxCalibration"));
  EXPECT_TRUE(refused("TRT-8501-EntropyCalibration2\n" + rows_cache().substr(cache_header().size()),
                      Reason::kMalformed, "of 8501"));
  EXPECT_TRUE(refused("", Reason::kMalformed, ""));
  EXPECT_TRUE(refused(rows_cache() + "x", Reason::kMalformed, ""));
  EXPECT_EQ(sil::calls("cudaMalloc"), 0);
}

TEST_F(CalibratorTest, WithoutASampleThereIsNone) {
  ListedSamples none({});
  EXPECT_TRUE(is_build_error(make(setup(&none)), Reason::kDataSetMalformed, "at least one sample"));
}

TEST_F(CalibratorTest, WhatTheDeviceRefusesIsTold) {
  const auto samples = both_samples();
  sil::limit_device_memory(1);
  EXPECT_TRUE(is_error(make(setup(samples.get())), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  sil::reset();
  const auto calibrator = make(setup(samples.get())).value();
  sil::fail_call("cudaMemcpy", 2, 1);
  EXPECT_TRUE(build(*calibrator));
  ASSERT_FALSE(calibrator->status().ok());
  EXPECT_FALSE(calibrator->finish().ok());
  EXPECT_THAT(calibrator->status().error().message, HasSubstr("calibration sample 2"));
}

TEST_F(CalibratorTest, ABatchThatFailsGivesNoPlan) {
  const auto samples = both_samples();
  const auto calibrator = make(setup(samples.get())).value();
  sil::fail_call("IInt8Calibrator::getBatch", 2, 1);
  EXPECT_FALSE(build(*calibrator));
}

TEST_F(CalibratorTest, ABuilderThatDoesNotTakeItIsNoticed) {
  for (const char* function :
       {"IBuilderConfig::setInt8Calibrator", "IBuilderConfig::setCalibrationProfile"}) {
    sil::reset();
    const auto samples = both_samples();
    const auto calibrator = make(setup(samples.get())).value();
    sil::fail_call(function, 1, 3);
    build(*calibrator);
    EXPECT_TRUE(is_build_error(attached_, Reason::kInternal, "not taken the calibrator")) << function;
  }
}

TEST(ActivationTensors, ArePassedOnFromTheInputs) {
  const auto parsed = parse(OnnxWriter()
                                .input("x", kFloat, {2, 4})
                                .input("mask", kBoolean, {2, 4})
                                .output("y", kFloat, {2, 4})
                                .weights("w", kFloat, {4}, raw<float>({1, 2, 3, 4}))
                                .node("Abs", {"w"}, {"constant"})
                                .node("Where", {"mask", "x", "constant"}, {"chosen"})
                                .node("Shape", {"x"}, {"sizes"})
                                .node("Cast", {"sizes"}, {"size"}, {onnx_integer_attribute("to", kFloat)})
                                .node("ReduceSum", {"size"}, {"sum"}, {onnx_integer_attribute("keepdims", 0)})
                                .node("Mul", {"chosen", "sum"}, {"y"})
                                .model());
  EXPECT_THAT(tensorrt::activation_tensors(*parsed->network.network), ElementsAre("x", "chosen", "y"));
}

}  // namespace
}  // namespace skua::test
