#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "core/known_runtimes.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RuntimeEnvironment environment_for(std::string label) {
  RuntimeEnvironment environment;
  environment.config.runtime = std::move(label);
  environment.config.execution_provider = "cpu";
  environment.role = Role::kGround;
  return environment;
}

TEST(Registry, ListsEveryRuntimeWithItsFlagBuiltOrNot) {
  std::vector<std::string> labels, flags;
  for (const RuntimeEntry& entry : runtime_registry()) {
    labels.emplace_back(entry.label);
    flags.emplace_back(entry.build_flag);
    EXPECT_EQ(entry.is_built, entry.reason.empty()) << entry.label;
  }
  EXPECT_THAT(labels, ElementsAre("tensorrt", "pytorch_fp16", "onnx_trt_ep"));
  EXPECT_THAT(flags, ElementsAre("BUILD_TENSORRT_RUNTIME", "BUILD_PYTORCH_FP16_RUNTIME",
                                 "BUILD_ONNX_TRT_EP_RUNTIME"));
}

/// One line in CMakeLists.txt and one in registry.cpp: neither without the other.
TEST(Registry, ListsWhatTheBuildKnows) {
  std::vector<std::string_view> labels, known;
  for (const RuntimeEntry& entry : runtime_registry()) labels.push_back(entry.label);
  for (const KnownRuntime& runtime : known_runtimes()) known.push_back(runtime.label);
  EXPECT_EQ(labels, known);
}

TEST(Registry, EachLabelIsFoundOrRefusedByItsFlag) {
  for (const RuntimeEntry& entry : runtime_registry()) {
    const auto found = find_built_runtime(entry.label);
    ASSERT_EQ(found.ok(), entry.is_built) << entry.label;
    if (found.ok()) {
      EXPECT_EQ((*found)->label, entry.label);
      continue;
    }
    EXPECT_EQ(found.error().code, ErrorCode::kRuntimeNotAvailable);
    EXPECT_EQ(found.error().reason, Reason::kRuntimeNotBuilt);
    EXPECT_THAT(found.error().message, HasSubstr(std::string(entry.build_flag)));
  }
}

TEST(Registry, UnknownLabelListsAllLabels) {
  for (const char* label : {"", "onnx", "ONNX_TRT_EP", "onnx_trt_ep ", "../onnx_trt_ep"}) {
    const auto found = find_built_runtime(label);
    ASSERT_FALSE(found.ok()) << label;
    EXPECT_EQ(found.error().reason, Reason::kRuntimeUnknown);
    EXPECT_THAT(found.error().message, HasSubstr("tensorrt, pytorch_fp16, onnx_trt_ep"));
  }
}

TEST(Factory, RefusesWhatIsNotBuiltBeforeItLooksAtTheConfiguration) {
  for (const RuntimeEntry& entry : runtime_registry()) {
    if (entry.is_built) continue;
    RuntimeEnvironment environment = environment_for(std::string(entry.label));
    environment.config.intra_op_threads = -1;  // would be InvalidArgumentError
    const auto runtime = build_inference_runtime(std::move(environment));
    ASSERT_FALSE(runtime.ok());
    EXPECT_EQ(runtime.error().reason, Reason::kRuntimeNotBuilt);
  }
  EXPECT_EQ(build_inference_runtime(environment_for("nonsense")).error().reason, Reason::kRuntimeUnknown);
}

TEST(Factory, ConfigurationOfABuiltRuntimeIsValidated) {
  for (const RuntimeEntry& entry : runtime_registry()) {
    if (!entry.is_built) continue;
    RuntimeEnvironment environment = environment_for(std::string(entry.label));
    environment.config.intra_op_threads = -1;
    const auto runtime = build_inference_runtime(std::move(environment));
    ASSERT_FALSE(runtime.ok());
    EXPECT_EQ(runtime.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(runtime.error().message, HasSubstr("intra_op_threads"));
  }
}

}  // namespace
}  // namespace skua
