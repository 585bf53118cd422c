// `skua quantize --calibration-cache` without Python: a shell script answers in the tool's place.
#include <gmock/gmock.h>

#include <cerrno>
#include <functional>
#include <set>

#include "calibration/cache_origin.h"
#include "cli/quantize_tool.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "fault_filesystem.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kText =
    "TRT-100300-EntropyCalibration2\nimages: 3c010a14\na: 3f800000: 3d800000\nlast: 1f800000\n";
// The scales of these digits, as JSON numbers that Python prints.
constexpr char kScales[] =
    R"([["images", 0.007875937968492508], ["a: 3f800000", 0.0625], ["last", 5.421010862427522e-20]])";

Sha256 hash_of(std::string_view text) { return sha256_of(std::as_bytes(std::span(text))); }

class QuantizeCacheTest : public ::testing::Test {
 protected:
  QuantizeCacheTest() {
    job_.model = folder_.write("m.onnx", "model");
    folder_.write("data/0.npz", "a sample");
    std::filesystem::create_directory(folder_.path() / "out");
    job_.precision = Precision::kInt8;
    job_.data = {folder_.path() / "data", "entropy2"};
    job_.cache = {folder_.path() / "out" / "net.calib_cache", 100300};
    folder_.write("skua_precision/errors.py", "");
  }
  /// `part`: what the tool says of the cache.
  Result<Json> quantize(const std::string& part) {
    const std::string provenance =
        R"("provenance": {"dataset_sha256": ")" + hash_of("data").hex() + R"(", "sample_count": 400})";
    const auto answer =
        folder_.write("answer.json", R"({"result": {"size_bytes": 9, )" + provenance + ", " + part + "}}");
    const std::string script = "printf converted > \"$(dirname \"$1\")/model.onnx\"\ncat '" +
                               answer.string() + "' > \"$2\"\n" + meanwhile_;
    return quantize_model({"/bin/sh", {folder_.write("tool.sh", script).string()}}, job_);
  }
  static std::string part_of(const std::string& scales, const std::string& model = "model",
                             const std::string& external = "[]") {
    return R"("cache": {"scales": )" + scales + R"(, "unnamed": ["dense"], "external": )" + external +
           R"(, "model_sha256": ")" + hash_of(model).hex() + "\"}";
  }
  std::vector<std::string> left() const {
    return posix_file_system().open_folder(folder_.path() / "out").value()->list().value();
  }

  TempFolder folder_;
  QuantizeJob job_;
  std::string meanwhile_;  ///< what happens while the tool works
};

TEST_F(QuantizeCacheTest, TheCacheAndWhatItWasMadeFromArePublished) {
  const Json result = quantize(part_of(kScales)).value();
  EXPECT_THAT(left(), ElementsAre("net.calib_cache", "net.calib_cache.dataset_sha256", "net.calib_cache.json",
                                  "net.calib_cache.sha256"));
  EXPECT_EQ(folder_.read("out/net.calib_cache"), kText);
  EXPECT_EQ(folder_.read("out/net.calib_cache.sha256"), hash_of(kText).hex());
  EXPECT_EQ(folder_.read("out/net.calib_cache.dataset_sha256"), hash_of("data").hex());
  const auto origin = calibration::decode_cache_origin(folder_.read("out/net.calib_cache.json")).value();
  EXPECT_EQ(origin.model_sha256, hash_of("model"));
  EXPECT_EQ(origin.library_version, 100300U);
  EXPECT_EQ(origin.calibration, (CalibrationProvenance{hash_of("data"), 400, hash_of(kText),
                                                       "EntropyCalibration2", "skua quantize (CPU ranges)"}));
  EXPECT_EQ(result["cache"]["tensors"], 3);
  EXPECT_EQ(result["cache"]["unnamed"], Json::array({"dense"}));
  EXPECT_FALSE(result.contains("size_bytes")) << "there is no model that it could be of";
}

TEST_F(QuantizeCacheTest, ModelAndCacheMayLieInDifferentFolders) {
  std::filesystem::create_directory(folder_.path() / "models");
  job_.out = folder_.path() / "models" / "int8.onnx";
  ASSERT_TRUE(is_ok(quantize(part_of(kScales))));
  EXPECT_EQ(folder_.read("models/int8.onnx"), "converted");
  EXPECT_EQ(folder_.read("out/net.calib_cache"), kText);
}

TEST_F(QuantizeCacheTest, ManyTensorsFitIntoTheAnswer) {
  std::string scales = "[";
  for (int i = 0; i < 30'000; ++i)
    scales +=
        (i == 0 ? "" : ", ") + std::string("[\"") + std::string(600, 'a') + std::to_string(i) + "\", 0.5]";
  const auto result = quantize(part_of(scales + "]"));
  ASSERT_TRUE(is_ok(result));
  EXPECT_EQ((*result)["cache"]["tensors"], 30'000);
}

TEST_F(QuantizeCacheTest, ExternalWeightsAreOfTheModel) {
  folder_.write("w.bin", "weights");
  const std::string lines = hash_of("model").hex() + " m.onnx\n" + hash_of("weights").hex() + " w.bin\n";
  ASSERT_TRUE(is_ok(quantize(part_of(kScales, lines, R"(["w.bin"])"))));
  const auto origin = calibration::decode_cache_origin(folder_.read("out/net.calib_cache.json")).value();
  EXPECT_EQ(origin.model_sha256, hash_of(lines));
}

TEST_F(QuantizeCacheTest, AModelThatIsNotTheCalibratedOneIsRefused) {
  EXPECT_TRUE(is_build_error(quantize(part_of(kScales, "another")), Reason::kModelUnreadable, "m.onnx"));
  meanwhile_ = "printf other > '" + job_.model.string() + "'\n";
  EXPECT_TRUE(is_build_error(quantize(part_of(kScales)), Reason::kModelUnreadable, "m.onnx"));
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(QuantizeCacheTest, WhatTheTextDoesNotHoldIsRefusedBeforeAnythingIsWritten) {
  job_.out = folder_.path() / "out" / "int8.onnx";
  for (const char* scales :
       {"[]", R"([["x", 0.0]])", R"([["x", 1e30]])", R"([["a\nb", 1.0]])", R"([["x", 1.0], ["x", 1.0]])"}) {
    EXPECT_TRUE(
        is_error(quantize(part_of(scales)), ErrorCode::kCalibrationCache, Reason::kMalformed, "calibration"))
        << scales;
  }
  for (const std::string& part : {part_of(R"([["x"]])"), part_of(R"([[1, 1.0]])"), part_of("{}"),
                                  part_of(kScales, "model", "[1]"), std::string(R"("other": 1)")}) {
    EXPECT_TRUE(is_error(quantize(part), ErrorCode::kInternal, Reason::kInternal)) << part;
  }
  EXPECT_THAT(left(), IsEmpty());
}

Status status_of(const Result<Json>& result) { return result.ok() ? Status() : Status(result.error()); }

/// Fails one operation after the other of the disk, until none is left to fail.
template <typename Judge>
void sweep_faults(QuantizeJob& job, const std::function<Status()>& quantize, Judge judge) {
  FaultFileSystem disk;
  std::uint64_t refused = 0;
  for (std::uint64_t at = 1;; ++at) {
    job.files = &disk;
    disk.arm({.fail_at = at, .reason = Reason::kDiskFull, .error_number = ENOSPC});
    const Status done = quantize();
    if (!disk.has_fired()) {
      EXPECT_TRUE(is_ok(done)) << "the control";
      break;
    }
    judge(done, disk.journal().back());
    refused += done.ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 20U) << "the control";
}

TEST_F(QuantizeCacheTest, AFailingDiskLeavesNothingSoThatItCanBeTriedAgain) {
  std::filesystem::create_directory(folder_.path() / "models");
  job_.out = folder_.path() / "models" / "int8.onnx";
  const auto seen = [this] {
    std::vector<std::string> names;
    for (const char* folder : {"models", "out"})
      for (const std::string& name :
           posix_file_system().open_folder(folder_.path() / folder).value()->list().value())
        if (!name.starts_with(".skua-quantize-"))
          names.push_back(name);  // whose removal failed; the next one's
    return names;
  };
  std::set<std::string> told;
  sweep_faults(
      job_, [this] { return status_of(quantize(part_of(kScales))); },
      [&](const Status& done, const std::string& operation) {
        EXPECT_EQ(seen().size(), done.ok() ? 5U : 0U) << operation;
        for (const char* name : {"models", "out"})
          if (!done.ok() &&
              done.error().message.starts_with("cannot write to " + (folder_.path() / name).string()))
            told.insert(name);
        for (const std::string& name : seen())
          std::filesystem::remove(folder_.path() / (name == "int8.onnx" ? "models" : "out") / name);
      });
  EXPECT_THAT(left(), ElementsAre("net.calib_cache", "net.calib_cache.dataset_sha256", "net.calib_cache.json",
                                  "net.calib_cache.sha256"))
      << "nothing hidden";
  EXPECT_THAT(told, ElementsAre("models", "out")) << "the folder whose disk is full";
}

TEST_F(QuantizeCacheTest, AFailingDiskLeavesNoMixtureOfTwoCachesThatAnythingVouchesFor) {
  job_.may_overwrite = true;
  const std::string other = part_of(R"([["images", 1.0]])");
  ASSERT_TRUE(is_ok(quantize(other)));
  int broken = 0;
  sweep_faults(
      job_, [this] { return status_of(quantize(part_of(kScales))); },
      [&](const Status&, const std::string& operation) {
        const std::string digest = hash_of(folder_.read("out/net.calib_cache")).hex();
        bool is_whole = true;
        for (const char* voucher : {"out/net.calib_cache.sha256", "out/net.calib_cache.json"}) {
          const bool is_there = folder_.has(voucher);
          EXPECT_TRUE(!is_there || folder_.read(voucher).find(digest) != std::string::npos) << operation;
          is_whole = is_whole && is_there;
        }
        if (is_whole) return;
        ++broken;
        job_.files = &posix_file_system();
        EXPECT_TRUE(is_ok(quantize(other))) << operation;
      });
  EXPECT_GT(broken, 0) << "the control: what replaces a cache may leave none that is used";
}

TEST_F(QuantizeCacheTest, ACacheIsReplacedOnlyWhenAsked) {
  for (const char* ending : {"", ".sha256", ".dataset_sha256", ".json"}) {
    const auto file = folder_.write(std::string("out/net.calib_cache") + ending, "mine");
    EXPECT_TRUE(is_error(quantize(part_of(kScales)), ErrorCode::kIo, Reason::kExists, file.string()));
    EXPECT_THAT(left(), ElementsAre(file.filename().string()));
    std::filesystem::remove(file);
  }
  folder_.write("out/net.calib_cache", "old");
  job_.may_overwrite = true;
  ASSERT_TRUE(is_ok(quantize(part_of(kScales))));
  EXPECT_EQ(folder_.read("out/net.calib_cache"), kText);
}

TEST_F(QuantizeCacheTest, ACacheThatAppearsMeanwhileIsNotReplaced) {
  meanwhile_ = "printf new > '" + job_.cache->file.string() + "'\n";
  EXPECT_TRUE(is_error(quantize(part_of(kScales)), ErrorCode::kIo, Reason::kExists));
  EXPECT_EQ(folder_.read("out/net.calib_cache"), "new");
  EXPECT_THAT(left(), ElementsAre("net.calib_cache"));
}

}  // namespace
}  // namespace skua::test
