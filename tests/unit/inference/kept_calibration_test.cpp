// The calibration cache around a build: what is moved aside, removed, published, and what an error of the
// disk does not decide.
#include "inference/kept_calibration.h"

#include <gmock/gmock.h>

#include "cache/engine_record.h"
#include "cache/publish.h"
#include "core/hash.h"
#include "fake_runtime.h"
#include "fault_filesystem.h"
#include "temp_folder.h"
#include "tests/unit/cache/cache_fixture.h"
#include "verdicts.h"

namespace skua::kept_calibration_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kArtifact = "net__sm87_jp6.2_trt10.3_int8.engine";
const std::string kCache = "net__sm87_jp6.2_trt10.3_int8.calib_cache";
const std::string kText = "TRT-100300-EntropyCalibration2\nimages: 3c010a14\n";

Sha256 digest_of(std::string_view text) { return sha256_of(std::as_bytes(std::span(text))); }

class KeptCalibration : public testing::Test {
 protected:
  KeptCalibration() {
    record_.file = kArtifact;
    record_.precision = Precision::kInt8;
    record_.golden.file = kArtifact + ".golden";
    record_.calibration =
        CalibrationProvenance{digest_of("data"), 8, digest_of(kText), "EntropyCalibration2", "tensorrt"};
    context_.files = &files_;
    context_.events = &events_;
    context_.config.engine_cache_dir = root_.path();
    root_.write(kArtifact + ".json", encode_build_record(record_));
    EXPECT_TRUE(test::is_ok(keep_calibration(cache_, kText, record_, events_)));
    events_.events.clear();
  }
  std::vector<std::string> names() { return cache_.folder().list().value(); }
  Result<std::optional<std::string>> reject() {
    return reject_untrusted_calibration(cache_, kArtifact, context_);
  }

  test::TempFolder root_;
  test::FaultFileSystem files_;
  test::RecordingSink events_;
  CompileContext context_;
  EngineRecord record_ = test::plan_record();
  WriterLock cache_ = WriterLock::take(files_, root_.path()).value();
};

TEST_F(KeptCalibration, WhatIsProvenStays) {
  EXPECT_EQ(reject().value(), std::nullopt);
  EXPECT_THAT(names(), testing::Contains(kCache));
  EXPECT_THAT(events_.events, IsEmpty());
}

TEST_F(KeptCalibration, WhatIsDamagedGoesAsideAndIsTold) {
  root_.write(kCache, kText + "x");
  context_.strict_calibration = true;
  EXPECT_TRUE(
      test::is_error(reject(), ErrorCode::kCalibrationCache, Reason::kMalformed, "--strict-calibration"));
  EXPECT_THAT(names(), testing::Contains(kCache)) << "the control: strict moves nothing";
  EXPECT_THAT(events_.events, IsEmpty());
  context_.strict_calibration = false;
  EXPECT_THAT(reject().value().value(), HasSubstr(kCache));
  EXPECT_THAT(names(), testing::Not(testing::Contains(kCache)));
  ASSERT_EQ(events_.events.size(), 1U);
  EXPECT_EQ(events_.events[0].kind, "c7.calibration_cache_rejected");
  EXPECT_EQ(events_.events[0].level, Level::kError);
}

TEST_F(KeptCalibration, WithoutARecordNothingVouches) {
  std::filesystem::remove(root_.path() / (kArtifact + ".json"));
  EXPECT_THAT(reject().value().value(), HasSubstr("no build record"));
}

/// Every call of the system fails once: a cache that is good is never moved for it.
TEST_F(KeptCalibration, AnErrorOfTheDiskIsNoVerdict) {
  for (const bool has_memory : {true, false}) {
    std::uint64_t swept = 0;
    for (std::uint64_t at = 1;; ++at, ++swept) {
      files_.arm(has_memory ? test::FaultPlan{.fail_at = at} : test::without_memory(at));
      const auto rejected = reject();
      const bool has_fired = files_.has_fired();
      files_.arm({});
      ASSERT_THAT(names(), testing::Contains(kCache)) << at;
      ASSERT_THAT(events_.events, IsEmpty()) << at;
      if (!has_fired) break;
      ASSERT_FALSE(rejected.ok()) << at;
      EXPECT_EQ(rejected.error().code, has_memory ? ErrorCode::kCalibrationCache : ErrorCode::kOutOfMemory);
    }
    EXPECT_GT(swept, 5U);
  }
}

TEST_F(KeptCalibration, ACacheThatTheNewRecordDoesNotNameGoes) {
  EXPECT_TRUE(test::is_ok(drop_calibration(cache_, record_)));
  EXPECT_THAT(names(), testing::Contains(kCache)) << "the control: this one it names";
  record_.calibration->cache_sha256 = digest_of("the model");
  EXPECT_TRUE(test::is_ok(drop_calibration(cache_, record_)));
  for (const std::string& name : names()) EXPECT_THAT(name, testing::Not(HasSubstr("calib_cache")));
}

TEST_F(KeptCalibration, OnlyTheTextThatTheRecordNamesIsTaken) {
  const std::string staging = cache_.make_staging().value();
  EXPECT_EQ(staged_calibration(cache_, staging, record_).value(), "");
  const auto stage = [&](const std::string& text) {
    root_.write(staging + "/" + kArtifact + ".calib_cache", text);
  };
  stage(kText);
  EXPECT_EQ(staged_calibration(cache_, staging, record_).value(), kText);
  stage(kText + "other: 3c010a14\n");
  EXPECT_TRUE(test::is_error(staged_calibration(cache_, staging, record_), ErrorCode::kCalibrationCache,
                             Reason::kMalformed, "nothing was published"));
  stage("no cache");
  EXPECT_FALSE(staged_calibration(cache_, staging, record_).ok());
}

TEST_F(KeptCalibration, AFailedCalibrationInPlaceOfARejectedOneIsToldAsThat) {
  const Error bad = make_error(ErrorCode::kEngineBuild, Reason::kDataSetMalformed, "003.npz");
  EXPECT_EQ(without_calibration(bad, "damaged").code, ErrorCode::kCalibrationCache);
  EXPECT_THAT(without_calibration(bad, "damaged").message,
              testing::AllOf(HasSubstr("damaged"), HasSubstr("003")));
  const Error other = make_error(ErrorCode::kEngineBuild, Reason::kCancelled, "cancelled");
  EXPECT_EQ(without_calibration(other, "damaged").code, ErrorCode::kEngineBuild);
}

}  // namespace
}  // namespace skua::kept_calibration_test
