// SIGKILL at random moments of a process that publishes, with another process that reads: a reader sees the
// old set or the new one, never a bad one and never none; what was committed stays; what was begun is cleared
// away by the next writer.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "counts.h"
#include "publisher.h"

namespace skua::test {
namespace {

/// A world on the disk that is under /tmp, and the process that reads it.
class KillRandom : public testing::Test {
 protected:
  KillRandom() : world_{temp_.path()}, record_(make_world(world_)) {
    publish_number(posix_file_system(), world_, record_, 1).value();
    const std::int64_t start_ns = system_clock().monotonic_ns();
    publish_number(posix_file_system(), world_, record_, 2).value();
    shared_->last_ns = system_clock().monotonic_ns() - start_ns;
    shared_->begun = shared_->committed = 2;
    reader_ = fork_child([this] {
      std::uint64_t last = 0;
      for (;;) read_once(world_, *shared_, last);
    });
  }
  ~KillRandom() override {
    kill(reader_, SIGKILL);
    wait_for(reader_);
  }

  /// Starts a publisher, kills it after a random time, and answers what the world looks like then.
  void kill_once(const Publish& publish) {
    const std::uint64_t committed = shared_->committed;
    const pid_t publisher = fork_child([&] { publish_for_ever(world_, record_, *shared_, publish); });
    const auto longest_us =
        static_cast<std::int64_t>(patience_ * (500.0 + 2.0 * static_cast<double>(shared_->last_ns) / 1000.0));
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution<std::int64_t>(0, longest_us)(random_)));
    kill(publisher, SIGKILL);
    const int status = wait_for(publisher);
    if (!WIFSIGNALED(status))
      complain("the publisher ended by itself, wait status " + std::to_string(status));
    ++kills_;
    if (shared_->begun > shared_->committed) ++inside_;
    judge();
    // On a machine that has become busy no publish would come through that says how long one takes now.
    patience_ = shared_->committed > committed ? 1.0 : patience_ * 1.1;
  }

  void complain(const std::string& text) {
    complaints_.push_back("kill " + std::to_string(kills_) + ": " + text);
  }

  /// With new eyes; then as the next writer, who also counts what became of the set that was cut.
  void judge() {
    const auto number = flying(posix_file_system(), world_);
    if (!number.ok()) {
      complain(number.error().describe());
      return;
    }
    if (*number < shared_->committed) complain("a committed set was lost");
    if (*number > shared_->begun) complain("a set flies that was never begun");
    if (*number > shared_->committed) ++moved_;
    if (!leftovers(world_.root).empty()) ++with_leftovers_;
    if (const auto lock = WriterLock::take(posix_file_system(), world_.sets()); !lock.ok()) {
      complain("next writer: " + lock.error().describe());
    }
    if (const auto left = leftovers(world_.root); !left.empty()) complain("left behind: " + left.front());
    shared_->committed = *number;
    remove_old(*number);
  }

  /// A disk does not hold 100,000 sets. The one that may be being read stays, and so does the one that was
  /// cut.
  void remove_old(std::uint64_t number) {
    for (; oldest_ + 1 < number; ++oldest_) fs::remove_all(world_.sets() / set_id_of(oldest_));
  }

  void print() const {
    std::cout << kills_ << " kills, " << inside_ << " inside of a publish: " << with_leftovers_
              << " left something for the next writer, " << moved_ << " had moved CURRENT; "
              << shared_->committed << " sets; the reader passed " << shared_->reads << " and looked again "
              << shared_->misses << " times\n";
  }

  TempFolder temp_;
  World world_;
  EngineRecord record_;
  const Shared<Publishing> shared_;
  pid_t reader_ = -1;
  std::mt19937 random_{20260401};
  std::uint64_t oldest_ = 1;
  double patience_ = 1.0;  ///< how much longer than the last publish took one may take now
  std::int64_t kills_ = 0, inside_ = 0, with_leftovers_ = 0, moved_ = 0;
  std::vector<std::string> complaints_;
};

Status publish_well(const World& world, const EngineRecord& record, std::uint64_t number) {
  SKUA_RETURN_IF_ERROR(publish_number(posix_file_system(), world, record, number));
  return {};
}

TEST_F(KillRandom, TheOldSetOrTheNewOneIsThere) {
  const std::int64_t wanted = skua_test::count("kill_random");
  while (kills_ < wanted && complaints_.size() < 10) kill_once(publish_well);
  for (const std::string& complaint : complaints_) ADD_FAILURE() << complaint;
  print();
  EXPECT_EQ(shared_->bad, 0U) << static_cast<const char*>(shared_->first_bad);
  EXPECT_GE(inside_ * 2, kills_) << "most kills hit nothing";
  EXPECT_GE(with_leftovers_ * 10, kills_) << "hardly a kill cut a set in two";
  EXPECT_GE(static_cast<std::int64_t>(shared_->committed) * 10, kills_) << "hardly a set came through";
  EXPECT_GE(static_cast<std::int64_t>(shared_->reads), wanted / 10) << "nobody was reading";
  skua_test::reached("kill_random", kills_);
}

/// Negative control: a publisher that fills the set in its place, with CURRENT on it, is caught by the reader
/// and by the look after the kill.
TEST_F(KillRandom, APublisherInPlaceIsCaught) {
  const Publish publish_badly = [](const World& world, const EngineRecord& record,
                                   std::uint64_t number) -> Status {
    std::ofstream(world.sets() / kCurrentName) << set_id_of(number) << "\n";
    return publish_well(world, record, number);
  };
  while (kills_ < 200 && (complaints_.empty() || shared_->bad == 0)) kill_once(publish_badly);
  EXPECT_FALSE(complaints_.empty());
  EXPECT_GT(shared_->bad, 0U);
}

}  // namespace
}  // namespace skua::test
