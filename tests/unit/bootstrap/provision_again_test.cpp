// Provisioning what is provisioned already: what is read, what is believed, and what is noticed all the same.
#include <fcntl.h>
#include <sys/stat.h>

#include "provision_fixture.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

class ProvisioningAgain : public Provisioning {
 protected:
  ProvisioningAgain() {
    EXPECT_TRUE(run().ok());
    first_ = tree();
  }
  fs::path model() const { return folder_.path() / "a.onnx"; }
  std::string remembered() const { return "cache/" + std::string(kDigestCacheName); }
  /// Runs; nothing may be compiled or published. Answers how much of the models was hashed.
  std::uint64_t hashed_by_idle_run() {
    const int compiled = compiled_;
    const auto report = run();
    if (!report.ok()) {
      ADD_FAILURE() << report.error().describe();
      return 0;
    }
    EXPECT_FALSE(report->is_published);
    EXPECT_EQ(compiled_, compiled);
    EXPECT_EQ(tree(), first_);
    return report->source_bytes_hashed;
  }
  void restore() const {
    fs::remove_all(sets());
    for (const auto& [name, bytes] : first_) folder_.write(name, bytes);
  }
  /// Same size, same modification time.
  void change_model_unseen() {
    struct stat before {};
    ASSERT_EQ(stat(model().c_str(), &before), 0);
    folder_.write("a.onnx", "Model a.onnx");
    const timespec times[] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(utimensat(AT_FDCWD, model().c_str(), times, 0), 0);
  }

  std::map<std::string, std::string> first_;
};

constexpr std::uint64_t kBothModels = 24;

TEST_F(ProvisioningAgain, ModelsAtRestAreHashedOnce) {
  EXPECT_EQ(hashed_by_idle_run(), kBothModels);
  EXPECT_EQ(hashed_by_idle_run(), 0U);
  context_.rehash_sources = true;
  EXPECT_EQ(hashed_by_idle_run(), kBothModels);
  context_.rehash_sources = false;
  EXPECT_EQ(hashed_by_idle_run(), 0U);
}

TEST_F(ProvisioningAgain, TheEngineCacheHasNoSayWhileTheSetIsWhole) {
  hashed_by_idle_run();
  folder_.write("cache/a__sm0_jp0_trt0_fp32.onnx", "damaged");
  EXPECT_EQ(hashed_by_idle_run(), 0U);
  fs::remove_all(folder_.path() / "cache");
  EXPECT_EQ(hashed_by_idle_run(), kBothModels) << "what was remembered went with it";
  EXPECT_FALSE(fs::exists(folder_.path() / "cache"));
}

TEST_F(ProvisioningAgain, AnUnseenChangeOfAModelIsNoticed) {
  hashed_by_idle_run();
  change_model_unseen();
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_TRUE(report->is_published);
  EXPECT_EQ(folder_.read(fs::relative(current(), folder_.path()) / "a__sm0_jp0_trt0_fp32.onnx"),
            "Model a.onnx");
}

TEST_F(ProvisioningAgain, AModelMovedIntoPlaceIsNoticed) {
  hashed_by_idle_run();
  folder_.write("new.onnx", "Model a.onnx");
  fs::last_write_time(folder_.path() / "new.onnx", fs::last_write_time(model()));
  fs::rename(folder_.path() / "new.onnx", model());
  EXPECT_TRUE(run()->is_published);
}

TEST_F(ProvisioningAgain, AFlippedBitInAnyFileOfTheSetIsNoticed) {
  hashed_by_idle_run();
  for (const auto& [name, bytes] : first_) {
    std::string flipped = bytes;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    folder_.write(name, flipped);
    const auto report = run();
    // A damaged manifest does not even give its sequence away: its set id is taken, which is said.
    EXPECT_TRUE(report.ok() ? report->is_published : report.error().reason == Reason::kExists) << name;
    restore();
    EXPECT_EQ(hashed_by_idle_run(), 0U) << "the control";
  }
}

TEST_F(ProvisioningAgain, AForgedMemoryHidesAChangeButDamagesNothing) {
  const auto digest = [this] { return Sha256Sidecar::digest_file(model()).value().hex(); };
  const std::string of_old = digest();
  hashed_by_idle_run();
  folder_.write("a.onnx", "Model a.onnx");
  fail_ = "a";
  EXPECT_EQ(run().error().reason, Reason::kModelMalformed) << "the control: the change is noticed";
  DigestCache digests(clock_);
  const auto cache = posix_file_system().open_folder(folder_.path() / "cache").value();
  digests.read(*cache);
  ASSERT_TRUE(digests.digest_of(posix_file_system(), model()).ok());
  ASSERT_TRUE(digests.write(*cache).ok());
  std::string text = folder_.read(remembered());
  folder_.write(remembered(), text.replace(text.find(digest()), of_old.size(), of_old));
  EXPECT_EQ(hashed_by_idle_run(), 0U) << "the old set stays, and it is whole";
  context_.rehash_sources = true;
  EXPECT_EQ(run().error().reason, Reason::kModelMalformed);
}

TEST_F(ProvisioningAgain, ACancelledRunLeavesNoWrongMemory) {
  cancelled_ = true;
  EXPECT_EQ(run().error().reason, Reason::kCancelled);
  EXPECT_EQ(tree(), first_);
  cancelled_ = false;
  change_model_unseen();
  cancel_while_compiling_ = true;
  EXPECT_EQ(run().error().reason, Reason::kCancelled);
  cancel_while_compiling_ = false;
  cancelled_ = false;
  EXPECT_TRUE(run()->is_published) << "the change is not forgotten over it";
}

}  // namespace
}  // namespace skua::test
