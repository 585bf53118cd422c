// Streams and events: order, waits, and that nothing is done before somebody waits for it.
#include <atomic>
#include <thread>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilStream : public SilCuda {};

TEST_F(SilStream, WorkRunsInOrderOnAnotherThread) {
  const cudaStream_t where = stream();
  std::vector<int> notes;
  std::thread::id worker;
  for (int i = 0; i < 100; ++i) note(where, notes, i);
  ASSERT_EQ(sil::enqueue(where, [&] { return worker = std::this_thread::get_id(), cudaSuccess; }),
            cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  ASSERT_EQ(notes.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(notes[static_cast<std::size_t>(i)], i);
  EXPECT_NE(worker, std::this_thread::get_id());
}

TEST_F(SilStream, StreamsDoNotWaitForEachOther) {
  const cudaStream_t stuck = stream();
  const cudaStream_t free = stream();
  sil::hang_work("cudaLaunchHostFunc", 1);
  ASSERT_EQ(cudaLaunchHostFunc(
                stuck, [](void*) {}, nullptr),
            cudaSuccess);
  std::vector<int> notes;
  note(free, notes, 1);
  EXPECT_EQ(cudaStreamSynchronize(free), cudaSuccess);
  EXPECT_EQ(notes.size(), 1U);
  EXPECT_EQ(cudaStreamQuery(stuck), cudaErrorNotReady);
}

TEST_F(SilStream, AHeldStreamWorksOnlyForWhoWaits) {
  const cudaStream_t where = stream();
  sil::hold_streams();
  std::vector<int> notes;
  note(where, notes, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(notes.empty());
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(notes.size(), 1U);
}

TEST_F(SilStream, AskingAHeldStreamSetsItGoing) {
  const cudaStream_t where = stream();
  sil::hold_streams();
  std::vector<int> notes;
  note(where, notes, 1);
  EXPECT_EQ(cudaStreamQuery(where), cudaErrorNotReady);
  while (cudaStreamQuery(where) == cudaErrorNotReady) std::this_thread::yield();
  EXPECT_EQ(notes.size(), 1U);
}

TEST_F(SilStream, NotReadyIsNoErrorThatStays) {
  const cudaStream_t where = stream();
  sil::hold_streams();
  ASSERT_EQ(cudaLaunchHostFunc(
                where, [](void*) {}, nullptr),
            cudaSuccess);
  ASSERT_EQ(cudaStreamQuery(where), cudaErrorNotReady);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(SilStream, DestructionDoesNotWaitButTheWorkIsDone) {
  const cudaStream_t where = stream();
  sil::hold_streams();
  static std::atomic<bool> has_run;
  has_run = false;
  ASSERT_EQ(cudaLaunchHostFunc(
                where, [](void*) { has_run = true; }, nullptr),
            cudaSuccess);
  ASSERT_EQ(cudaStreamDestroy(where), cudaSuccess);
  while (!has_run) std::this_thread::yield();
}

TEST_F(SilStream, AHostFunctionMayNotCallCuda) {
  const cudaStream_t where = stream();
  cudaError_t answer = cudaSuccess;
  const auto call = [](void* out) {
    void* memory = nullptr;
    *static_cast<cudaError_t*>(out) = cudaMalloc(&memory, 4);
  };
  ASSERT_EQ(cudaLaunchHostFunc(where, call, &answer), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(answer, cudaErrorNotPermitted);
}

TEST_F(SilStream, TheDefaultStreamIsOrderedAgainstBlockingStreams) {
  const cudaStream_t blocking = stream(cudaStreamDefault);
  sil::hold_streams();
  std::vector<int> notes;
  note(blocking, notes, 1);
  note(nullptr, notes, 2);
  note(blocking, notes, 3);
  ASSERT_EQ(cudaStreamSynchronize(blocking), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{1, 2, 3}));
}

TEST_F(SilStream, ARestartLeavesWorkUndone) {
  const cudaStream_t where = stream();
  std::vector<int> notes;
  sil::hold_streams();
  note(where, notes, 1);
  sil::restart_device();
  EXPECT_TRUE(notes.empty());
}

TEST_F(SilStream, DeviceSynchronizeWaitsForAll) {
  sil::hold_streams();
  std::vector<int> first;
  std::vector<int> second;
  note(stream(), first, 1);
  note(stream(), second, 1);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(first.size() + second.size(), 2U);
}

TEST_F(SilStream, FlagsAndPriorities) {
  cudaStream_t made = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&made, 7), cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamCreateWithFlags(nullptr, 0), cudaErrorInvalidValue);
  EXPECT_EQ(made, nullptr);
  int least = 9;
  int greatest = 9;
  ASSERT_EQ(cudaDeviceGetStreamPriorityRange(&least, &greatest), cudaSuccess);
  ASSERT_EQ(cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, -100), cudaSuccess);
  int priority = 9;
  ASSERT_EQ(cudaStreamGetPriority(made, &priority), cudaSuccess);
  EXPECT_EQ(priority, greatest) << "clamped";
  EXPECT_EQ(least, 0);
}

class SilEvent : public SilCuda {};

TEST_F(SilEvent, IsReachedWhenTheWorkBeforeItIs) {
  const cudaStream_t where = stream();
  const cudaEvent_t mark = event();
  EXPECT_EQ(cudaEventQuery(mark), cudaSuccess) << "never recorded";
  sil::hang_work("cudaMemsetAsync", 2);
  int* const memory = device_memory();
  ASSERT_EQ(cudaMemsetAsync(memory, 1, 4, where), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(mark, where), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(memory, 2, 4, where), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(mark), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(mark), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(where), cudaErrorNotReady);
  ASSERT_EQ(cudaEventRecord(mark, where), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(mark), cudaErrorNotReady) << "recorded anew";
  sil::release_hangs();
  EXPECT_EQ(cudaEventSynchronize(mark), cudaSuccess);
}

TEST_F(SilEvent, WaitingForItInAHeldStreamDoesWhatIsBeforeItOnly) {
  const cudaStream_t where = stream();
  const cudaEvent_t mark = event();
  sil::hold_streams();
  std::vector<int> notes;
  note(where, notes, 1);
  ASSERT_EQ(cudaEventRecord(mark, where), cudaSuccess);
  note(where, notes, 2);
  ASSERT_EQ(cudaEventSynchronize(mark), cudaSuccess);
  EXPECT_EQ(notes.size(), 1U);
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(notes.size(), 2U);
}

TEST_F(SilEvent, AnotherStreamWaitsForIt) {
  const cudaStream_t first = stream();
  const cudaStream_t second = stream();
  const cudaEvent_t mark = event();
  sil::hold_streams();
  std::vector<int> notes;
  note(first, notes, 1);
  ASSERT_EQ(cudaEventRecord(mark, first), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(second, mark, 0), cudaSuccess);
  note(second, notes, 2);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{1, 2}));
}

TEST_F(SilEvent, WithoutTheWaitTheOtherStreamGoesFirst) {
  const cudaStream_t first = stream();
  const cudaStream_t second = stream();
  sil::hold_streams();
  std::vector<int> notes;
  note(first, notes, 1);
  note(second, notes, 2);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(first), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{2, 1}));
}

TEST_F(SilEvent, TheWaitIsForTheRecordAtThatTime) {
  const cudaStream_t first = stream();
  const cudaStream_t second = stream();
  const cudaEvent_t mark = event();
  ASSERT_EQ(cudaEventRecord(mark, first), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(second, mark, 0), cudaSuccess);
  sil::hang_work("cudaEventRecord", 1);
  ASSERT_EQ(cudaEventRecord(mark, first), cudaSuccess);  // this one is not waited for
  EXPECT_EQ(cudaStreamSynchronize(second), cudaSuccess);
}

TEST_F(SilEvent, ElapsedTimeNeedsTwoReachedEventsWithTiming) {
  const cudaStream_t where = stream();
  const cudaEvent_t start = event(cudaEventDefault);
  const cudaEvent_t end = event(cudaEventDefault);
  const cudaEvent_t untimed = event(cudaEventDisableTiming);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle)
      << "never recorded";
  ASSERT_EQ(cudaEventRecord(start, where), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(untimed, where), cudaSuccess);
  ASSERT_EQ(cudaEventSynchronize(untimed), cudaSuccess);  // reached: the sleep below is between the two
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, untimed), cudaErrorInvalidResourceHandle);
  sil::hang_work("cudaEventRecord", 1);
  ASSERT_EQ(cudaEventRecord(end, where), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  EXPECT_EQ(milliseconds, -1.0F);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  sil::release_hangs();
  ASSERT_EQ(cudaEventSynchronize(end), cudaSuccess);
  ASSERT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
  EXPECT_GE(milliseconds, 4.0F);
}

}  // namespace
}  // namespace skua::test
