// The plan's bytes and the order in which damage to them is found.
#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

using nvinfer1::MemoryPoolType;

template <typename T>
T number_at(const std::string& plan, std::size_t offset) {
  T value{};
  std::memcpy(&value, plan.data() + offset, sizeof value);
  return value;
}

std::string changed(std::string plan, std::size_t offset, std::uint64_t value) {
  std::memcpy(plan.data() + offset, &value, sizeof value);
  return plan;
}

TEST_F(SilNvinfer, APlanHasTheMeasuredLayout) {
  const std::string plan = plan_of(test::mlp_model());
  ASSERT_GT(plan.size(), 112U);
  EXPECT_EQ(plan.substr(0, 4), "ftrt");
  EXPECT_EQ(number_at<std::uint32_t>(plan, 4), 0U);
  EXPECT_EQ(number_at<std::uint64_t>(plan, 8), 2U);
  EXPECT_EQ(number_at<std::uint64_t>(plan, 16), plan.size());
  EXPECT_EQ(number_at<std::uint32_t>(plan, 24), 0U) << "a version that no real library has";
  EXPECT_EQ(plan.substr(28, 4), "ftrt");
  EXPECT_EQ(plan.substr(64, 4), "NGNE");
  EXPECT_EQ(number_at<std::uint64_t>(plan, 72), 112U);
  EXPECT_EQ(plan.substr(88, 4), "THGW");
  EXPECT_EQ(number_at<std::uint64_t>(plan, 96) % 8, 0U);
  EXPECT_EQ(plan.substr(plan.size() - 4), "\x99\x8b\x8d\x8b");
  EXPECT_NE(plan.find("Unnamed Network 0"), std::string::npos);
  EXPECT_NE(plan.find("MatMul_h"), std::string::npos) << "layer names are readable";
}

TEST_F(SilNvinfer, PlansAreTheSameToTheByte) {
  const std::string first = plan_of(test::dynamic_rows_model()), second = plan_of(test::mlp_model());
  EXPECT_EQ(second, plan_of(test::mlp_model()));
  EXPECT_NE(first, second);
}

TEST_F(SilNvinfer, ThePlanDependsOnTheNetworksName) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  const std::string first = workshop.build();
  const Owned<nvinfer1::INetworkDefinition> other(workshop.builder->createNetworkV2(0));
  EXPECT_STREQ(other->getName(), "Unnamed Network 1");
  workshop.network->setName("skua");
  EXPECT_NE(workshop.build(), first);
  workshop.builder->reset();
  const Owned<nvinfer1::INetworkDefinition> again(workshop.builder->createNetworkV2(0));
  EXPECT_STREQ(again->getName(), "Unnamed Network 0");
}

TEST_F(SilNvinfer, ThePlanDependsOnTheWorkspaceLimitAndTheVerbosity) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  const std::string first = workshop.build();
  workshop.config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  const std::string detailed = workshop.build();
  EXPECT_NE(detailed, first);
  workshop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 1U << 20U);
  EXPECT_NE(workshop.build(), detailed);
  workshop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 68719476736U);
  workshop.config->setBuilderOptimizationLevel(0);
  workshop.config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  EXPECT_EQ(workshop.build(), first) << "the level is not in the plan";
}

struct Damage {
  const char* name;
  std::string (*change)(std::string);
  const char* text;
};

std::string with_tag(std::string plan, std::size_t offset) {
  plan.replace(offset, 4, "ABCD");
  return plan;
}

std::vector<Damage> damages() {
  return {
      {"nothing_but_a_part_of_the_header", [](std::string plan) { return plan.substr(0, 63); },
       "[runtime.cpp::readHeader::1]: Error Code 2: Internal Error (Assertion bufferSize >= minBufferSize "
       "failed."},
      {"text", [](std::string plan) { return std::string(plan.size(), 'x'); },
       "Error Code 1: Serialization (header.magicTag == kEXPECTED_MAGIC_TAG failed."},
      {"zeros", [](std::string plan) { return std::string(plan.size(), '\0'); },
       "kEXPECTED_MAGIC_TAG failed."},
      {"the_header_alone", [](std::string plan) { return plan.substr(0, 64); }, "cursor < blobSize failed"},
      {"one_byte_short", [](std::string plan) { return plan.substr(0, plan.size() - 1); },
       "plan.header.size == blobSize failed"},
      {"longer", [](std::string plan) { return plan + std::string(100, '\0'); },
       "plan.header.size == blobSize failed"},
      {"another_size_in_the_header", [](std::string plan) { return changed(plan, 16, plan.size() - 8); },
       "plan.header.size == blobSize failed"},
      {"too_many_sections", [](std::string plan) { return changed(plan, 8, 1U << 20U); },
       "cursor < blobSize failed"},
      {"a_section_before_its_place", [](std::string plan) { return changed(plan, 72, 8); },
       "e.offset >= cursor"},
      {"a_section_out_of_step", [](std::string plan) { return changed(plan, 72, 113); },
       "e.offset % rt::kPLAN_ALIGNMENT == 0"},
      {"a_section_too_long", [](std::string plan) { return changed(plan, 104, plan.size()); },
       "cursor < blobSize failed"},
      {"no_engine", [](std::string plan) { return with_tag(std::move(plan), 64); },
       "Error Code 4: API Usage Error (No engine found in plan."},
      {"no_weights", [](std::string plan) { return with_tag(std::move(plan), 88); },
       "Failed due to an old deserialization call on a newer plan file."},
      {"last_byte",
       [](std::string plan) {
         plan.back() = '\0';
         return plan;
       },
       "== rt::kEND_OF_PLAN_MARKER failed"},
      {"another_release",
       [](std::string plan) {
         plan[24] = 10;
         return plan;
       },
       "Error Code 6: API Usage Error (The engine plan file is not compatible with this version of TensorRT"},
  };
}

class SilDamagedPlan : public SilNvinfer, public testing::WithParamInterface<Damage> {};

TEST_P(SilDamagedPlan, IsRefusedInTheMeasuredOrder) {
  const std::string plan = plan_of(test::mlp_model());
  listener.clear();
  EXPECT_EQ(load(GetParam().change(plan)), nullptr);
  EXPECT_NE(listener.errors().find(GetParam().text), std::string::npos) << listener.errors();
}

INSTANTIATE_TEST_SUITE_P(Rows, SilDamagedPlan, testing::ValuesIn(damages()),
                         [](const auto& row) { return row.param.name; });

TEST_F(SilNvinfer, NullAndEmptyPlansAreRefusedFirst) {
  runtime.reset(nvinfer1::createInferRuntime(listener));
  EXPECT_EQ(runtime->deserializeCudaEngine(nullptr, 100), nullptr);
  EXPECT_NE(listener.errors().find("condition: (blob) != nullptr"), std::string::npos);
  EXPECT_EQ(runtime->deserializeCudaEngine("x", 0), nullptr);
  EXPECT_NE(listener.errors().find("Cannot deserialize with an empty memory buffer."), std::string::npos);
}

TEST_F(SilNvinfer, ADamagedBodyIsNotNoticed) {
  const std::string plan = plan_of(test::mlp_model());
  for (const std::size_t offset : {4U, 28U, 40U, 60U}) {
    std::string damaged = plan;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 0x10);
    EXPECT_NE(load(damaged), nullptr) << offset << ' ' << listener.errors();
  }
  std::string weights = plan;
  const float eighth = 0.125F;
  const auto at =
      plan.find(std::string(reinterpret_cast<const char*>(&eighth), 4), number_at<std::uint64_t>(plan, 96));
  ASSERT_NE(at, std::string::npos);
  weights[at + 3] = static_cast<char>(weights[at + 3] ^ 0x01);
  EXPECT_NE(load(weights), nullptr) << "only a digest finds this";
}

TEST_F(SilNvinfer, APlanOfAnotherDeviceIsWarnedOf) {
  std::string plan = plan_of(test::mlp_model());
  EXPECT_NE(load(plan), nullptr);
  EXPECT_EQ(listener.warnings(), "");
  plan.replace(plan.find("sil sm0"), 7, "sil sm9");
  EXPECT_NE(load(plan), nullptr);
  EXPECT_NE(listener.warnings().find("Using an engine plan file across different models of devices"),
            std::string::npos);
}

TEST_F(SilNvinfer, CorruptedPlansAreMadeOnCommand) {
  const std::string good = plan_of(test::mlp_model());
  sil::corrupt_plans();
  const std::string bad = plan_of(test::mlp_model());
  ASSERT_EQ(good.size(), bad.size());
  EXPECT_NE(good, bad);
}

class Source final : public nvinfer1::IStreamReader {
 public:
  explicit Source(std::string bytes) : bytes_(std::move(bytes)) {}
  std::int64_t read(void* into, std::int64_t wanted) override {
    ++reads;
    const std::size_t count = std::min(bytes_.size() - at_, static_cast<std::size_t>(wanted));
    std::memcpy(into, bytes_.data() + at_, count);
    at_ += count;
    return static_cast<std::int64_t>(count);
  }
  int reads = 0;

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

TEST_F(SilNvinfer, APlanMayComeFromAReader) {
  Source whole(plan_of(test::mlp_model()));
  runtime.reset(nvinfer1::createInferRuntime(listener));
  EXPECT_NE(Owned<nvinfer1::ICudaEngine>(runtime->deserializeCudaEngine(whole)), nullptr)
      << listener.errors();
  Source empty("");
  EXPECT_EQ(runtime->deserializeCudaEngine(empty), nullptr);
}

TEST_F(SilNvinfer, WithoutADriverAReaderIsNeverRead) {
  Source whole(plan_of(test::mlp_model()));
  runtime.reset(nvinfer1::createInferRuntime(listener));
  sil::remove_driver();
  EXPECT_EQ(runtime->deserializeCudaEngine(whole), nullptr);
  EXPECT_EQ(whole.reads, 0);
  EXPECT_NE(listener.errors().find("cudaError 35"), std::string::npos) << listener.errors();
}

}  // namespace
}  // namespace skua::sil_test
