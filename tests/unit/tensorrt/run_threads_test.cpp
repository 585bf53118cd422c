// Lanes of one engine, each with its own thread; and many runs, which leave nothing behind.
#include <dirent.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "counts.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

class TensorrtThreads : public TensorrtRun {};

TEST_F(TensorrtThreads, FourLanesFromFourThreads) {
  const std::int64_t runs = skua_test::count("tensorrt_lane_runs");
  const Lane first = place(dynamic_rows());
  std::atomic<int> wrong{0};
  const auto work = [&](std::int64_t number) {
    trt::TrtExecution execution(first.plan, settings());
    if (!execution.place(first.record).ok()) ++wrong;
    for (std::int64_t run = 0; run < runs; ++run) {
      const Shape shape{1 + (run / 50 + number) % 5, 4};
      if (execution.input(0).shape != shape && !execution.set_input_shape(0, shape).ok()) ++wrong;
      const float value = static_cast<float>(number * 1000 + run % 64);
      for (float& x : execution.input(0).as<float>()) x = value;
      const bool is_right = execution.run(std::nullopt).ok() && execution.output(0).shape[0] == shape[0];
      if (!is_right || !is_right_for(value, execution.output(0))) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t number = 0; number < 4; ++number) threads.emplace_back(work, number);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  DIR* const open = opendir(folder);
  while (open != nullptr && readdir(open) != nullptr) ++count;
  if (open != nullptr) closedir(open);
  return count;
}

std::size_t resident_pages() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident;
}

class TensorrtBoundRuns : public TensorrtRuntimeScene {};

TEST_F(TensorrtBoundRuns, ManyTakeNoMemoryNoFileAndNoThread) {
  const std::int64_t runs = skua_test::count("tensorrt_bound_runs");
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "net", add_relu())).value();
  auto bound = runtime->bind(handle, runtime->create_lane("lane_a").value()).value();
  runtime->seal();
  write(bound.input(0), ramp(64));
  const auto run_some = [&](std::int64_t count) {
    for (std::int64_t run = 0; run < count; ++run) ASSERT_TRUE(bound.run().ok()) << run;
    EXPECT_EQ(read<float>(bound.output(0)), add_relu_of(ramp(64)));
  };
  run_some(runs / 10 + 100);
  const std::size_t files = entries_of("/proc/self/fd"), threads = entries_of("/proc/self/task");
  const std::size_t pages = resident_pages();
  const auto live = sil::live_objects();
  run_some(runs);
  EXPECT_EQ(entries_of("/proc/self/fd"), files);
  EXPECT_EQ(entries_of("/proc/self/task"), threads);
  EXPECT_EQ(sil::live_objects(), live);
  EXPECT_EQ(device->allocations_after_seal(), 0U);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep what was freed
  EXPECT_LE(resident_pages(), pages + 256);  // a MiB: what the allocator does by itself
#else
  static_cast<void>(pages);
#endif
}

}  // namespace
}  // namespace skua::test
