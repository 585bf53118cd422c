// `skua quantize` without Python: shell scripts stand for the tool, because they can be made to misbehave.
#include <gmock/gmock.h>

#include <atomic>
#include <sstream>

#include "bytes_of.h"
#include "calibration/npz.h"
#include "cli/commands.h"
#include "cli/quantize_tool.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "onnx_writer.h"
#include "picture_files.h"
#include "skua_command.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// $1 is the request, $2 the response; the request lies in the staging folder.
constexpr char kGood[] =
    "echo converting\n"
    "printf 'converted' > \"$(dirname \"$1\")/model.onnx\"\n"
    "printf '{\"result\": {\"size_bytes\": 9}}' > \"$2\"\n";

class QuantizeTest : public ::testing::Test {
 protected:
  QuantizeTest() {
    job_.model = folder_.write("m.onnx", "model");
    job_.out = folder_.path() / "out" / "half.onnx";
    std::filesystem::create_directory(job_.out.parent_path());
  }
  QuantizeTool tool(const std::string& script) {
    folder_.write("skua_precision/errors.py", "");
    return {"/bin/sh", {folder_.write("tool.sh", script).string()}};
  }
  Result<Json> quantize(const std::string& script) { return quantize_model(tool(script), job_); }
  std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(job_.out.parent_path()))
      names.push_back(entry.path().filename().string());
    return names;
  }
  Error refused(const std::string& script) {
    const auto result = quantize(script);
    EXPECT_FALSE(result.ok());
    EXPECT_TRUE(left().empty());
    return result.ok() ? Error{} : result.error();
  }

  void expect_missing(const QuantizeTool& broken, const std::filesystem::path& named) {
    const auto result = quantize_model(broken, job_);
    ASSERT_FALSE(result.ok()) << named;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument) << named;
    EXPECT_EQ(result.error().reason, Reason::kBuilderMissing) << named;
    EXPECT_THAT(result.error().message, HasSubstr(named.string()));
    EXPECT_THAT(result.error().message, HasSubstr("SKUA_PYTHON"));
    EXPECT_TRUE(left().empty()) << named;
  }

  TempFolder folder_;
  QuantizeJob job_;
};

TEST_F(QuantizeTest, TheToolsFileIsPublishedAndNothingElseIsLeft) {
  std::vector<std::string> steps;
  job_.on_progress = [&](std::string_view step) { steps.emplace_back(step); };
  const auto result = quantize(kGood);
  ASSERT_TRUE(result.ok()) << result.error().describe();
  EXPECT_EQ((*result)["size_bytes"], 9);
  EXPECT_EQ(folder_.read("out/half.onnx"), "converted");
  EXPECT_THAT(left(), ElementsAre("half.onnx"));
  EXPECT_THAT(steps, ElementsAre("converting"));
}

TEST_F(QuantizeTest, TheRequestSaysWhatWasAsked) {
  job_.keep_fp32 = {"/head/*", "a \"b\""};
  job_.inputs = {{"x", folder_.path() / "x.npy"}};
  const auto result =
      quantize(std::string(kGood) + "cp \"$1\" '" + folder_.path().string() + "/seen.json'\n");
  ASSERT_TRUE(result.ok()) << result.error().describe();
  const auto seen = parse_json(folder_.read("seen.json"));
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ((*seen)["model"], job_.model.string());
  EXPECT_EQ((*seen)["keep_fp32"], Json({"/head/*", "a \"b\""}));
  EXPECT_EQ((*seen)["inputs"], Json({{"x", (folder_.path() / "x.npy").string()}}));
  EXPECT_THAT((*seen)["out"].get<std::string>(), HasSubstr("/out/.skua-quantize-"));
}

/// A network of one image input, and two images for it.
void write_images(const TempFolder& folder, const QuantizeJob& job) {
  folder.write("m.onnx", OnnxWriter()
                             .input("images", kFloat, {1, 3, 2, 2})
                             .node("Relu", {"images"}, {"y"})
                             .output("y", kFloat, {1, 3, 2, 2})
                             .model());
  ASSERT_EQ(job.model, folder.path() / "m.onnx");
  folder.write("data/preprocess.yaml", "channels: rgb\nlayout: nchw\nscale: 0.5\n");
  for (const int value : {10, 20}) {
    const Image picture{2, 2, 3, std::vector<std::uint8_t>(12, static_cast<std::uint8_t>(value))};
    folder.write("data/" + std::to_string(value) + ".png", encode_png(picture));
  }
}

TEST_F(QuantizeTest, ImagesAreHandedOverAsArrays) {
  write_images(folder_, job_);
  job_.data = QuantizeData{folder_.path() / "data", "entropy2"};
  std::vector<std::string> steps;
  job_.on_progress = [&](std::string_view step) { steps.emplace_back(step); };
  const auto result = quantize(std::string(kGood) + "mkdir '" + folder_.path().string() +
                               "/seen'; cp \"$(dirname \"$1\")\"/* '" + folder_.path().string() + "/seen'\n");
  ASSERT_TRUE(result.ok()) << result.error().describe();
  const Json samples = (*parse_json(folder_.read("seen/request.json")))["data_set"]["samples"];
  ASSERT_EQ(samples.size(), 2U);
  const std::vector<TensorSpec> inputs = {{"images", DType::kFloat32, {1, 3, 2, 2}, {}, false}};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string image = folder_.read("data/" + std::to_string(10 * (i + 1)) + ".png");
    const std::string name = std::filesystem::path(samples[i][0].get<std::string>()).filename();
    const std::string archive = folder_.read("seen/" + name);
    EXPECT_EQ(samples[i][1], sha256_of(bytes_of(archive)).hex());
    EXPECT_EQ(samples[i][2], sha256_of(bytes_of(image)).hex()) << "the image's own";
    EXPECT_EQ(samples[i][3], (folder_.path() / "data").string() + "/" + std::to_string(10 * (i + 1)) + ".png")
        << "what messages name";
    const auto arrays = calibration::decode_npz(bytes_of(archive), inputs, name);
    ASSERT_TRUE(arrays.ok()) << arrays.error().describe();
    EXPECT_EQ(arrays->find("images")->as<float>()[0], 5.0F * static_cast<float>(i + 1));
  }
  EXPECT_THAT(left(), ElementsAre("half.onnx")) << "nothing of the conversion";
  EXPECT_THAT(steps, ElementsAre("hashing the data set: file 1 of 3", "hashing the data set: file 2 of 3",
                                 "hashing the data set: file 3 of 3", "reading images: 1 of 2",
                                 "reading images: 2 of 2", "converting"));
}

TEST_F(QuantizeTest, ABadImageOrModelEndsBeforeTheToolIsStarted) {
  write_images(folder_, job_);
  job_.data = QuantizeData{folder_.path() / "data", "entropy2"};
  ASSERT_TRUE(quantize(kGood).ok()) << "the control";
  std::filesystem::remove(job_.out);
  const std::string never = "touch '" + folder_.path().string() + "/started'\n";
  const std::string whole = folder_.read("data/20.png");
  folder_.write("data/20.png", whole.substr(0, whole.size() - 9));
  const Error damaged = refused(never);
  EXPECT_EQ(damaged.reason, Reason::kDataSetMalformed);
  EXPECT_THAT(damaged.message, HasSubstr("20.png"));
  folder_.write("data/20.png", whole);
  folder_.write("m.onnx", "no model");
  EXPECT_EQ(refused(never).reason, Reason::kModelMalformed);
  std::atomic<bool> cancel{true};
  job_.cancel_requested = &cancel;
  EXPECT_EQ(refused(never).reason, Reason::kCancelled);
  EXPECT_FALSE(folder_.has("started"));
}

TEST_F(QuantizeTest, AMissingInterpreterOrScriptIsAConfigurationError) {
  const QuantizeTool good = tool(kGood);
  expect_missing({folder_.path() / "no-python", good.arguments}, folder_.path() / "no-python");
  expect_missing({good.interpreter, {(folder_.path() / "no.py").string()}}, folder_.path() / "no.py");
  EXPECT_TRUE(quantize_model(good, job_).ok()) << "the control";
}

TEST_F(QuantizeTest, AnInterpreterThatCannotBeStartedIsAConfigurationError) {
  const QuantizeTool good = tool(kGood);
  const auto gone = folder_.write("gone", "#!/no/such/python\n");
  const auto garbage = folder_.write("garbage", std::string("\x7f"
                                                            "ELF, but nothing behind it",
                                                            28));
  const auto folder = folder_.path() / "folder";
  std::filesystem::create_directory(folder);
  for (const auto& file : {gone, garbage})
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  for (const auto& interpreter : {gone, garbage, folder})
    expect_missing({interpreter, good.arguments}, interpreter);
  EXPECT_TRUE(quantize_model(good, job_).ok()) << "the control";
}

TEST_F(QuantizeTest, AMissingPackageBesideTheScriptIsAConfigurationError) {
  const QuantizeTool good = tool(kGood);
  std::filesystem::remove(folder_.path() / "skua_precision" / "errors.py");
  expect_missing(good, folder_.path() / "skua_precision");
  EXPECT_TRUE(quantize(kGood).ok()) << "the control";
}

TEST_F(QuantizeTest, AToolThatTakesTooLongIsToldInItsOwnWords) {
  QuantizeTool slow = tool("echo deep in thought >&2; while :; do :; done");
  slow.timeout = std::chrono::seconds(1);
  const auto result = quantize_model(slow, job_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kEngineBuild);
  EXPECT_EQ(result.error().reason, Reason::kBuilderTimeout);
  EXPECT_THAT(result.error().message, HasSubstr("longer than 1 s"));
  EXPECT_THAT(result.error().message, HasSubstr("deep in thought"));
  EXPECT_THAT(result.error().message, ::testing::Not(HasSubstr("trtexec")));
  EXPECT_TRUE(left().empty());
}

TEST_F(QuantizeTest, AnExistingFileIsReplacedOnlyWhenAsked) {
  folder_.write("out/half.onnx", "old");
  const auto refusal = quantize(kGood);
  ASSERT_FALSE(refusal.ok());
  EXPECT_EQ(refusal.error().reason, Reason::kExists);
  EXPECT_EQ(folder_.read("out/half.onnx"), "old");
  job_.may_overwrite = true;
  ASSERT_TRUE(quantize(kGood).ok());
  EXPECT_EQ(folder_.read("out/half.onnx"), "converted");
  EXPECT_THAT(left(), ElementsAre("half.onnx"));
}

TEST_F(QuantizeTest, AFileThatAppearsMeanwhileIsNotReplaced) {
  const auto refusal = quantize(std::string(kGood) + "printf new > '" + job_.out.string() + "'\n");
  ASSERT_FALSE(refusal.ok());
  EXPECT_EQ(refusal.error().reason, Reason::kExists);
  EXPECT_EQ(folder_.read("out/half.onnx"), "new");
  EXPECT_THAT(left(), ElementsAre("half.onnx"));
}

TEST_F(QuantizeTest, TheModelItselfAndOtherKindsAreNeverReplaced) {
  job_.may_overwrite = true;
  std::filesystem::create_directory(job_.out);
  EXPECT_EQ(quantize(kGood).error().reason, Reason::kNotRegularFile);
  job_.out = job_.model;
  EXPECT_EQ(quantize(kGood).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(folder_.read("m.onnx"), "model");
}

TEST_F(QuantizeTest, TheToolsErrorKeepsItsClassAndReason) {
  const Error error = refused(
      "printf '{\"error\": {\"class\": \"EngineBuildError\", \"reason\": \"precision_not_supported\", "
      "\"message\": \"too large\"}}' > \"$2\"");
  EXPECT_EQ(error.code, ErrorCode::kEngineBuild);
  EXPECT_EQ(error.reason, Reason::kPrecisionNotSupported);
  EXPECT_EQ(error.message, "too large");
}

TEST_F(QuantizeTest, ADiskThatFailsTheToolIsNoDefectOfOurs) {
  const Error error = refused(
      "printf '{\"error\": {\"class\": \"IoError\", \"reason\": \"io_error\", "
      "\"message\": \"data set, a.npz cannot be read\"}}' > \"$2\"");
  EXPECT_EQ(error.code, ErrorCode::kEngineBuild);
  EXPECT_EQ(error.reason, Reason::kIo);
  EXPECT_EQ(error.message, "data set, a.npz cannot be read");
}

TEST_F(QuantizeTest, AnswersThatAreNoneAreDefects) {
  for (const char* response :
       {"", "{", "[]", "{}", "{\"result\": 1}", "{\"result\": {}, \"more\": 1}", "{\"error\": {}}",
        "{\"error\": {\"class\": \"X\", \"reason\": \"internal\", \"message\": \"m\"}}",
        "{\"error\": {\"class\": \"EngineBuildError\", \"reason\": \"x\", \"message\": \"m\"}}"}) {
    const Error error = refused(std::string("printf '") + response + "' > \"$2\"");
    EXPECT_EQ(error.code, ErrorCode::kInternal) << response << ": " << error.message;
  }
}

TEST_F(QuantizeTest, AToolThatDiesOrWritesNothingLeavesNothing) {
  EXPECT_EQ(refused("kill -SEGV $$").reason, Reason::kBuilderCrashed);
  EXPECT_EQ(refused("exit 28").reason, Reason::kDiskFull);
  EXPECT_EQ(refused("printf '{\"result\": {}}' > \"$2\"").reason, Reason::kNotFound);
  EXPECT_EQ(refused("exit 0").reason, Reason::kNotFound);
}

TEST_F(QuantizeTest, CancellingKillsTheToolAndLeavesNothing) {
  std::atomic<bool> cancel{false};
  job_.cancel_requested = &cancel;
  job_.on_progress = [&](std::string_view) { cancel = true; };
  const Error error = refused("echo started; while :; do :; done");
  EXPECT_EQ(error.reason, Reason::kCancelled);
  job_.on_progress = {};
  EXPECT_EQ(refused(kGood).reason, Reason::kCancelled);
  cancel = false;
  EXPECT_TRUE(quantize(kGood).ok());
}

TEST_F(QuantizeTest, WhatAKilledRunLeftGoesAndOtherHiddenFilesStay) {
  folder_.write("out/.skua-quantize-00112233/model.onnx", "half a file");
  folder_.write("out/.tmp-mine", "x");
  ASSERT_TRUE(quantize(kGood).ok());
  EXPECT_THAT(left(), ::testing::UnorderedElementsAre("half.onnx", ".tmp-mine"));
}

TEST_F(QuantizeTest, TwoAtOnceInOneFolderAreRefused) {
  const auto other = posix_file_system().open_folder(job_.out.parent_path());
  ASSERT_TRUE(other.ok() && (*other)->lock().ok());
  EXPECT_EQ(refused(kGood).reason, Reason::kFolderBusy);
}

// The command line

Json command(std::vector<std::string> arguments, int expected_status) {
  arguments.insert(arguments.begin(), "quantize");
  arguments.emplace_back("--json");
  const CommandOutcome outcome = skua_command(std::move(arguments));
  EXPECT_EQ(outcome.status, expected_status) << outcome.err;
  auto parsed = parse_json(outcome.out);
  return parsed.ok() ? *std::move(parsed) : Json::object();
}

TEST(QuantizeCommand, MistakesAreUsageErrors) {
  const TempFolder folder;
  const std::string out = (folder.path() / "new" / "h.onnx").string();
  const std::string cache = (folder.path() / "new" / "h.calib_cache").string();
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"m.onnx", "--precision", "fp16"},
           {"m.onnx", "--out", out},
           {"m.onnx", "--precision", "fp32", "--out", out},
           {"m.onnx", "--precision", "fp8", "--out", out},
           {"m.onnx", "--precision", "int8", "--out", out},
           {"m.onnx", "--precision", "fp16", "--out", out, "--calibration-dataset", "d"},
           {"m.onnx", "--precision", "fp16", "--out", out, "--calibration-algorithm", "minmax"},
           {"m.onnx", "--precision", "mixed", "--out", out, "--keep-fp32", "a"},
           {"m.onnx", "--precision", "mixed", "--out", out, "--calibration-dataset", "d"},
           {"m.onnx", "--precision", "mixed", "--out", out, "--keep-fp32", "a", "--calibration-dataset", "d",
            "--input", "x=x.npy"},
           {"m.onnx", "--precision", "mixed", "--out", out, "--keep-fp32", "a", "--calibration-dataset", "d",
            "--calibration-algorithm", "minmax"},
           {"m.onnx", "--precision", "mixed", "--out", out, "--keep-fp32", "a", "--calibration-dataset", "d",
            "--calibration-cache", cache, "--tensorrt-version", "100300"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--calibration-cache", cache},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--out", out, "--tensorrt-version",
            "100300"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--calibration-cache", cache,
            "--tensorrt-version", "10.3.0"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--calibration-cache", cache,
            "--tensorrt-version", "0"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--calibration-cache", out,
            "--tensorrt-version", "100300"},
           {"m.onnx", "--precision", "int8", "--calibration-dataset", "d", "--calibration-cache",
            (folder.path() / "new" / ".calib_cache").string(), "--tensorrt-version", "100300"},
           {"m.onnx", "--precision", "int8", "--out", out, "--calibration-dataset", "d", "--input",
            "x=x.npy"},
           {"m.onnx", "--precision", "int8", "--out", out, "--calibration-dataset", "d",
            "--calibration-algorithm", "max"},
           {"m.onnx", "--precision", "fp16", "--out", out + ".pt"},
           {"m.onnx", "--precision", "fp16", "--out", out, "--input", "x"}}) {
    EXPECT_EQ(command(arguments, 2)["error"]["class"], "InvalidArgumentError") << arguments.back();
  }
  EXPECT_FALSE(folder.has("new"));
}

}  // namespace
}  // namespace skua::test
