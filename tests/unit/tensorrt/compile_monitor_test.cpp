// TensorRT's phases are no tree: names come twice, a phase may end after later steps of its parent, not every
// step arrives, and several threads tell of them.
#include "runtimes/tensorrt/compile_monitor.h"

#include <csignal>
#include <thread>

#include "compile_fixture.h"

namespace skua::test {
namespace {

using tensorrt::BuildMonitor;
using tensorrt::StopSignal;

class MonitorTest : public testing::Test {
 protected:
  SilentProgress progress_;
  StopSignal stop_{std::chrono::hours(1)};
  BuildMonitor monitor_{progress_, stop_};
};

TEST_F(MonitorTest, TheFirstPhaseIsToldAtOnce) {
  monitor_.phaseStart("Building engine", nullptr, 6);
  EXPECT_THAT(progress_.steps, testing::ElementsAre("TensorRT: Building engine"));
}

// What was left open would stand before the next name.
TEST_F(MonitorTest, PhasesEndInAnyOrder) {
  monitor_.phaseStart("engine", nullptr, 6);
  monitor_.phaseStart("costs", "engine", 2);
  monitor_.phaseStart("costs", "engine", 2);
  monitor_.phaseStart("refit", "engine", 1);
  EXPECT_TRUE(monitor_.stepComplete("engine", 4));
  EXPECT_TRUE(monitor_.stepComplete(nullptr, 0));
  for (const char* name : {"engine", "costs", "refit", "costs", "costs", "never begun"})
    monitor_.phaseFinish(name);
  monitor_.phaseFinish(nullptr);
  monitor_.phaseStart("next", nullptr, 1);
  EXPECT_EQ(progress_.steps.back(), "TensorRT: next");
}

TEST_F(MonitorTest, AStepAfterTheRequestEndsTheBuildAndEveryLaterOneToo) {
  monitor_.phaseStart("engine", nullptr, 6);
  EXPECT_TRUE(monitor_.stepComplete("engine", 0));
  EXPECT_EQ(monitor_.stopped_for(), Reason::kNone);
  std::raise(SIGTERM);
  EXPECT_EQ(monitor_.stopped_for(), Reason::kNone);  // not before it has said so to TensorRT
  for (int step = 1; step < 3; ++step) EXPECT_FALSE(monitor_.stepComplete("engine", step));
  EXPECT_EQ(monitor_.stopped_for(), Reason::kCancelled);
}

TEST_F(MonitorTest, SeveralThreadsMayTell) {
  const auto tell = [this] {
    for (int i = 0; i < 1000; ++i) {
      monitor_.phaseStart("phase", nullptr, 1);
      EXPECT_TRUE(monitor_.stepComplete("phase", 0));
      monitor_.phaseFinish("phase");
    }
  };
  std::thread other(tell);
  tell();
  other.join();
  EXPECT_EQ(monitor_.stopped_for(), Reason::kNone);
}

}  // namespace
}  // namespace skua::test
