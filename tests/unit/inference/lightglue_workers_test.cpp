// The threads that share a batch: every item once, nobody waited for without need, orderly ends.
#include <gtest/gtest.h>

#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <set>
#include <string>

#include "counts.h"
#include "inference/lightglue_workers.h"

namespace skua::test {
namespace {

using lightglue::SharedWork;
using lightglue::SharingThreads;

class CountingWork final : public SharedWork {
 public:
  explicit CountingWork(std::size_t count) : times(count) {}
  void run(std::size_t, std::size_t item) noexcept override { ++times[item]; }
  bool is_done_once() const {
    for (const auto& count : times) {
      if (count != 1) return false;
    }
    return true;
  }
  std::vector<std::atomic<int>> times;
};

TEST(LightGlueWorkersTest, EveryItemIsRunOnce) {
  const auto threads = SharingThreads::start(3).value();
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    CountingWork work(static_cast<std::size_t>(round % 12));
    threads->run(work, work.times.size());
    ASSERT_TRUE(work.is_done_once()) << round;
  }
}

/// The item that is taken first ends when all others have: who dealt the items out beforehand would stand.
class HeldUpWork final : public SharedWork {
 public:
  explicit HeldUpWork(int others) : others_(others) {}
  void run(std::size_t, std::size_t item) noexcept override {
    if (item != 0) {
      ++ended_;
      ended_.notify_all();
      return;
    }
    for (int ended = ended_; ended != others_; ended = ended_) ended_.wait(ended);
  }

 private:
  int others_;
  std::atomic<int> ended_{0};
};

TEST(LightGlueWorkersTest, AThreadThatIsHeldUpHoldsUpItsOwnItemAlone) {
  const auto threads = SharingThreads::start(1).value();
  HeldUpWork work(9);
  threads->run(work, 10);
}

TEST(LightGlueWorkersTest, WithoutThreadsTheCallerRunsAll) {
  const auto threads = SharingThreads::start(0).value();
  CountingWork work(5);
  threads->run(work, 5);
  EXPECT_TRUE(work.is_done_once());
}

TEST(LightGlueWorkersTest, IdleThreadsAndThoseThatHaveJustFinishedEnd) {
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    const auto idle = SharingThreads::start(2).value();
    const auto finished = SharingThreads::start(2).value();
    CountingWork work(4);
    finished->run(work, 4);
  }
}

/// Keeps every item until two threads have one, and asks the one that is not the caller who it is.
class AskingWork final : public SharedWork {
 public:
  void run(std::size_t worker, std::size_t) noexcept override {
    ++inside_;
    inside_.notify_all();
    for (int inside = inside_; inside < 2; inside = inside_) inside_.wait(inside);
    if (worker == 0) return;
    std::array<char, 16> text{};
    ::pthread_getname_np(::pthread_self(), text.data(), text.size());
    name = text.data();
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  }
  std::string name;
  sigset_t blocked{};

 private:
  std::atomic<int> inside_{0};
};

TEST(LightGlueWorkersTest, ThreadsHaveANameAndHandleNoSignals) {
  const auto threads = SharingThreads::start(1).value();
  AskingWork work;
  threads->run(work, 2);
  EXPECT_EQ(work.name, "skua-match-1");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1})
    EXPECT_EQ(::sigismember(&work.blocked, signal), 1) << signal;
  sigset_t own{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &own);
  EXPECT_EQ(::sigismember(&own, SIGTERM), 0);
}

void bind_to(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpu), &only);
  ::sched_setaffinity(0, sizeof(only), &only);
}

/// Both threads have an item at the same time; the one that is not the caller notes its core, then moves to
/// the caller's.
class CollidingWork final : public SharedWork {
 public:
  explicit CollidingWork(int caller_cpu) : caller_cpu_(caller_cpu) {}
  void run(std::size_t worker, std::size_t) noexcept override {
    ++inside_;
    inside_.notify_all();
    for (int inside = inside_; inside % 2 == 1; inside = inside_) inside_.wait(inside);
    if (worker == 0) return;
    cpu = ::sched_getcpu();
    bind_to(caller_cpu_);
  }
  int cpu = -1;

 private:
  int caller_cpu_;
  std::atomic<int> inside_{0};
};

TEST(LightGlueWorkersTest, AThreadLeavesTheCallersCore) {
  cpu_set_t usable;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(usable), &usable), 0);
  if (CPU_COUNT(&usable) < 2) GTEST_SKIP() << "this process may use one core only";
  const auto threads = SharingThreads::start(1).value();
  const int cpu = ::sched_getcpu();
  bind_to(cpu);
  CollidingWork work(cpu);
  for (int round = 0; round < 20; ++round) {
    threads->run(work, 2);
    if (round == 0) continue;
    EXPECT_NE(work.cpu, cpu) << round;
  }
  ::sched_setaffinity(0, sizeof(usable), &usable);
}

}  // namespace
}  // namespace skua::test
