// The route trtexec beyond its simplest use: long command lines, static inputs, layers that are kept, the
// timing cache, the environment. And that the tool's stand-in refuses what the tool
// is documented to refuse.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "inference/compile.h"
#include "runtimes/tensorrt/compile_builder.h"
#include "runtimes/tensorrt/compile_timing_cache.h"
#include "runtimes/tensorrt/compile_tools.h"
#include "tool_fixture.h"

namespace skua::test {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// A chain of `count` nodes of long names and one of a short name.
std::string chain_model(int count) {
  OnnxWriter writer;
  writer.input("x", kFloat, {4}).output("y", kFloat, {4});
  std::string value = "x";
  for (int i = 0; i < count; ++i) {
    const std::string next = "h" + std::to_string(i);
    writer.node("Relu", {value}, {next}, {},
                "/encoder/layers/" + std::string(40, 'n') + "/" + std::to_string(i));
    value = next;
  }
  return writer.node("Sigmoid", {value}, {"y"}, {}, "last").model();
}

// Its last line repeats the command line, which is longer than the log's end that an error shows.
TEST(ToolRoutes, FiftyKeptLayersAreNoFailure) {
  ToolCase chain(BuildRoute::kTrtexec, chain_model(50), Precision::kFp16);
  chain.request.build.keep_fp32 = {"/encoder/*"};
  const auto record = chain.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("layers.fp16"), "1");
  EXPECT_EQ(record->proof.at("keep_fp32.not_shown"), "none");
}

TEST(ToolRoutes, ProfileOfAStaticInputIsNotTold) {
  ToolCase fixed(BuildRoute::kTrtexec, mlp_model());
  fixed.request.build.optimization_profiles = {{"x", Shape{1, 8}, Shape{1, 8}, Shape{1, 8}}};
  const auto record = fixed.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->profiles, fixed.request.build.optimization_profiles);
}

TEST(ToolRoutes, HalfPrecisionIsTheBuilders) {
  ToolCase tool(BuildRoute::kTrtexec, mlp_model(), Precision::kFp16);
  ToolCase builder(BuildRoute::kBuilder, mlp_model(), Precision::kFp16);
  const auto record = tool.compile(), own = builder.compile();
  ASSERT_TRUE(is_ok(record));
  ASSERT_TRUE(is_ok(own));
  EXPECT_NE(record->proof.at("layers.fp16"), "0");
  EXPECT_EQ(record->proof.at("layers.fp16"), own->proof.at("layers.fp16"));
  EXPECT_EQ(record->proof.at("layers.float"), own->proof.at("layers.float"));
}

/// The values of a TopK go on, the indices are an output.
std::string top_k_model() {
  return OnnxWriter()
      .input("x", kFloat, {8})
      .output("y", kFloat, {3})
      .output("i", kInt64, {3})
      .weights("k", kInt64, {1}, raw<std::int64_t>({3}))
      .node("Sigmoid", {"x"}, {"h"}, {}, "before")
      .node("TopK", {"h", "k"}, {"v", "i"}, {}, "top")
      .node("Relu", {"v"}, {"y"}, {}, "after")
      .model();
}

TEST(ToolRoutes, IndicesStayWhatTheyAre) {
  const auto parsed = parse(top_k_model());
  EXPECT_THAT(tensorrt::kept_outputs(*parsed->network.network, {"top", "after"}).value(),
              ElementsAre(Pair("top", "fp32+int64")));  // "after" is an output of the network
  ToolCase top(BuildRoute::kTrtexec, top_k_model(), Precision::kFp16);
  top.request.build.keep_fp32 = {"top"};
  const auto record = top.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "top");
}

TEST(ToolRoutes, TypesThatTrtexecHasNoNameForAreRefused) {
  using nvinfer1::DataType;
  for (const DataType type : {DataType::kBF16, DataType::kFP8, DataType::kINT4}) {
    const auto parsed = parse(top_k_model());
    parsed->network.network->getLayer(1)->getOutput(1)->setType(type);
    const auto asked = [&](const char* layer) {
      return tensorrt::kept_outputs(*parsed->network.network, {layer});
    };
    EXPECT_TRUE(is_build_error(asked("top"), Reason::kPrecisionNotSupported, "'top': output 1 is of type"));
    EXPECT_TRUE(is_ok(asked("before")));
  }
}

TEST(ToolRoutes, LayersOfOneNameMustHaveTheSameOutputs) {
  const auto kept = [](const std::string& first, const std::string& second) {
    const auto parsed = parse(OnnxWriter()
                                  .input("x", kFloat, {8})
                                  .output("y", kFloat, {3})
                                  .weights("k", kInt64, {1}, raw<std::int64_t>({3}))
                                  .node("Sigmoid", {"x"}, {"g"}, {}, first)
                                  .node("Abs", {"g"}, {"h"}, {}, second)
                                  .node("TopK", {"h", "k"}, {"v", "i"}, {}, "top")
                                  .node("Relu", {"v"}, {"y"}, {}, "after")
                                  .model());
    return tensorrt::kept_outputs(*parsed->network.network, {first, second, "top"});
  };
  EXPECT_THAT(kept("same", "same").value(), ElementsAre(Pair("same", "fp32"), Pair("top", "fp32+int64")));
  EXPECT_TRUE(is_build_error(kept("before", "top"), Reason::kPrecisionNotSupported,
                             "outputs of fp32 instead of fp32+int64"));
}

// What the tool is given and what it is not: 127 is its answer only where all of it is so.
TEST(ToolRoutes, ToolsFindTheirLibrariesAndTheUsersPackages) {
  ToolCase tool(BuildRoute::kTrtexec, mlp_model());
  tool.request.config.trtexec = tool.script(
      "[ -e \"$LD_LIBRARY_PATH/libskua_sil_nvinfer.so\" ] || exit 3\n"
      "[ -z \"${HOME+x}\" ] || exit 4\n[ \"$CUDA_CACHE_PATH\" = \"$TMPDIR\" ] || exit 5\nexit 127");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderMissing, "cannot be started"));
}

TEST(ToolRoutes, AToolThatLacksALibraryIsMissing) {
  for (const BuildRoute route : {BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    ToolCase tool(route, mlp_model());
    tool.request.config.trtexec = tool.request.config.polygraphy =
        tool.script("echo no libnvinfer >&2; exit 127");
    EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderMissing, "no libnvinfer"));
  }
}

TEST(ToolRoutes, PolygraphyOfAnotherReleaseIsRefused) {
  ToolCase tool(BuildRoute::kPolygraphy, mlp_model());
  const auto path = tool.folder.write(
      "other.sh", "#!/bin/sh\necho '[V] Loaded Module: tensorrt | Version: 10.4.0 | Path: x'\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  tool.request.config.polygraphy = path;
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kSdkForeign, "found 10.4.0"));
}

// --- the timing cache ---

class ToolTiming : public ToolCase {
 public:
  ToolTiming() : ToolCase(BuildRoute::kTrtexec, mlp_model()) {
    request.config.engine_cache_dir = folder.path() / "cache";
    std::filesystem::create_directory(request.config.engine_cache_dir);
  }
  std::filesystem::path staged() const { return request.staging_dir / (request.artifact_name + ".timing"); }
  /// As compile_model does after a build.
  void keep() {
    std::filesystem::copy_file(staged(),
                               request.config.engine_cache_dir / timing_cache_name(request.artifact_name),
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::string proof() {
    const auto record = compile();
    return record.ok() ? record->proof.at("timing_cache") : record.error().describe();
  }
};

TEST(ToolTimingCache, IsUsedTheNextTime) {
  ToolTiming tool;
  EXPECT_EQ(tool.proof(), "none");
  tool.keep();
  EXPECT_EQ(tool.proof(), "used");
}

TEST(ToolTimingCache, RefusalInTheToolsLogIsRead) {
  ToolTiming tool;
  const auto record = tool.compile();
  ASSERT_TRUE(is_ok(record));
  const std::string key = tensorrt::timing_key(
      tool.request.host, record->options.at("sdk_version") + " " + record->proof.at("device"));
  const auto file = tensorrt::encode_timing_cache(bytes_of("garbage"), key);
  tool.folder.write("cache/" + timing_cache_name(tool.request.artifact_name),
                    {reinterpret_cast<const char*>(file.data()), file.size()});
  EXPECT_EQ(tool.proof(), "refused by TensorRT");
}

/// Takes the cache's place before the tool is given it.
class InTheWay final : public CompileProgress {
 public:
  explicit InTheWay(std::filesystem::path path) : path_(std::move(path)) {}
  void step(std::string_view text) override {
    if (text == "building the plan") std::ofstream(path_) << "in the way";
    if (text.starts_with("warning: ")) warnings += text;
  }
  std::string warnings;

 private:
  std::filesystem::path path_;
};

TEST(ToolTimingCache, CacheThatCannotBeStagedIsNotUsed) {
  ToolTiming tool;
  ASSERT_EQ(tool.proof(), "none");
  tool.keep();
  std::filesystem::remove_all(tool.request.staging_dir);
  std::filesystem::create_directory(tool.request.staging_dir);
  InTheWay progress(tool.request.staging_dir / "timing.partial");
  const auto record = tensorrt::compile_tensorrt(tool.request, progress);
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("timing_cache"), "not used");
  EXPECT_THAT(progress.warnings, testing::HasSubstr("timing.partial"));
}

TEST(ToolTimingCache, EmptyOneIsNotKept) {
  const auto parsed = parse(mlp_model());
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(parsed->network.builder->createBuilderConfig());
  const std::unique_ptr<nvinfer1::ITimingCache> fresh(config->createTimingCache(nullptr, 0));
  const std::unique_ptr<nvinfer1::IHostMemory> bytes(fresh->serialize());
  for (const std::string& text :
       {std::string(), std::string(static_cast<const char*>(bytes->data()), bytes->size())}) {
    ToolTiming tool;
    const auto empty = tool.folder.write("empty", text);
    tool.request.config.trtexec =
        tool.script(std::string(SKUA_SIL_TRTEXEC) + " \"$@\" && cp " + empty.string() + " timing.partial");
    ASSERT_TRUE(is_ok(tool.compile()));
    EXPECT_FALSE(std::filesystem::exists(tool.staged())) << text.size();
  }
}

// --- the stand-in of trtexec ---

class SilTrtexec : public testing::Test {
 protected:
  SilTrtexec() {
    sil::reset();
    files_ = {folder_.write("net.onnx", dynamic_relu_model()), folder_.path() / "plan",
              folder_.path() / "timing", folder_.path()};
    options_.route = BuildRoute::kTrtexec;
    options_.sdk_major = 10;
    options_.workspace_bytes = 1ULL << 30U;
    options_.keep_fp32 = {"product"};
    options_.kept_outputs = {{"product", "fp32"}};
    options_.profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  }
  /// The tool's verdict on our words, one of them replaced: its log when it fails, nothing when it passes.
  std::string refusal(const std::string& option = "", const std::string& value = "") {
    compile::ToolProcess tool;
    tool.executable = SKUA_SIL_TRTEXEC;
    tool.arguments = tensorrt::trtexec_arguments(options_, files_).value();
    for (std::string& word : tool.arguments) {
      if (!option.empty() && word.starts_with("--" + option + "=")) word = "--" + option + "=" + value;
    }
    tool.working_folder = folder_.path();
    tool.log = folder_.path() / "log";
    tool.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    const auto end = compile::run_tool(tool).value();
    return end.exit_status == 0 ? "" : folder_.read("log");
  }
  TempFolder folder_;
  tensorrt::ToolFiles files_;
  tensorrt::BuildOptions options_;
};

TEST_F(SilTrtexec, TakesWhatWeSay) { EXPECT_EQ(refusal(), ""); }

TEST_F(SilTrtexec, RefusesWrongValues) {
  const std::pair<const char*, const char*> rows[] = {
      {"profilingVerbosity", "verbose"},  {"tempfileControls", "in_memory:no"},
      {"builderOptimizationLevel", "6"},  {"builderOptimizationLevel", "three"},
      {"memPoolSize", "workspace:1024Q"}, {"memPoolSize", "workspace:"},
      {"precisionConstraints", "must"},   {"layerPrecisions", "product:float"},
      {"layerPrecisions", "product"},     {"layerOutputTypes", "product:fp32+"},
      {"maxAuxStreams", "none"}};
  for (const auto& [option, value] : rows)
    EXPECT_THAT(refusal(option, value), testing::HasSubstr("sil: --" + std::string(option) + " cannot be"))
        << value;
}

TEST_F(SilTrtexec, RefusesTypesThatALayerCannotHave) {
  EXPECT_THAT(refusal("layerOutputTypes", "product:fp32+fp32"),
              testing::HasSubstr("types for 2 outputs of layer product, which has 1"));
  EXPECT_THAT(refusal("layerOutputTypes", "product:int32"), testing::HasSubstr("cannot have this type"));
}

TEST_F(SilTrtexec, RefusesShapesOfAStaticModel) {
  files_.source = folder_.write("static.onnx", mlp_model());
  options_.keep_fp32.clear();
  EXPECT_THAT(refusal(), testing::HasSubstr("inputs are all static"));
  options_.profiles.clear();
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace skua::test
