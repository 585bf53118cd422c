// What one poll of a Jetson's tree costs. The times are printed, not judged: they are the machine's.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "counts.h"
#include "hot_path_counters.h"
#include "source_check.h"
#include "sysfs_tree.h"
#include "telemetry/jetson_source.h"

namespace skua {
namespace {

double microseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

// Of this thread alone: other programs of a busy machine do not count.
double processor_microseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

TEST(PollCost, ManyPollsOfAnOrinNanoAllocateNothingAndAgree) {
  const test::SysfsTree tree("jetson_orin_nano_jp6");
  const auto source = open_jetson_source(tree.root()).value();
  const ThermalReading first = test::read_once(*source);
  std::vector<double> times(static_cast<std::size_t>(skua_test::count("telemetry_polls")));
  std::size_t different = 0;
  const double processor_start = processor_microseconds();
  const auto counts = test::count_hot_path([&] {
    for (double& time : times) {
      ThermalReading reading;
      const auto start = std::chrono::steady_clock::now();
      source->read(reading);
      time = microseconds(std::chrono::steady_clock::now() - start);
      for (const ThermalFieldInfo& info : thermal_field_table()) {
        different += reading[info.field].value != first[info.field].value ? 1 : 0;
      }
    }
  });
  const double processor_mean =
      (processor_microseconds() - processor_start) / static_cast<double>(times.size());
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
  EXPECT_EQ(different, 0U);
  std::sort(times.begin(), times.end());
  std::printf(
      "one poll of the Orin Nano tree: median %.1f us, p99 %.1f us, mean of the processor %.1f us (%zu "
      "polls)\n",
      times[times.size() / 2], times[times.size() * 99 / 100], processor_mean, times.size());
}

}  // namespace
}  // namespace skua
