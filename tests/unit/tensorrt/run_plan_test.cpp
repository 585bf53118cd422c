// Between verified bytes and an engine: what TensorRT refuses, what it takes in silence, and what is held
// against the record.
#include <NvInfer.h>

#include "run_fixture.h"
#include "runtimes/tensorrt/plan_file.h"

namespace skua::test::run_plan_tests {
namespace {

using ::testing::HasSubstr;

class TensorrtPlan : public TensorrtRun {
 protected:
  Result<std::shared_ptr<trt::PlanEngine>> open(const std::string& plan,
                                                trt::TrtContext context = trt::TrtContext::kLoad) {
    return trt::PlanEngine::open(bytes_of(plan), device_, context, "net.engine");
  }
};

TEST_F(TensorrtPlan, FactsAreReadBack) {
  const auto opened = open(build_plan(dynamic_rows())).value();
  const trt::PlanFacts& facts = opened->facts();
  ASSERT_EQ(facts.inputs.size(), 1U);
  EXPECT_EQ(facts.inputs[0].name, "x");
  EXPECT_EQ(facts.inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(facts.inputs[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(facts.inputs[0].min, (Shape{1, 4}));
  EXPECT_EQ(facts.inputs[0].opt, (Shape{2, 4}));
  EXPECT_EQ(facts.inputs[0].max, (Shape{5, 4}));
  EXPECT_FALSE(facts.inputs[0].is_host);
  ASSERT_EQ(facts.outputs.size(), 1U);
  EXPECT_EQ(facts.outputs[0].shape, (Shape{-1, 3}));
  EXPECT_EQ(facts.profiles, 1);
  EXPECT_EQ(facts.name, "net");
}

TEST_F(TensorrtPlan, DamagedBytesAreARefusalWithTheLibrarysOwnWords) {
  const std::string plan = build_plan(add_relu());
  std::string other_tag = plan, longer = plan + "x", no_end = plan;
  other_tag[0] = 'x';
  no_end.back() = static_cast<char>(no_end.back() ^ 1);
  for (const std::string& damaged : {std::string(), std::string("text"), plan.substr(0, 64),
                                     plan.substr(0, plan.size() - 1), other_tag, longer, no_end}) {
    const auto refused = open(damaged);
    EXPECT_TRUE(is_error(refused, ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "net.engine"))
        << damaged.size();
    EXPECT_EQ(open(damaged, trt::TrtContext::kCompile).error().code, ErrorCode::kEngineBuild)
        << damaged.size();
    EXPECT_FALSE(device_->is_lost());
  }
  EXPECT_THAT(open(other_tag).error().message, HasSubstr("Serialization"));
  EXPECT_TRUE(is_ok(open(plan)));
}

TEST_F(TensorrtPlan, NothingIsLeftOfARefusedOrAReleasedPlan) {
  const std::string plan = build_plan(add_relu());
  const auto before = sil::live_objects();
  EXPECT_FALSE(open(plan.substr(0, plan.size() - 1)).ok());
  EXPECT_EQ(sil::live_objects(), before);
  { const auto opened = open(plan).value(); }
  EXPECT_EQ(sil::live_objects(), before);
  EXPECT_EQ(device_->held_bytes(), 0U);
}

TEST_F(TensorrtPlan, NoMemoryIsOutOfMemory) {
  const std::string plan = build_plan(add_relu());
  sil::limit_device_memory(0);
  const auto opened = open(plan);
  if (!opened.ok()) {
    EXPECT_TRUE(is_error(opened, ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
    return;
  }
  trt::TrtExecution execution(*opened, settings());
  EXPECT_TRUE(is_error(execution.place(record_of((*opened)->facts(), add_relu())), ErrorCode::kOutOfMemory,
                       Reason::kOutOfMemory));
}

TEST_F(TensorrtPlan, APlanThatIsNotAsRecordedIsRefused) {
  const auto opened = open(build_plan(dynamic_rows())).value();
  const EngineRecord record = record_of(opened->facts(), dynamic_rows());
  EXPECT_TRUE(is_ok(trt::check_plan(opened->facts(), record)));

  for (const int difference : {1, -1}) {
    EngineRecord other_memory = record;
    other_memory.device_memory_bytes = 1000;
    trt::PlanFacts found = opened->facts();
    found.device_memory_bytes = static_cast<std::uint64_t>(1000 + difference);
    EXPECT_TRUE(is_error(trt::check_plan(found, other_memory), ErrorCode::kEngineDeserialize,
                         Reason::kContractMismatch, "device memory"));
  }
  EngineRecord other_max = record;
  other_max.profiles[0].max = Shape{6, 4};
  EXPECT_TRUE(is_error(trt::check_plan(opened->facts(), other_max), ErrorCode::kEngineDeserialize,
                       Reason::kContractMismatch, "1x4:2x4:6x4"));
  EngineRecord other_input = record;
  other_input.profiles[0].input_name = "z";
  EXPECT_TRUE(is_error(trt::check_plan(opened->facts(), other_input), ErrorCode::kEngineDeserialize,
                       Reason::kContractMismatch, "'z'"));
}

/// A plan built with one flag that ours never have.
std::string flagged_plan(const std::function<void(nvinfer1::IBuilderConfig&)>& flag) {
  trt::ProcessLogger& logger = trt::process_logger();
  const std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
  const std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, logger));
  const std::string model = add_relu_model();
  EXPECT_TRUE(parser->parse(model.data(), model.size()));
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  flag(*config);
  const std::unique_ptr<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  return plan == nullptr ? "" : std::string(static_cast<const char*>(plan->data()), plan->size());
}

TEST_F(TensorrtPlan, FlagsThatOursNeverHaveAreRefused) {
  const std::string refittable =
      flagged_plan([](nvinfer1::IBuilderConfig& config) { config.setFlag(nvinfer1::BuilderFlag::kREFIT); });
  ASSERT_FALSE(refittable.empty());
  EXPECT_TRUE(
      is_error(open(refittable), ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "refittable"));
  const std::string portable = flagged_plan([](nvinfer1::IBuilderConfig& config) {
    config.setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
  });
  ASSERT_FALSE(portable.empty());
  EXPECT_TRUE(is_error(open(portable), ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "several"));
}

TEST_F(TensorrtPlan, AnEngineForAnotherRuntimeOrOfAnotherLayoutIsRefused) {
  const std::string plan = build_plan(add_relu());
  sil::make_engines_odd(sil::Oddity::capability);
  EXPECT_TRUE(is_error(open(plan), ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "capability"));
  sil::make_engines_odd(sil::Oddity::format);
  EXPECT_TRUE(is_error(open(plan), ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                       "'x': expected linear memory, found vectors"));
}

TEST_F(TensorrtPlan, OneMadeOnAnotherModelOfDeviceIsRefused) {
  std::string plan = build_plan(add_relu());
  const auto at = plan.find("sil sm0");
  ASSERT_NE(at, std::string::npos);
  plan.replace(at, 7, "sil sm9");
  EXPECT_TRUE(
      is_error(open(plan), ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch, "another model"));
}

TEST(TensorrtPlanFile, HeaderIsReadWithoutADevice) {
  std::string plan(40, '\0');
  plan.replace(0, 4, "ftrt");
  plan[24] = 10;
  plan[25] = 3;
  plan[27] = 30;
  const auto header = trt::read_plan_header(bytes_of(plan), "p");
  ASSERT_TRUE(is_ok(header));
  EXPECT_EQ(header->tag, trt::kPlanTag);
  EXPECT_EQ(header->version_text(), "10.3.0.30");
  plan.replace(0, 4, "vtrt");
  EXPECT_EQ(trt::read_plan_header(bytes_of(plan), "p").value().tag, trt::kRtxPlanTag);
  const auto is_refused = [](const std::string& bytes, const std::string& part) {
    return is_error(trt::read_plan_header(bytes_of(bytes), "p"), ErrorCode::kEngineDeserialize,
                    Reason::kPlanHeaderMismatch, part);
  };
  EXPECT_TRUE(is_refused(plan.substr(0, 27), "27"));
  plan[5] = 1;
  EXPECT_TRUE(is_refused(plan, "layout"));
  plan[0] = 'x';
  EXPECT_TRUE(is_refused(plan, "something else"));
}

TEST(TensorrtLibrary, AnotherVersionIsRefused) {
  EXPECT_TRUE(is_ok(trt::check_version(100300, 100300)));
  for (const std::int32_t other : {100301, 100400, 110100, 100200, 0}) {
    EXPECT_TRUE(is_error(trt::check_version(other, 100300), ErrorCode::kRuntimeNotAvailable,
                         Reason::kSdkForeign, trt::version_text(other)));
  }
  const auto facts = trt::library_facts();
  ASSERT_TRUE(is_ok(facts));
  EXPECT_EQ(facts->version, "10.3.0 sil");
  EXPECT_THAT(facts->path, HasSubstr("libskua_sil_nvinfer.so"));
}

TEST(TensorrtRecord, OptionsMustBeThisHosts) {
  EngineRecord record;
  record.runtime_label = trt::kRuntimeLabel;
  record.options = trt::record_options("10.3.0");
  EXPECT_TRUE(is_ok(trt::check_recorded(record, "10.3.0")));
  EXPECT_TRUE(is_error(trt::check_recorded(record, "10.4.0"), ErrorCode::kEngineDeserialize,
                       Reason::kRuntimeMismatch, "10.4.0"));
  for (const char* option : {"device", "provider", "sdk_version"}) {
    EngineRecord other = record;
    other.options[option] = "other";
    EXPECT_TRUE(is_error(trt::check_recorded(other, "10.3.0"), ErrorCode::kEngineDeserialize,
                         Reason::kRuntimeMismatch, "other"))
        << option;
  }
  record.runtime_label = "onnx_trt_ep";
  EXPECT_FALSE(trt::check_recorded(record, "10.3.0").ok());
}

}  // namespace
}  // namespace skua::test::run_plan_tests
