#include "core/known_runtimes.h"

#include <gmock/gmock.h>

#include "skua/runtime_config.h"

namespace skua::known_runtimes_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(KnownRuntimes, EachIsFoundByItsLabelAndAllowedInAConfiguration) {
  for (const KnownRuntime& runtime : known_runtimes()) {
    EXPECT_EQ(find_known_runtime(runtime.label), &runtime);
    RuntimeConfig config;
    EXPECT_TRUE(set_field(config, "runtime", runtime.label).ok()) << runtime.label;
  }
  for (const char* label : {"", "another", "TENSORRT", "tensorrt "}) {
    RuntimeConfig config;
    EXPECT_EQ(find_known_runtime(label), nullptr) << label;
    EXPECT_FALSE(set_field(config, "runtime", label).ok()) << label;
  }
}

TEST(KnownRuntimes, OptionsAreThoseThatChangeAnEngineAndAreFieldsOfTheConfiguration) {
  EXPECT_THAT(engine_options_of("pytorch_fp16"), ElementsAre("device", "arithmetic"));
  EXPECT_THAT(engine_options_of("onnx_trt_ep"), ElementsAre("execution_provider"));
  EXPECT_THAT(engine_options_of("tensorrt"), IsEmpty());
  EXPECT_THAT(engine_options_of("another"), IsEmpty());
  const auto fields = fields_of(RuntimeConfig());
  for (const KnownRuntime& runtime : known_runtimes()) {
    for (const std::string_view option : engine_options_of(runtime.label)) {
      const auto is_it = [&](const auto& field) { return field.first == option; };
      EXPECT_TRUE(std::any_of(fields.begin(), fields.end(), is_it)) << option;
    }
  }
}

TEST(KnownRuntimes, AnExtensionIsOneRuntimesAndNothingElseIsOne) {
  for (const char* extension : {"engine", "onnx", "pt"}) EXPECT_TRUE(is_engine_extension(extension));
  for (const char* extension : {"", "exe", "json", "sha256", "golden", "ONNX", "engine,pt"})
    EXPECT_FALSE(is_engine_extension(extension)) << extension;
}

}  // namespace
}  // namespace skua::known_runtimes_test
