// SIGTERM and SIGINT: seen by the flag and by a sleeper, and honoured even by a program that does not listen.
#include "flight/signal_watcher.h"

#include <gtest/gtest.h>
#include <sys/time.h>

#include <cstdio>

#include "hot_path_counters.h"
#include "process_signals.h"
#include "skua/ports.h"
#include "verdicts.h"

namespace skua::flight::signal_watcher_tests {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::is_ok;

constexpr std::int64_t kSecond = 1'000'000'000, kHang = 30 * kSecond;
constexpr std::chrono::seconds kLongGrace{60};

std::int64_t now_ns() { return system_clock().monotonic_ns(); }

std::unique_ptr<SignalWatcher> start(SignalWatcher::Options options = {kLongGrace, [] {}, 0}) {
  return SignalWatcher::start(std::move(options)).value();
}

TEST(SignalWatcherTest, ASignalIsARequest) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const PendingSignals after;
    const auto watcher = start();
    EXPECT_FALSE(watcher->is_requested());  // the control
    send_signal(signal);
    EXPECT_FALSE(watcher->sleep_until(now_ns() + kHang)) << signal;
    EXPECT_TRUE(watcher->is_requested()) << signal;
  }
}

TEST(SignalWatcherTest, ASleeperWakesAndEveryLaterSleepEndsAtOnce) {
  const PendingSignals after;
  const auto watcher = start();
  std::thread sender([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    send_signal(SIGTERM);
  });
  const std::int64_t until = now_ns() + kHang;
  EXPECT_FALSE(watcher->sleep_until(until));
  sender.join();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(watcher->sleep_until(until));
  EXPECT_FALSE(watcher->sleep_until(0)) << "a time that has passed, too: the request goes before";
  EXPECT_LT(now_ns(), until);
}

TEST(SignalWatcherTest, WithoutASignalASleepLastsToItsTime) {
  const auto watcher = start();
  const std::int64_t until = now_ns() + 20'000'000;
  EXPECT_TRUE(watcher->sleep_until(until));
  EXPECT_GE(now_ns(), until);
  EXPECT_TRUE(watcher->sleep_until(until)) << "a time that has passed";
  EXPECT_FALSE(watcher->is_requested());
}

TEST(SignalWatcherTest, ASleepAllocatesAndLocksNothing) {
  const auto watcher = start();
  bool is_slept = false;
  const auto counts =
      skua::test::count_hot_path([&] { is_slept = watcher->sleep_until(now_ns() + 1'000'000); });
  EXPECT_TRUE(is_slept);
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
}

TEST(SignalWatcherTest, EndedTwiceAndDestroyedIsEnded) {
  const PendingSignals after;
  int said = 0;
  {
    const auto watcher = start({std::chrono::milliseconds(1), [&] { ++said; }, 3});
    watcher->ended();
    watcher->ended();
    send_signal(SIGTERM);  // nobody waits for it any more
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(watcher->is_requested());
  }
  EXPECT_EQ(said, 0);
}

/// What the program does with a request; the watcher was started before.
void fly(SignalWatcher& watcher, bool listens) {
  send_signal(SIGTERM);
  if (listens) {
    static_cast<void>(watcher.sleep_until(now_ns() + kHang));
    watcher.ended();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // twice the grace: nothing comes any more
    std::exit(0);
  }
  std::this_thread::sleep_for(std::chrono::seconds(60));
  std::exit(99);
}

void fly_watched(bool listens) {
  const auto watcher =
      start({std::chrono::milliseconds(150), [] { std::fputs("last words\n", stderr); }, 17});
  fly(*watcher, listens);
}

class SignalWatcherDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(SignalWatcherDeathTest, AProgramThatDoesNotListenEndsWithItsLastWords) {
  EXPECT_EXIT(fly_watched(false), ::testing::ExitedWithCode(17), "^last words\n$");
}

TEST_F(SignalWatcherDeathTest, AProgramThatListensEndsAsItLikes) {
  EXPECT_EXIT(fly_watched(true), ::testing::ExitedWithCode(0), "^$");
}

/// A profiler's signal, on the watcher's thread too, does not cut the grace short.
void fly_profiled() {
  struct sigaction quiet {};
  quiet.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &quiet, nullptr);
  const auto watcher =
      start({std::chrono::milliseconds(500), [] { std::fputs("last words\n", stderr); }, 17});
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);  // what is left to take it is the watcher
  const itimerval often{{0, 2000}, {0, 2000}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  send_signal(SIGTERM);
  static_cast<void>(watcher->sleep_until(now_ns() + kHang));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // well within the grace
  watcher->ended();
  std::exit(0);
}

TEST_F(SignalWatcherDeathTest, AnotherSignalsHandlerDoesNotShortenTheGrace) {
  EXPECT_EXIT(fly_profiled(), ::testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace skua::flight::signal_watcher_tests
