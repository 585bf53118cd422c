#include "calibration/cache_origin.h"

#include <gtest/gtest.h>

#include "calibration/cache_files.h"
#include "core/hash.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::calibration {
namespace {

using test::is_error;
using test::is_ok;

Sha256 hash_of(std::string_view text) { return sha256_of(std::as_bytes(std::span(text))); }

CacheOrigin any_origin() {
  return {hash_of("model"),
          {hash_of("data"), 400, hash_of("cache"), "EntropyCalibration2", std::string(kCpuProducer)},
          100300};
}

std::string edited(const std::string& what, const std::string& by) {
  std::string text = encode_cache_origin(any_origin());
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(CacheOrigin, WhatWasEncodedIsDecoded) {
  CacheOrigin origin = any_origin();
  EXPECT_EQ(decode_cache_origin(encode_cache_origin(origin)).value(), origin);
  origin.calibration.algorithm = "MinMaxCalibration";
  origin.calibration.producer = kTensorRtProducer;
  origin.calibration.sample_count = 1;
  origin.library_version = 999'999;
  EXPECT_EQ(decode_cache_origin(encode_cache_origin(origin)).value(), origin);
}

TEST(CacheOrigin, EveryFieldIsAskedForAndNoneBesides) {
  for (const char* key : {"kind", "schema", "model_sha256", "dataset_sha256", "sample_count", "cache_sha256",
                          "algorithm", "producer", "tensorrt_version"}) {
    const std::string quoted = "\"" + std::string(key) + "\"";
    EXPECT_TRUE(is_error(decode_cache_origin(edited(quoted, "\"other\"")), ErrorCode::kCalibrationCache,
                         Reason::kMalformed, key))
        << key;
  }
  EXPECT_TRUE(is_error(decode_cache_origin(edited("{", "{\"more\": 1,")), ErrorCode::kCalibrationCache,
                       Reason::kMalformed, "more"));
}

TEST(CacheOrigin, FieldsAreBounded) {
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"skua.calibration-origin", "skua.build-record"},
      {"\"schema\": 1", "\"schema\": 2"},
      {"\"sample_count\": 400", "\"sample_count\": 0"},
      {"\"sample_count\": 400", "\"sample_count\": 1000001"},
      {"\"sample_count\": 400", "\"sample_count\": 4.5"},
      {"\"tensorrt_version\": 100300", "\"tensorrt_version\": 0"},
      {"\"tensorrt_version\": 100300", "\"tensorrt_version\": 1000000"},
      {"EntropyCalibration2", "entropy2"},
      {std::string(kCpuProducer), ""},
      {std::string(kCpuProducer), "\\u001b[2J"},
      {std::string(kCpuProducer), std::string(256, 'p')},
      {hash_of("model").hex(), "00"}};
  for (const auto& [what, by] : edits) {
    EXPECT_TRUE(is_error(decode_cache_origin(edited(what, by)), ErrorCode::kCalibrationCache,
                         Reason::kMalformed, "origin of a calibration cache: "))
        << what << " -> " << by;
  }
  EXPECT_TRUE(is_ok(decode_cache_origin(edited("400", "1000000")))) << "the control";
}

TEST(CacheOrigin, NoTextThatIsCutOrTooLargeIsRead) {
  const std::string text = encode_cache_origin(any_origin());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {  // without its last line end it is whole
    EXPECT_TRUE(
        is_error(decode_cache_origin(text.substr(0, size)), ErrorCode::kCalibrationCache, Reason::kMalformed))
        << size;
  }
  EXPECT_TRUE(is_error(decode_cache_origin(text + std::string(kMaxOriginBytes, ' ')),
                       ErrorCode::kCalibrationCache, Reason::kMalformed));
}

/// A cache of ranges that the CPU found: used where the policy allows its producer, and nowhere else.
TEST(CacheOrigin, ACacheOfTheCpuIsUsedOnlyWhereItsProducerIsAllowed) {
  const test::TempFolder root;
  const auto folder = posix_file_system().open_folder(root.path()).value();
  const std::string text = "TRT-100300-EntropyCalibration2\nimages: 3c010a14\n";
  CacheOrigin origin = any_origin();
  origin.calibration.cache_sha256 =
      publish_cache(*folder, "net", text, origin.calibration.dataset_sha256).value();
  const CacheOrigin read = decode_cache_origin(encode_cache_origin(origin)).value();
  const RecordedOrigin recorded{read.model_sha256, read.calibration};
  Expectation expected;
  expected.dataset_sha256 = origin.calibration.dataset_sha256;
  expected.sample_count = 400;
  expected.model_sha256 = origin.model_sha256;
  expected.library_version = 100300;
  expected.producers = {std::string(kTensorRtProducer)};
  const JudgedCache refused = judge_cache(*folder, "net", recorded, expected).value();
  EXPECT_EQ(refused.verdict, Verdict::kCalibrate);
  EXPECT_NE(refused.why.find("another producer"), std::string::npos) << refused.why;
  expected.producers.emplace_back(kCpuProducer);
  const JudgedCache used = judge_cache(*folder, "net", recorded, expected).value();
  EXPECT_EQ(used.verdict, Verdict::kReuse) << used.why;
  EXPECT_EQ(used.text, text);
}

}  // namespace
}  // namespace skua::calibration
