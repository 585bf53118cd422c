#include "calibration/cache_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <set>

#include "cache/sidecar_file.h"
#include "core/hash.h"
#include "counts.h"
#include "fault_filesystem.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::calibration {
namespace {

namespace fs = std::filesystem;
using test::FaultFileSystem;
using test::is_error;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kStem = "net__sm87_jp6.2_trt10.3_int8";
const std::string kCache = kStem + ".calib_cache";
const std::string kText = "TRT-100300-EntropyCalibration2\nimages: 3c010a14\n/conv/Conv_output_0: 3d800000\n";

Sha256 digest_of(std::string_view text) { return sha256_of(std::as_bytes(std::span(text))); }

class CacheFiles : public testing::Test {
 protected:
  CacheFiles() {
    expected_.dataset_sha256 = digest_of("data set");
    expected_.sample_count = 500;
    expected_.model_sha256 = digest_of("model");
    expected_.library_version = 100300;
    expected_.producers = {"tensorrt"};
    publish(kText);
  }

  Folder& folder() { return *folder_; }
  void publish(const std::string& text) {
    const Sha256 digest = publish_cache(folder(), kStem, text, expected_.dataset_sha256).value();
    origin_ = RecordedOrigin{expected_.model_sha256,
                             {expected_.dataset_sha256, 500, digest, "EntropyCalibration2", "tensorrt"}};
  }
  JudgedCache judge() { return judge_cache(folder(), kStem, origin_, expected_).value(); }
  /// "damaged: ..." where it is not used for that.
  std::string verdict() {
    const JudgedCache judged = judge();
    if (judged.verdict != Verdict::kReuse) {
      EXPECT_EQ(judged.text, "");
    }
    return std::string(to_string(judged.verdict)) + ", " + std::string(to_string(judged.findings.state)) +
           ": " + judged.why;
  }
  std::vector<std::string> names(const std::string& below = "") {
    return posix_file_system().open_folder(root_.path() / below).value()->list().value();
  }

  TempFolder root_;
  std::unique_ptr<Folder> folder_ = posix_file_system().open_folder(root_.path()).value();
  Expectation expected_;
  std::optional<RecordedOrigin> origin_;
};

TEST_F(CacheFiles, WhatWasPublishedForThisBuildIsUsed) {
  EXPECT_THAT(names(), ElementsAre(kCache, kCache + ".dataset_sha256", kCache + ".sha256"));
  EXPECT_EQ(root_.read(kCache + ".sha256"), digest_of(kText).hex());
  EXPECT_EQ(root_.read(kCache + ".dataset_sha256"), digest_of("data set").hex());
  const JudgedCache judged = judge();
  EXPECT_EQ(judged.verdict, Verdict::kReuse) << judged.why;
  EXPECT_EQ(judged.text, kText);
}

TEST_F(CacheFiles, NoCacheIsNoFault) {
  for (const std::string& name : names()) fs::remove(root_.path() / name);
  EXPECT_THAT(verdict(), HasSubstr("calibrate, absent"));
}

/// Each of what it was made from alone, the rest being the same.
TEST_F(CacheFiles, AnotherOriginIsNamedAndNotUsed) {
  const Expectation same = expected_;
  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"data set", [&] { expected_.dataset_sha256 = digest_of("noise"); }},
      {"data set", [&] { expected_.sample_count = 499; }},
      {"model", [&] { expected_.model_sha256 = digest_of("retrained"); }},
      {"algorithm", [&] { expected_.algorithm = Algorithm::kMinMax; }},
      {"TensorRT", [&] { expected_.library_version = 100400; }},
      {"producer", [&] { expected_.producers = {"another"}; }}};
  for (const auto& [what, change] : changes) {
    expected_ = same;
    change();
    EXPECT_THAT(verdict(), HasSubstr("calibrate, proven: ")) << what;
    EXPECT_THAT(verdict(), HasSubstr("was made from another " + what));
  }
}

TEST_F(CacheFiles, ACacheThatNothingVouchesForIsSetAside) {
  const std::optional<RecordedOrigin> good = origin_;
  const auto is_unproven = [&](const std::string& why) {
    EXPECT_THAT(verdict(), HasSubstr("set aside, unproven: "));
    EXPECT_THAT(verdict(), HasSubstr(why));
    origin_ = good;
  };
  origin_.reset();
  is_unproven("no build record");
  origin_->calibration.cache_sha256 = digest_of("another");
  is_unproven("speaks of another cache");
  origin_->calibration.algorithm = "MinMaxCalibration";
  is_unproven("its algorithm");
  origin_->calibration.dataset_sha256 = digest_of("other data");
  is_unproven("the digest of its data set is not the build record's");
  root_.write(kCache + ".dataset_sha256", "");
  is_unproven("the digest of its data set is not the build record's");
  fs::remove(root_.path() / (kCache + ".dataset_sha256"));
  is_unproven("the digest of its data set: the file or folder does not exist");
}

TEST_F(CacheFiles, ADamagedCacheIsSetAside) {
  const auto is_damaged = [&](const std::string& why) {
    EXPECT_THAT(verdict(), HasSubstr("set aside, damaged: "));
    EXPECT_THAT(verdict(), HasSubstr(why));
    fs::remove(root_.path() / kCache);
    publish(kText);
  };
  fs::remove(root_.path() / (kCache + ".sha256"));
  is_damaged("sidecar");
  root_.write(kCache + ".sha256", digest_of(kText).hex() + "\n");
  is_damaged("64 lower-case");
  root_.write(kCache, "");
  is_damaged("by its sidecar");
  root_.write(kCache, "no cache\n");  // with all that vouches for it
  root_.write(kCache + ".sha256", digest_of("no cache\n").hex());
  origin_->calibration.cache_sha256 = digest_of("no cache\n");
  is_damaged("expected the scale of at least one tensor");
  fs::permissions(root_.path() / kCache, fs::perms::group_write, fs::perm_options::add);
  is_damaged("the file is writable by others");
  fs::create_hard_link(root_.path() / kCache, root_.path() / "second");
  is_damaged("a second name");
  fs::rename(root_.path() / kCache, root_.path() / "elsewhere");
  fs::create_symlink("elsewhere", root_.path() / kCache);
  is_damaged("not a regular file");
  fs::remove(root_.path() / kCache);
  fs::create_directory(root_.path() / kCache);
  is_damaged("not a regular file");
}

TEST_F(CacheFiles, AnErrorOfTheDiskIsNoVerdict) {
  FaultFileSystem files;
  const auto watched = files.open_folder(root_.path()).value();
  std::uint64_t failed = 0;
  for (std::uint64_t at = 1;; ++at) {
    files.arm({.fail_at = at});
    const auto judged = judge_cache(*watched, kStem, origin_, expected_);
    if (!files.has_fired()) break;
    EXPECT_TRUE(is_error(judged, ErrorCode::kCalibrationCache, Reason::kIo, "cannot be judged")) << at;
    files.arm(test::without_memory(at));
    EXPECT_TRUE(is_error(judge_cache(*watched, kStem, origin_, expected_), ErrorCode::kOutOfMemory,
                         Reason::kOutOfMemory));
    ++failed;
  }
  EXPECT_GE(failed, 8U);
}

TEST_F(CacheFiles, WhatIsSetAsideIsKeptAndNothingOfItStays) {
  root_.write(kCache, "damaged");
  const std::string first = set_aside(folder(), kStem).value();
  EXPECT_THAT(names(), ElementsAre("rejected"));
  EXPECT_EQ(root_.read("rejected/" + first), "damaged");
  EXPECT_EQ(root_.read("rejected/" + first + ".sha256"), digest_of(kText).hex());
  root_.write(kCache, "damaged again");
  const std::string second = set_aside(folder(), kStem).value();
  EXPECT_NE(second, first);
  EXPECT_EQ(root_.read("rejected/" + first), "damaged") << "the first one is evidence";
  EXPECT_EQ(root_.read("rejected/" + second), "damaged again");
  EXPECT_TRUE(first.starts_with(kCache + "." + digest_of("damaged").hex() + "."));
}

TEST_F(CacheFiles, WhatCouldNotBeReadBackIsNotPublished) {
  EXPECT_TRUE(is_error(publish_cache(folder(), kStem, "no cache\n", expected_.dataset_sha256),
                       ErrorCode::kCalibrationCache, Reason::kMalformed));
  EXPECT_EQ(judge().verdict, Verdict::kReuse) << "the old one is as it was";
}

/// A fault anywhere, over a cache of another data set: afterwards either is used as what it is, or none.
TEST_F(CacheFiles, AnInterruptedPublishLeavesNoMixtureThatIsUsed) {
  const std::string text = "TRT-100300-EntropyCalibration2\nimages: 3d000000\n";
  const Sha256 data = expected_.dataset_sha256, other_data = digest_of("other data");
  std::set<std::string> seen;
  for (const bool is_kill : {false, true}) {
    for (std::uint64_t at = 1;; ++at) {
      expected_.dataset_sha256 = data;
      publish(kText);
      FaultFileSystem files;
      const auto watched = files.open_folder(root_.path()).value();
      files.arm({.fail_at = at, .crash = is_kill});
      const auto published = publish_cache(*watched, kStem, text, other_data);
      if (!files.has_fired()) break;
      EXPECT_TRUE(is_error(published, ErrorCode::kCalibrationCache, Reason::kIo, "cannot publish")) << at;
      // Whatever a record says, and whatever is wanted: text and data set belong together.
      for (const std::string& recorded_text : {kText, text}) {
        for (const Sha256& recorded_data : {data, other_data}) {
          origin_->calibration.cache_sha256 = digest_of(recorded_text);
          origin_->calibration.dataset_sha256 = expected_.dataset_sha256 = recorded_data;
          const JudgedCache judged = judge();
          seen.insert(std::string(to_string(judged.findings.state)));
          const bool is_mixture = (recorded_text == kText) != (recorded_data == data);
          EXPECT_FALSE(is_mixture && judged.verdict == Verdict::kReuse) << at;
        }
      }
    }
  }
  EXPECT_TRUE(seen.count("damaged") == 1 && seen.count("unproven") == 1 && seen.count("proven") == 1);
}

/// How far whoever changed a cache, or brought another one, has gone.
enum class Forgery {
  kNone,     ///< the text alone
  kSidecar,  ///< its digest fits
  kRecord,   ///< the build record fits as well, and says truly what it was made from: something else
};

struct WrongCache {
  std::string what, text;
  Forgery forgery = Forgery::kNone;
};

void add_changed_texts(std::vector<WrongCache>& wrong, Forgery forgery) {
  for (std::size_t size = 0; size < kText.size(); ++size) {
    wrong.push_back({"cut", kText.substr(0, size), forgery});
  }
  for (std::size_t at = 0; at < kText.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string text = kText;
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      wrong.push_back({"a bit", text, forgery});
    }
  }
  std::string crlf;
  for (const char c : kText) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  wrong.push_back({"CRLF", crlf, forgery});
  wrong.push_back({"another header", "TRT-8501" + kText.substr(kText.find("-E")), forgery});
  wrong.push_back({"a line more", kText + "more: 3f800000\n", forgery});
  wrong.push_back({"a line twice", kText + "images: 3c010a14\n", forgery});
  wrong.push_back({"a name of 1 MB", kText + std::string(1 << 20, 'n') + ": 3f800000\n", forgery});
}

std::vector<WrongCache> wrong_caches(std::uint64_t count) {
  std::vector<WrongCache> wrong;
  for (const Forgery forgery : {Forgery::kNone, Forgery::kSidecar, Forgery::kRecord}) {
    add_changed_texts(wrong, forgery);
  }
  wrong.push_back({"the same text of another origin", kText, Forgery::kRecord});
  std::mt19937_64 random(20261129);
  while (wrong.size() < count) {
    std::string text = kText;
    for (std::uint64_t i = 0, n = 1 + random() % 3; i < n; ++i) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (text != kText) wrong.push_back({"bytes", text, static_cast<Forgery>(random() % 3)});
  }
  return wrong;
}

/// Another origin, in one thing.
void make_foreign(RecordedOrigin& origin, std::size_t which) {
  CalibrationProvenance& calibration = origin.calibration;
  if (which % 4 == 0) calibration.dataset_sha256 = digest_of("other data");
  if (which % 4 == 1) calibration.sample_count = 1;
  if (which % 4 == 2) origin.model_sha256 = digest_of("another model");
  if (which % 4 == 3) calibration.producer = "another";
}

class WrongCaches : public CacheFiles {
 protected:
  template <typename Look>
  void look_at(const std::vector<WrongCache>& caches, const Look& look) {
    const std::optional<RecordedOrigin> good = origin_;
    for (std::size_t i = 0; i < caches.size(); ++i) {
      const WrongCache& cache = caches[i];
      root_.write(kCache, cache.text);
      const std::string_view vouched = cache.forgery == Forgery::kNone ? std::string_view(kText) : cache.text;
      root_.write(kCache + ".sha256", digest_of(vouched).hex());
      origin_ = good;
      if (cache.forgery == Forgery::kRecord) {
        origin_->calibration.cache_sha256 = digest_of(cache.text);
        make_foreign(*origin_, i);
      }
      root_.write(kCache + ".dataset_sha256", origin_->calibration.dataset_sha256.hex());
      look(cache, judge());
    }
    origin_ = good;
  }
};

TEST_F(WrongCaches, NoneIsUsed) {
  const auto caches = wrong_caches(static_cast<std::uint64_t>(skua_test::count("wrong_caches")));
  std::map<std::string, int> seen;
  look_at(caches, [&](const WrongCache& cache, const JudgedCache& judged) {
    EXPECT_NE(judged.verdict, Verdict::kReuse) << cache.what << ": " << judged.why;
    EXPECT_EQ(judged.text, "") << cache.what;
    ++seen[std::string(to_string(judged.findings.state))];
  });
  EXPECT_GT(seen["damaged"], 1000);
  EXPECT_GT(seen["unproven"], 50) << "whole, and the record speaks of another";
  EXPECT_GT(seen["proven"], 50) << "of another origin, and true about it";
  root_.write(kCache, kText);
  root_.write(kCache + ".sha256", digest_of(kText).hex());
  root_.write(kCache + ".dataset_sha256", expected_.dataset_sha256.hex());
  EXPECT_EQ(judge().verdict, Verdict::kReuse) << "the untouched one";
  skua_test::reached("wrong_caches", caches.size());
}

/// Negative control: without the table, who takes what is whole and can be read uses many of the same.
TEST_F(WrongCaches, WithoutTheTableTheyAreUsed) {
  std::uint64_t used = 0;
  look_at(wrong_caches(static_cast<std::uint64_t>(skua_test::count("wrong_caches"))),
          [&](const WrongCache&, const JudgedCache& judged) {
            used += judged.findings.state == CacheState::kUnproven ||
                    judged.findings.state == CacheState::kProven;
          });
  EXPECT_GT(used, 100U);
}

}  // namespace
}  // namespace skua::calibration
