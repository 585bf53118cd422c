// The telemetry threads: schedule, hung drivers, shutdown. Sources are steered by the test; waits are for
// events, with limits that only a hang reaches.
#include "telemetry/poller.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "becomes.h"
#include "counts.h"
#include "scripted_source.h"

namespace skua {
namespace {

using test::reading_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What the sources of this file do; one test at a time uses it.
struct Stage {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_hanging = false;  ///< read() does not return
  bool is_opening = false;  ///< open does not return
  bool is_missing = false;  ///< open finds nothing
  bool is_throttled = false;
  int reads = 0;
  int starts = 0, opened = 0;  ///< pollers started, and open calls that have returned
  int sources_alive = 0;
  int cpu = -1, nice = -1;  ///< as seen by the reader thread

  template <typename Predicate>
  bool wait_for(Predicate predicate) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), predicate);
  }
  template <typename Value>
  Value get(Value Stage::*member) {
    const std::lock_guard lock(mutex);
    return this->*member;
  }
  void set(bool Stage::*member, bool value) {
    const std::lock_guard lock(mutex);
    this->*member = value;
    changed.notify_all();
  }
};

std::unique_ptr<Stage> stage;

ThermalReading staged_read() {
  std::unique_lock lock(stage->mutex);
  ++stage->reads;
  stage->cpu = sched_getcpu();
  stage->nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
  stage->changed.notify_all();
  stage->changed.wait(lock, [] { return !stage->is_hanging; });
  ThermalReading reading = reading_of(stage->is_throttled);
  for (const auto field : {ThermalField::kCpuTemp, ThermalField::kGpuTemp, ThermalField::kGpuClock})
    reading[field].value = stage->reads % 100000;
  return reading;
}

class StagedSource final : public ThermalSource {
 public:
  StagedSource() { ++stage->sources_alive; }  // open_staged holds the mutex
  StagedSource(const StagedSource&) = delete;
  StagedSource& operator=(const StagedSource&) = delete;
  ~StagedSource() override {
    const std::lock_guard lock(stage->mutex);
    --stage->sources_alive;
    stage->changed.notify_all();
  }
  std::string_view name() const noexcept override { return "staged"; }
  void read(ThermalReading& reading) noexcept override { reading = staged_read(); }
  std::string_view origin(ThermalField) const noexcept override { return ""; }
  std::string_view cause(std::size_t) const noexcept override { return ""; }
};

Result<std::unique_ptr<ThermalSource>> open_staged(const ThermalSourceOptions&) {
  std::unique_lock lock(stage->mutex);
  stage->changed.wait(lock, [] { return !stage->is_opening; });
  ++stage->opened;
  stage->changed.notify_all();
  if (stage->is_missing) {
    return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable, "nothing here");
  }
  return std::unique_ptr<ThermalSource>(std::make_unique<StagedSource>());
}

class PollerTest : public ::testing::Test {
 protected:
  PollerTest() { stage = std::make_unique<Stage>(); }
  /// A reader that was left behind goes when it is let go: nothing of one test reaches into the next.
  ~PollerTest() override {
    poller_.reset();
    stage->set(&Stage::is_hanging, false);
    stage->set(&Stage::is_opening, false);
    EXPECT_TRUE(stage->wait_for([] { return stage->opened == stage->starts && stage->sources_alive == 0; }))
        << "a source was leaked";
  }

  Status start(ThermalPollerOptions options = {}) {
    ++stage->starts;
    auto started = ThermalPoller::start(options, events_, system_clock(), open_staged);
    if (!started.ok()) return std::move(started).error();
    poller_ = *std::move(started);
    return {};
  }
  /// The first reading comes within 100 ms, unless this machine keeps a thread from running for longer.
  Status start_and_read(ThermalPollerOptions options = {}) {
    SKUA_RETURN_IF_ERROR(start(options));
    EXPECT_TRUE(test::becomes([&] { return poller_->state().is_telemetry_available; }));
    return {};
  }
  static ThermalPollerOptions at(double hz) {
    ThermalPollerOptions options;
    options.poll_hz = hz;
    options.nice = 0;  // what is timed must not wait behind the other tests of a busy machine
    return options;
  }

  test::KeptEvents events_;
  std::unique_ptr<ThermalPoller> poller_;
};

TEST_F(PollerTest, TheFirstReadingIsThereWhenStartReturns) {
  for (int attempt = 0; attempt < 3 && !(poller_ && poller_->state().is_telemetry_available); ++attempt) {
    poller_.reset();
    ASSERT_TRUE(start().ok());
  }
  EXPECT_TRUE(poller_->state().is_telemetry_available) << "three times in a row";
  ASSERT_NE(poller_->source(), nullptr);
  EXPECT_EQ(poller_->source()->name(), "staged");
  EXPECT_EQ(poller_->report().status, ThermalStatus::kNormal);
}

TEST_F(PollerTest, NoSourceIsAnErrorAndAWarning) {
  stage->is_missing = true;
  const Status started = start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_THAT(started.error().message, HasSubstr("nothing here"));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN c7.telemetry_unavailable"));
}

TEST_F(PollerTest, AThrottleReachesTheSnapshotByItself) {
  ASSERT_TRUE(start_and_read(at(50)).ok());
  stage->set(&Stage::is_throttled, true);
  ASSERT_TRUE(events_.wait_for(1));
  EXPECT_TRUE(poller_->state().thermal_throttle_active);
  stage->set(&Stage::is_throttled, false);
  ASSERT_TRUE(events_.wait_for(2));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN normal>throttled", "WARN throttled>normal"));
}

TEST_F(PollerTest, AHungDriverIsNoticedAndItsReturnToo) {
  ASSERT_TRUE(start_and_read(at(50)).ok());
  stage->set(&Stage::is_hanging, true);
  ASSERT_TRUE(events_.wait_for(1));
  EXPECT_FALSE(poller_->state().is_telemetry_available);
  stage->set(&Stage::is_hanging, false);
  ASSERT_TRUE(events_.wait_for(2));
  EXPECT_TRUE(poller_->state().is_telemetry_available);
  EXPECT_THAT(events_.lines(), ElementsAre("WARN normal>unavailable", "WARN unavailable>normal"));
}

TEST_F(PollerTest, AHungDriverDoesNotHoldUpTheEnd) {
  ASSERT_TRUE(start_and_read(at(50)).ok());
  stage->set(&Stage::is_hanging, true);
  const int reads = stage->get(&Stage::reads);
  ASSERT_TRUE(stage->wait_for([&] { return stage->reads > reads; }));
  poller_.reset();  // with a joined reader this would never return
  EXPECT_EQ(stage->get(&Stage::sources_alive), 1)
      << "the source is still in use by the reader that was left behind";
}

TEST_F(PollerTest, ASourceThatHangsWhileOpeningIsNotWaitedFor) {
  stage->is_opening = true;
  ASSERT_TRUE(start(at(50)).ok());
  EXPECT_FALSE(poller_->state().is_telemetry_available);
  EXPECT_EQ(poller_->source(), nullptr);
  ASSERT_TRUE(events_.wait_for(1)) << "the watchdog counts from the start";
  stage->set(&Stage::is_opening, false);
  ASSERT_TRUE(events_.wait_for(2));
  EXPECT_TRUE(poller_->state().is_telemetry_available);
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>unavailable", "WARN unavailable>normal"));
}

TEST_F(PollerTest, ASourceThatHangsWhileOpeningDoesNotHoldUpTheEnd) {
  stage->is_opening = true;
  ASSERT_TRUE(start().ok());
  poller_.reset();
  stage->set(&Stage::is_opening, false);
  EXPECT_TRUE(stage->wait_for([] { return stage->opened == 1 && stage->sources_alive == 0; }));
}

/// At a hundred times the rate that a configuration may ask for, beside real threads.
TEST_F(PollerTest, NoStateIsTornWhilePolledAtOneKilohertz) {
  ASSERT_TRUE(start_and_read(at(1000)).ok());
  std::int64_t torn = 0, changes = 0;
  float before = -1.0F;
  const std::int64_t reads = skua_test::count("snapshot_reads");
  for (std::int64_t i = 0; i < reads || changes < 2; ++i) {
    const ThermalState state = poller_->state();
    if (!state.is_telemetry_available)
      continue;  // a thread that was kept from running for three milliseconds
    if (state.cpu_temp_c != state.gpu_temp_c ||
        state.measured_clock_mhz != static_cast<int>(state.cpu_temp_c))
      ++torn;
    if (std::exchange(before, state.cpu_temp_c) != state.cpu_temp_c) ++changes;
  }
  EXPECT_EQ(torn, 0);
}

double ms_since(std::int64_t begun) {
  return static_cast<double>(system_clock().monotonic_ns() - begun) / 1e6;
}

/// A shared machine may keep a thread from running for hundreds of milliseconds. So a bound is asked of the
/// best of a few tries: code that is late, or early, is so in each.
template <typename Measure>
std::vector<double> three_tries_sorted(Measure measure) {
  std::vector<double> tries = {measure(), measure(), measure()};
  std::sort(tries.begin(), tries.end());
  return tries;
}

/// One poll a period: neither drift nor bursts.
TEST_F(PollerTest, TheScheduleDoesNotDrift) {
  ASSERT_TRUE(start_and_read(at(20)).ok());
  const std::vector<double> tries = three_tries_sorted([] {
    const int first = stage->get(&Stage::reads);
    const std::int64_t begun = system_clock().monotonic_ns();
    EXPECT_TRUE(stage->wait_for([&] { return stage->reads >= first + 20; }));
    return ms_since(begun) / 50.0;
  });
  EXPECT_GT(tries.back(), 19.0) << "polled more often than asked";
  EXPECT_LT(tries.front(), 22.0) << "the schedule drifts";
}

/// The last reading arrived a period of 250 ms before the one that hangs began: three periods make it 500 ms,
/// two or four would make it 250 or 750. The median, because a stall of this machine may fall on a round
/// in either direction: it hides the beginning or delays the end.
TEST_F(PollerTest, AHungDriverIsNoticedAfterThreePeriods) {
  ASSERT_TRUE(start_and_read(at(4)).ok());
  std::vector<double> noticed_ms;
  for (std::size_t round = 0; round < 5; ++round) {
    const int reads = stage->get(&Stage::reads);
    stage->set(&Stage::is_hanging, true);
    ASSERT_TRUE(stage->wait_for([&] { return stage->reads > reads; }));
    const std::int64_t hangs_since = system_clock().monotonic_ns();
    ASSERT_TRUE(events_.wait_for(2 * round + 1));
    noticed_ms.push_back(ms_since(hangs_since));
    stage->set(&Stage::is_hanging, false);
    ASSERT_TRUE(events_.wait_for(2 * round + 2));
  }
  std::sort(noticed_ms.begin(), noticed_ms.end());
  EXPECT_GT(noticed_ms[2], 480.0) << ::testing::PrintToString(noticed_ms);
  EXPECT_LT(noticed_ms[2], 720.0) << ::testing::PrintToString(noticed_ms);
}

TEST_F(PollerTest, StartAndEndAreBoundedWhateverTheDriverDoes) {
  constexpr double kAskedMs = 100.0, kRoomMs = 100.0;
  stage->is_opening = true;
  std::vector<double> ended_ms;
  const std::vector<double> started_ms = three_tries_sorted([&] {
    const std::int64_t begun = system_clock().monotonic_ns();
    EXPECT_TRUE(start().ok());
    const double took = ms_since(begun);
    const std::int64_t ending = system_clock().monotonic_ns();
    poller_.reset();
    ended_ms.push_back(ms_since(ending));
    return took;
  });
  EXPECT_LT(started_ms.front(), kAskedMs + kRoomMs);
  EXPECT_LT(*std::min_element(ended_ms.begin(), ended_ms.end()), kAskedMs + kRoomMs);
}

TEST_F(PollerTest, ASourceThatFailsLateSaysWhy) {
  stage->is_opening = true;
  ASSERT_TRUE(start().ok());
  EXPECT_FALSE(poller_->open_error().has_value());
  stage->is_missing = true;
  stage->set(&Stage::is_opening, false);
  ASSERT_TRUE(events_.wait_for(1));
  ASSERT_TRUE(poller_->open_error().has_value());
  EXPECT_THAT(poller_->open_error()->message, HasSubstr("nothing here"));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN c7.telemetry_unavailable"));
}

TEST_F(PollerTest, ARateThatNobodyCouldWaitForIsOnceAnHour) {
  ASSERT_TRUE(start_and_read(at(1e-300)).ok());
  EXPECT_TRUE(poller_->state().is_telemetry_available);
  EXPECT_EQ(stage->get(&Stage::reads), 1);
}

/// The id of this process's thread of that name; -1: there is none.
pid_t thread_called(const std::string& name) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(entry.path() / "comm");
    std::string found;
    if (std::getline(comm, found) && found == name) return std::stoi(entry.path().filename().string());
  }
  return -1;
}

TEST_F(PollerTest, BothThreadsLeaveTheStartersCoreAndBlockSignals) {
  cpu_set_t all, one;
  CPU_ZERO(&all);
  ASSERT_EQ(sched_getaffinity(getpid(), sizeof(all), &all), 0);
  std::thread starter([&] {
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
    ASSERT_TRUE(start_and_read().ok());
  });
  starter.join();
  for (const char* name : {"skua-sensors", "skua-thermal"}) {
    const pid_t thread = thread_called(name);
    ASSERT_GT(thread, 0) << name;
    cpu_set_t found;
    CPU_ZERO(&found);
    ASSERT_EQ(sched_getaffinity(thread, sizeof(found), &found), 0);
    EXPECT_TRUE(CPU_EQUAL(&found, &all)) << name;
    EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(thread)), 10) << name;
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    std::string text((std::istreambuf_iterator<char>(status)), std::istreambuf_iterator<char>());
    const auto blocked = std::stoull(text.substr(text.find("SigBlk:") + 7), nullptr, 16);
    EXPECT_NE(blocked & (1ULL << (SIGTERM - 1)), 0U) << name;
    EXPECT_EQ(blocked & (1ULL << (SIGSEGV - 1)), 0U) << name;
  }
}

TEST_F(PollerTest, ThreadsKeepToTheirCoreAndPriority) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ASSERT_EQ(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
  for (int cpu = 0; cpu < 2 && CPU_ISSET(static_cast<std::size_t>(cpu), &cpus); ++cpu) {
    ThermalPollerOptions options;
    options.cpu = cpu;
    options.nice = 7;
    ASSERT_TRUE(start_and_read(options).ok());
    EXPECT_EQ(stage->get(&Stage::cpu), cpu);
    EXPECT_EQ(stage->get(&Stage::nice), 7);
    poller_.reset();
  }
}

TEST_F(PollerTest, ACoreThatThisProcessMayNotUseIsRefused) {
  ThermalPollerOptions options;
  options.cpu = 1023;
  const Status started = start(options);
  stage->starts = 0;  // refused before any thread was made
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(started.error().message, HasSubstr("thermal_cpu is 1023"));
}

}  // namespace
}  // namespace skua
