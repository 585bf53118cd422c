#include "calibration/cache_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

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
  is_unproven("the digest of its data set cannot be read");
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
  publish("no cache\n");  // with all that vouches for it
  is_damaged("expected the scale of at least one tensor");
  fs::permissions(root_.path() / kCache, fs::perms::group_write, fs::perm_options::add);
  is_damaged("write permission");
  fs::create_hard_link(root_.path() / kCache, root_.path() / "second");
  is_damaged("name");
  fs::rename(root_.path() / kCache, root_.path() / "elsewhere");
  fs::create_symlink("elsewhere", root_.path() / kCache);
  is_damaged("a symbolic link");
  fs::remove(root_.path() / kCache);
  fs::create_directory(root_.path() / kCache);
  is_damaged("a folder");
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
  EXPECT_TRUE(first.starts_with(kCache + "."));
}

/// A fault anywhere: afterwards the old cache is used, or the new one, or none, and never a mixture.
TEST_F(CacheFiles, AnInterruptedPublishLeavesNoCacheThatIsUsedWrongly) {
  const std::string text = "TRT-100300-EntropyCalibration2\nimages: 3d000000\n";
  const std::optional<RecordedOrigin> old_origin = origin_;
  std::set<std::string> seen;
  for (const bool is_kill : {false, true}) {
    for (std::uint64_t at = 1;; ++at) {
      publish(kText);
      const std::optional<RecordedOrigin> old = origin_;
      FaultFileSystem files;
      const auto watched = files.open_folder(root_.path()).value();
      test::FaultPlan plan;
      plan.fail_at = at;
      plan.crash = is_kill;
      files.arm(plan);
      const auto published = publish_cache(*watched, kStem, text, expected_.dataset_sha256);
      if (!files.has_fired()) break;
      EXPECT_TRUE(is_error(published, ErrorCode::kCalibrationCache, Reason::kIo, "cannot publish")) << at;
      for (const Sha256& digest : {digest_of(kText), digest_of(text)}) {
        origin_ = old;
        origin_->calibration.cache_sha256 = digest;
        const JudgedCache judged = judge();
        seen.insert(std::string(to_string(judged.findings.state)));
        if (judged.verdict == Verdict::kReuse) {
          EXPECT_EQ(digest_of(judged.text), digest);
        }
      }
    }
  }
  EXPECT_TRUE(seen.count("damaged") == 1 && seen.count("unproven") == 1 && seen.count("proven") == 1);
}

/// A wrong cache of every kind that we can think of: what it was made from, and what has become of it since.
/// Whoever changed it has made the digests beside it fit where `forges_digests`.
struct WrongCache {
  std::string what, text;
  bool forges_digests = false;
};

std::vector<WrongCache> wrong_caches(std::uint64_t count) {
  std::vector<WrongCache> wrong;
  for (const bool forges : {false, true}) {
    for (std::size_t size = 0; size < kText.size(); ++size) {
      wrong.push_back({"cut", kText.substr(0, size), forges});
    }
    for (std::size_t at = 0; at < kText.size(); ++at) {
      for (const int bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
        std::string text = kText;
        text[at] = static_cast<char>(text[at] ^ (1 << bit));
        wrong.push_back({"a bit", text, forges});
      }
    }
    std::string crlf;
    for (const char c : kText) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    wrong.push_back({"CRLF", crlf, forges});
    wrong.push_back({"another header", "TRT-8501" + kText.substr(kText.find("-E")), forges});
    wrong.push_back({"a line more", kText + "more: 3f800000\n", forges});
    wrong.push_back({"a line twice", kText + "images: 3c010a14\n", forges});
    wrong.push_back({"a name of 1 MB", kText + std::string(1 << 20, 'n') + ": 3f800000\n", forges});
  }
  std::mt19937_64 random(20261129);
  while (wrong.size() < count) {
    std::string text = kText;
    for (std::uint64_t i = 0, n = 1 + random() % 3; i < n; ++i)
      text[random() % text.size()] = static_cast<char>(random());
    if (text != kText) wrong.push_back({"bytes", text, random() % 2 == 0});
  }
  return wrong;
}

/// How many of them are used.
template <typename Use>
std::uint64_t accepted(const TempFolder& root, const std::vector<WrongCache>& caches, const Use& is_used) {
  std::uint64_t used = 0;
  for (const WrongCache& cache : caches) {
    root.write(kCache, cache.text);
    if (cache.forges_digests) root.write(kCache + ".sha256", digest_of(cache.text).hex());
    used += is_used(cache) ? 1 : 0;
    if (cache.forges_digests) root.write(kCache + ".sha256", digest_of(kText).hex());
  }
  return used;
}

TEST_F(CacheFiles, NoWrongCacheIsUsed) {
  const auto caches = wrong_caches(static_cast<std::uint64_t>(skua_test::count("wrong_caches")));
  const std::uint64_t used = accepted(root_, caches, [&](const WrongCache& cache) {
    const JudgedCache judged = judge();
    EXPECT_EQ(judged.verdict, Verdict::kSetAside) << cache.what << ": " << judged.why;
    return judged.verdict == Verdict::kReuse;
  });
  EXPECT_EQ(used, 0U);
  root_.write(kCache, kText);
  EXPECT_EQ(judge().verdict, Verdict::kReuse) << "the untouched one";
  skua_test::reached("wrong_caches", caches.size());
}

/// Negative control: who takes whatever text can be parsed, as TensorRT does, uses many of them.
TEST_F(CacheFiles, WithoutTheTableWrongCachesAreUsed) {
  const auto caches = wrong_caches(1000);
  const std::uint64_t used =
      accepted(root_, caches, [&](const WrongCache&) { return parse_cache_text(root_.read(kCache)).ok(); });
  EXPECT_GT(used, 50U);
}

}  // namespace
}  // namespace skua::calibration
