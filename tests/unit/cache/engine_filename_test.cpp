#include "skua/engine_filename.h"

#include <gtest/gtest.h>

#include <random>

#include "cache_fixture.h"
#include "skua/build_config.h"

namespace skua::test {
namespace {

TEST(EngineFilename, ParsesTheStacksOwnExample) {
  const auto name = EngineFilenameSchema::parse("ultravpr__sm87_jp6.2_trt10.3_fp16.engine");
  ASSERT_TRUE(accepted(name));
  const EngineFilenameSchema expected{"ultravpr", 87, "6.2", "10.3", Precision::kFp16, "engine"};
  EXPECT_EQ(*name, expected);
  EXPECT_EQ(name->build().value(), "ultravpr__sm87_jp6.2_trt10.3_fp16.engine");
}

TEST(EngineFilename, KnowsHostsWithoutGpuAndTheOtherExtensions) {
  for (const std::string file :
       {"a__sm0_jp0_trt0_fp32.onnx", "a_b_1__sm0_jp0_trt0_int8.pt", "a___sm0_jp0_trt0_mixed.engine"}) {
    const auto name = EngineFilenameSchema::parse(file);
    ASSERT_TRUE(accepted(name)) << file;
    EXPECT_EQ(name->build().value(), file);
  }
}

std::string random_model(std::mt19937& random) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  std::string model;
  const std::size_t length = 1 + random() % 64;
  while (model.size() < length) {
    const char next = kLetters[random() % kLetters.size()];
    if (next == '_' && !model.empty() && model.back() == '_') continue;
    model += next;
  }
  return model;
}

std::string random_version(std::mt19937& random) {
  std::string version = std::to_string(random() % 100000);
  for (unsigned more = random() % 4; more > 0; --more) version += "." + std::to_string(random() % 100000);
  return version;
}

TEST(EngineFilename, ParseOfBuildIsTheIdentity) {
  std::mt19937 random(20260101);
  constexpr std::array kPrecisions = {Precision::kFp16, Precision::kInt8, Precision::kMixed,
                                      Precision::kFp32};
  constexpr std::array kExtensions = {"engine", "onnx", "pt"};
  for (int i = 0; i < 20000; ++i) {
    const std::string model = random_model(random);
    ASSERT_TRUE(is_legal_model_name(model)) << model;
    const EngineFilenameSchema name{model,
                                    static_cast<int>(random() % 10000),
                                    random_version(random),
                                    random_version(random),
                                    kPrecisions[random() % 4],
                                    kExtensions[random() % 3]};
    const auto built = name.build();
    ASSERT_TRUE(accepted(built));
    const auto parsed = EngineFilenameSchema::parse(*built);
    ASSERT_TRUE(accepted(parsed)) << *built;
    ASSERT_EQ(*parsed, name) << *built;
  }
}

TEST(EngineFilename, RefusesMalformedNames) {
  const std::string good = "net__sm87_jp6.2_trt10.3_fp16.engine";
  ASSERT_TRUE(accepted(EngineFilenameSchema::parse(good)));
  const std::vector<std::string> bad = {"",
                                        ".",
                                        ".engine",
                                        "net",
                                        "net.engine",
                                        "__sm87_jp6.2_trt10.3_fp16.engine",
                                        "Net__sm87_jp6.2_trt10.3_fp16.engine",
                                        "n-t__sm87_jp6.2_trt10.3_fp16.engine",
                                        "n t__sm87_jp6.2_trt10.3_fp16.engine",
                                        "a__b__sm87_jp6.2_trt10.3_fp16.engine",
                                        "a____sm87_jp6.2_trt10.3_fp16.engine",
                                        "../net__sm87_jp6.2_trt10.3_fp16.engine",
                                        "/net__sm87_jp6.2_trt10.3_fp16.engine",
                                        std::string(65, 'a') + "__sm87_jp6.2_trt10.3_fp16.engine",
                                        "net_sm87_jp6.2_trt10.3_fp16.engine",
                                        "net__87_jp6.2_trt10.3_fp16.engine",
                                        "net__sm_jp6.2_trt10.3_fp16.engine",
                                        "net__sm-1_jp6.2_trt10.3_fp16.engine",
                                        "net__sm+7_jp6.2_trt10.3_fp16.engine",
                                        "net__sm087_jp6.2_trt10.3_fp16.engine",
                                        "net__sm8.7_jp6.2_trt10.3_fp16.engine",
                                        "net__sm10000_jp6.2_trt10.3_fp16.engine",
                                        "net__sm99999999999_jp6.2_trt10.3_fp16.engine",
                                        "net__smx_jp6.2_trt10.3_fp16.engine",
                                        "net__sm87_6.2_trt10.3_fp16.engine",
                                        "net__sm87_jp_trt10.3_fp16.engine",
                                        "net__sm87_jp6._trt10.3_fp16.engine",
                                        "net__sm87_jp.2_trt10.3_fp16.engine",
                                        "net__sm87_jp6..2_trt10.3_fp16.engine",
                                        "net__sm87_jp06.2_trt10.3_fp16.engine",
                                        "net__sm87_jp6.2a_trt10.3_fp16.engine",
                                        "net__sm87_jp6,2_trt10.3_fp16.engine",
                                        "net__sm87_jp1.2.3.4.5_trt10.3_fp16.engine",
                                        "net__sm87_jp100000_trt10.3_fp16.engine",
                                        "net__sm87_jp6.2_10.3_fp16.engine",
                                        "net__sm87_jp6.2_trt_fp16.engine",
                                        "net__sm87_jp6.2_trt10.3.engine",
                                        "net__sm87_jp6.2_trt10.3_.engine",
                                        "net__sm87_jp6.2_trt10.3_fp8.engine",
                                        "net__sm87_jp6.2_trt10.3_FP16.engine",
                                        "net__sm87_jp6.2_trt10.3_fp16_x.engine",
                                        "net__sm87_jp6.2_trt10.3__fp16.engine",
                                        "net__sm87_trt10.3_jp6.2_fp16.engine",
                                        "net__sm87_jp6.2_trt10.3_fp16.",
                                        "net__sm87_jp6.2_trt10.3_fp16.plan",
                                        "net__sm87_jp6.2_trt10.3_fp16.Engine",
                                        "net__sm87_jp6.2_trt10.3_fp16.engine ",
                                        " net__sm87_jp6.2_trt10.3_fp16.engine",
                                        "net__sm87_jp6.2_trt10.3_fp16.engine\n",
                                        "net__sm87_jp6.2_trt10.3_fp16.engine.bak",
                                        "net.x__sm87_jp6.2_trt10.3_fp16.engine",
                                        std::string("net\0x__sm87_jp6.2_trt10.3_fp16.engine", 37),
                                        "n\xc3\xa4t__sm87_jp6.2_trt10.3_fp16.engine"};
  EXPECT_GE(bad.size(), 40U);
  for (const std::string& name : bad) {
    EXPECT_TRUE(refused(EngineFilenameSchema::parse(name), ErrorCode::kEngineSchemaMismatch,
                        Reason::kEngineNameMalformed))
        << "'" << name << "'";
  }
}

TEST(EngineFilename, EveryShorterNameIsRefused) {
  const std::string good = "net__sm87_jp6.2_trt10.3_fp16.engine";
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(EngineFilenameSchema::parse(good.substr(0, length)).ok()) << good.substr(0, length);
  }
}

TEST(EngineFilename, RefusesToBuildWhatItWouldNotParse) {
  const EngineFilenameSchema good{"net", 87, "6.2", "10.3", Precision::kFp16, "engine"};
  ASSERT_TRUE(accepted(good.build()));
  const auto spoiled = [&](auto change) {
    EngineFilenameSchema name = good;
    change(name);
    return name.build();
  };
  const std::vector<Result<std::string>> builds = {
      spoiled([](auto& n) { n.model = "a__b"; }),   spoiled([](auto& n) { n.model = ""; }),
      spoiled([](auto& n) { n.sm = -1; }),          spoiled([](auto& n) { n.sm = 10000; }),
      spoiled([](auto& n) { n.jetpack = ""; }),     spoiled([](auto& n) { n.jetpack = "6_2"; }),
      spoiled([](auto& n) { n.tensorrt = "10."; }), spoiled([](auto& n) { n.extension = "plan"; }),
      spoiled([](auto& n) { n.extension = ""; })};
  for (const auto& build : builds) {
    EXPECT_TRUE(refused(build, ErrorCode::kEngineSchemaMismatch, Reason::kEngineNameMalformed));
  }
}

TEST(EngineFilename, ComparesEachPartOfTheHostTuple) {
  const auto name = EngineFilenameSchema::parse("net__sm87_jp6.2_trt10.3_fp16.engine").value();
  EXPECT_TRUE(name.matches_host(orin()));
  HostTuple other = orin();
  other.sm = 86;
  EXPECT_FALSE(name.matches_host(other));
  other = orin();
  other.jetpack = "6.1";
  EXPECT_FALSE(name.matches_host(other));
  other = orin();
  other.tensorrt = "10.30";
  EXPECT_FALSE(name.matches_host(other));
}

}  // namespace
}  // namespace skua::test
