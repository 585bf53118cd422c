// Failures on command, in this process and through the environment of a child.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "sil/control/orders_text.h"
#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilFault : public SilCuda {};

TEST_F(SilFault, TheNthCallFailsOnce) {
  sil::fail_call("cudaSetDevice", 2, cudaErrorNotSupported);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorNotSupported);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorNotSupported);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "not sticky";
}

TEST_F(SilFault, EveryCallFailsUntilTheReset) {
  sil::fail_call("cudaSetDevice", sil::kEveryCall, cudaErrorNoDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorNoDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorNoDevice);
  sil::reset();
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
}

TEST_F(SilFault, OrdersCountFromWhenTheyAreGiven) {
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  sil::fail_call("cudaSetDevice", 1, cudaErrorNoDevice);
  sil::fail_call("cudaSetDevice", 2, cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorNoDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorInvalidDevice);
}

TEST_F(SilFault, CallsAreCountedByFunction) {
  EXPECT_TRUE(sil::functions().empty());
  cudaSetDevice(0);
  cudaSetDevice(9);
  cudaFree(nullptr);
  EXPECT_EQ(sil::calls("cudaSetDevice"), 2);
  EXPECT_EQ(sil::calls("cudaMalloc"), 0);
  EXPECT_EQ(sil::functions(), (std::vector<std::string>{"cudaFree", "cudaSetDevice"}));
}

TEST_F(SilFault, AReleaseThatIsToldToFailReleasesAllTheSame) {
  int* const memory = device_memory();
  int* const host = pinned_memory();
  const cudaStream_t where = stream();
  for (const char* const name : {"cudaFree", "cudaFreeHost", "cudaStreamDestroy"}) {
    sil::fail_call(name, 1, cudaErrorLaunchOutOfResources);
  }
  EXPECT_EQ(cudaFree(memory), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(cudaFreeHost(host), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(cudaStreamDestroy(where), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
}

TEST_F(SilFault, AWaitThatIsToldToFailWaitsAllTheSame) {
  const cudaStream_t where = stream();
  sil::hold_streams();
  std::vector<int> notes;
  note(where, notes, 1);
  sil::fail_call("cudaStreamSynchronize", 1, cudaErrorUnknown);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorUnknown);
  EXPECT_EQ(notes.size(), 1U);
}

TEST_F(SilFault, ASubmissionThatFailsHasNoEffect) {
  int* const memory = device_memory();
  put_on_device(memory, 5);
  sil::fail_call("cudaMemset", 1, cudaErrorUnknown);
  EXPECT_EQ(cudaMemset(memory, 0, 4), cudaErrorUnknown);
  EXPECT_EQ(on_device(memory), 5);
}

TEST_F(SilFault, AFailedLibraryAboveLosesTheDeviceWithAPlainCode) {
  sil::fail_call("IExecutionContext::enqueueV3", 1, 9, true);
  EXPECT_EQ(sil::injected_fault("IExecutionContext::enqueueV3"), 9);
  EXPECT_EQ(sil::injected_fault("IExecutionContext::enqueueV3"), std::nullopt);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorLaunchFailure);
}

TEST_F(SilFault, AHangingCallReturnsAfterTheRelease) {
  sil::hang_call("cudaSetDevice", 1);
  std::atomic<bool> has_returned = false;
  std::thread caller([&] {
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
    has_returned = true;
  });
  while (sil::calls("cudaSetDevice") == 0) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(has_returned);
  sil::release_hangs();
  caller.join();
}

TEST_F(SilFault, HangingWorkHoldsItsStreamUntilTheRelease) {
  const cudaStream_t where = stream();
  sil::hang_work("IExecutionContext::enqueueV3", 1);
  std::vector<int> notes;
  EXPECT_EQ(sil::injected_fault("IExecutionContext::enqueueV3"), std::nullopt);
  note(where, notes, 1);  // the first work after the call that was told
  note(where, notes, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(cudaStreamQuery(where), cudaErrorNotReady);
  sil::release_hangs();
  EXPECT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{1, 2}));
}

TEST_F(SilFault, OrdersForTheLibrariesAbove) {
  EXPECT_FALSE(sil::corrupts_plans());
  EXPECT_FALSE(sil::crashes_builder());
  sil::corrupt_plans();
  sil::crash_builder();
  sil::flood_log(12);
  sil::ignore_constraints_of(0);
  sil::end_calibration_after(0);
  EXPECT_TRUE(sil::corrupts_plans());
  EXPECT_TRUE(sil::crashes_builder());
  EXPECT_EQ(sil::log_flood_count(), 12);
  EXPECT_EQ(sil::unconstrained_layer(), 0);
  EXPECT_EQ(sil::calibration_limit(), 0);
  sil::reset();
  EXPECT_FALSE(sil::corrupts_plans());
  EXPECT_EQ(sil::log_flood_count(), 0);
  EXPECT_EQ(sil::unconstrained_layer(), -1);
  EXPECT_EQ(sil::calibration_limit(), -1);
}

TEST_F(SilFault, OrdersAsText) {
  const std::string text =
      "fail:cudaSetDevice:2:100;fail:cudaFree:1:700:sticky;memory:4096;flood_log:7;corrupt_plans;"
      "crash_builder;discrete;hold_streams;hang:a:1;hang_work:b:1;fail_work:c:1:700;ignore_constraints:3;"
      "end_calibration:2";
  EXPECT_EQ(sil::follow_orders(text, sil::faults()), "");
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorNoDevice);
  std::size_t free = 0;
  std::size_t total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(total, 4096U);
  EXPECT_TRUE(sil::corrupts_plans() && sil::crashes_builder());
  EXPECT_EQ(sil::log_flood_count(), 7);
  EXPECT_EQ(sil::unconstrained_layer(), 3);
  EXPECT_EQ(sil::calibration_limit(), 2);
  EXPECT_EQ(cudaFree(nullptr), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorIllegalAddress);
}

TEST_F(SilFault, FunctionsWithColonsInTheText) {
  const std::string text =
      "fail:IExecutionContext::enqueueV3:2:9;fail:a::b::c:1:5:sticky;fail_work:I::w:1:700;";
  EXPECT_EQ(sil::follow_orders(text, sil::faults()), "");
  EXPECT_EQ(sil::injected_fault("IExecutionContext::enqueueV3"), std::nullopt);
  EXPECT_EQ(sil::injected_fault("IExecutionContext::enqueueV3"), 9);
  EXPECT_EQ(sil::injected_fault("a::b::c"), 5);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorLaunchFailure);
}

TEST_F(SilFault, HangsOfFunctionsWithColonsInTheText) {
  EXPECT_EQ(sil::follow_orders("hang:I::f:1;hang_work:I::g:1", sil::faults()), "");
  const cudaStream_t where = stream();
  std::vector<int> notes;
  EXPECT_EQ(sil::injected_fault("I::g"), std::nullopt);
  note(where, notes, 1);
  EXPECT_EQ(cudaStreamQuery(where), cudaErrorNotReady);
  sil::release_hangs();
  EXPECT_EQ(cudaStreamSynchronize(where), cudaSuccess);
}

TEST_F(SilFault, WrongTextIsNamed) {
  for (const char* const wrong : {"fail",
                                  "fail:f:1",
                                  "fail:f:x:1",
                                  "fail:f:1:2:stick",
                                  "fail::1:2",
                                  "hang:f",
                                  "hang:f:1:2",
                                  "memory",
                                  "memory:-1",
                                  "memory:9x",
                                  "flood_log:99999999999",
                                  "drop_driver",
                                  "fail_work:f:1:2:sticky",
                                  " no_driver",
                                  "fail:f:1:2:3",
                                  "fail:f:::1:2",
                                  "fail:::f:1:2",
                                  "fail:f::1:2",
                                  "fail:f:::g:1:2",
                                  "hang:f::1",
                                  "fail:sticky",
                                  "fail:1:2:sticky"}) {
    EXPECT_NE(sil::follow_orders(wrong, sil::faults()).find(wrong), std::string::npos) << wrong;
  }
}

// Without the fixture, whose fresh start would take the orders of the environment back.
TEST(SilEnvironmentDeathTest, AChildFollowsItsEnvironment) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";  // a process that starts anew, and reads it
  const auto in_child = [] {
    int count = 0;
    std::_Exit(cudaGetDeviceCount(&count) == cudaErrorNoDevice ? 42 : 1);
  };
  ::setenv("SKUA_SIL_FAULTS", "fail:cudaGetDeviceCount:1:100", 1);
  EXPECT_EXIT(in_child(), testing::ExitedWithCode(42), "");
  ::setenv("SKUA_SIL_FAULTS", "fail:cudaGetDeviceCount", 1);
  EXPECT_DEATH(in_child(), "SKUA_SIL_FAULTS: 'fail:cudaGetDeviceCount' is no order");
  ::unsetenv("SKUA_SIL_FAULTS");
}

/// Names `place` to the SIL, writes `line` into it, and asks until the order came: only then does the child
/// end with 42. The FIFO that it makes for an empty place is gone before anything can end the child.
void in_child_with_pipe(std::string place, const std::string& line) {
  const bool is_own = place.empty();
  if (is_own) place = "skua-sil-orders." + std::to_string(::getpid());
  if (is_own && ::mkfifo(place.c_str(), 0600) != 0) std::_Exit(1);
  ::setenv("SKUA_SIL_ORDERS", place.c_str(), 1);
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) std::_Exit(2);  // nothing was ordered so far
  const int fd = ::open(place.c_str(), O_WRONLY | O_CLOEXEC);
  if (is_own) ::unlink(place.c_str());
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(3);
  for (int i = 0; i < 30'000; ++i) {
    if (cudaGetDeviceCount(&count) == cudaErrorNoDevice) std::_Exit(42);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::_Exit(4);
}

TEST(SilEnvironmentDeathTest, AChildFollowsItsPipeWhileItRuns) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(in_child_with_pipe("", "release;fail:cudaGetDeviceCount:1:100\n"), testing::ExitedWithCode(42),
              "");
  EXPECT_DEATH(in_child_with_pipe("", "explode:cudaMalloc:1\n"),
               "SKUA_SIL_ORDERS: 'explode:cudaMalloc:1' is no order");
  EXPECT_DEATH(in_child_with_pipe("", "fail:cudaNothing:1:1\n"),
               "SKUA_SIL_ORDERS: there is no function cudaNothing");
  EXPECT_DEATH(in_child_with_pipe("/dev/null", "\n"), "SKUA_SIL_ORDERS: expected a FIFO .*, found /dev/null");
}

}  // namespace
}  // namespace skua::test
