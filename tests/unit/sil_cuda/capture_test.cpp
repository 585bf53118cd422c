// Captures: what is recorded, what is forbidden meanwhile, and with which code.
#include <thread>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilCapture : public SilCuda {
 protected:
  static cudaStream_t captured(cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal,
                               unsigned flags = cudaStreamNonBlocking) {
    const cudaStream_t made = stream(flags);
    EXPECT_EQ(cudaStreamBeginCapture(made, mode), cudaSuccess);
    return made;
  }

  static cudaStreamCaptureStatus status(cudaStream_t where) {
    cudaStreamCaptureStatus answer = cudaStreamCaptureStatusNone;
    EXPECT_EQ(cudaStreamIsCapturing(where, &answer), cudaSuccess);
    return answer;
  }

  /// Ends the capture; the code, and that it gave a graph only with cudaSuccess.
  static cudaError_t end(cudaStream_t where) {
    cudaGraph_t graph = nullptr;
    const cudaError_t error = cudaStreamEndCapture(where, &graph);
    EXPECT_EQ(graph != nullptr, error == cudaSuccess);
    return error;
  }

  static cudaError_t allocate() {
    void* memory = nullptr;
    return cudaMalloc(&memory, 4);
  }

  template <typename Call>
  static cudaError_t in_other_thread(Call call) {
    cudaError_t answer = cudaSuccess;
    std::thread([&] { answer = call(); }).join();
    return answer;
  }
};

TEST_F(SilCapture, WorkIsRecordedAndNotDone) {
  const cudaStream_t where = captured();
  EXPECT_EQ(status(where), cudaStreamCaptureStatusActive);
  EXPECT_TRUE(sil::is_capturing(where));
  std::vector<int> notes;
  note(where, notes, 1);
  EXPECT_EQ(end(where), cudaSuccess);
  EXPECT_FALSE(sil::is_capturing(where));
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_TRUE(notes.empty());
}

TEST_F(SilCapture, BeginsAndEndsOnce) {
  const cudaStream_t where = captured();
  EXPECT_EQ(cudaStreamBeginCapture(where, cudaStreamCaptureModeRelaxed), cudaErrorIllegalState);
  EXPECT_EQ(end(where), cudaSuccess);
  EXPECT_EQ(end(where), cudaErrorIllegalState);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeRelaxed), cudaErrorStreamCaptureUnsupported);
}

TEST_F(SilCapture, WaitingForItOrAskingAfterItInvalidates) {
  for (cudaError_t (*const ask)(cudaStream_t) : {&cudaStreamSynchronize, &cudaStreamQuery}) {
    const cudaStream_t where = captured(cudaStreamCaptureModeRelaxed);
    EXPECT_EQ(ask(where), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(status(where), cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(cudaLaunchHostFunc(
                  where, [](void*) {}, nullptr),
              cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(ask(where), cudaSuccess) << "over";
  }
  const cudaStream_t where = captured(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
}

TEST_F(SilCapture, AnUnsafeCallInvalidatesAThreadLocalCaptureOfTheSameThread) {
  const cudaStream_t where = captured(cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(in_other_thread(allocate), cudaSuccess);
  EXPECT_EQ(status(where), cudaStreamCaptureStatusActive);
  EXPECT_EQ(allocate(), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(allocate(), cudaSuccess);
}

TEST_F(SilCapture, AFreeOfAnotherThreadLeavesAThreadLocalCaptureAlone) {
  int* const memory = device_memory();
  const cudaStream_t where = captured(cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(in_other_thread([&] { return cudaFree(memory); }), cudaSuccess);
  EXPECT_EQ(end(where), cudaSuccess);
}

TEST_F(SilCapture, AnUnsafeCallOfAnyThreadInvalidatesAGlobalCapture) {
  const cudaStream_t where = captured(cudaStreamCaptureModeGlobal);
  EXPECT_EQ(in_other_thread(allocate), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
}

TEST_F(SilCapture, ARelaxedCaptureBearsUnsafeCalls) {
  const cudaStream_t where = captured(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(allocate(), cudaSuccess);
  EXPECT_EQ(in_other_thread(allocate), cudaSuccess);
  EXPECT_EQ(end(where), cudaSuccess);
}

TEST_F(SilCapture, AThreadMayRelaxItself) {
  const cudaStream_t where = captured(cudaStreamCaptureModeGlobal);
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  ASSERT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
  EXPECT_EQ(mode, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(allocate(), cudaSuccess);
  ASSERT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
  EXPECT_EQ(end(where), cudaSuccess);
}

TEST_F(SilCapture, EveryUnsafeCallIsOne) {
  int* const memory = device_memory();
  int* const host = pinned_memory();
  const cudaEvent_t mark = event();
  const cudaStream_t idle = stream();
  void* out = nullptr;
  const std::vector<std::function<cudaError_t()>> unsafe = {
      [&] { return cudaMalloc(&out, 4); },
      [&] { return cudaFree(memory); },
      [&] { return cudaHostAlloc(&out, 4, 0); },
      [&] { return cudaMallocHost(&out, 4); },
      [&] { return cudaFreeHost(host); },
      [&] { return cudaMemcpy(memory, host, 4, cudaMemcpyHostToDevice); },
      [&] { return cudaMemset(memory, 0, 4); },
      [&] { return cudaEventQuery(mark); },
      [&] { return cudaEventSynchronize(mark); },
      [&] { return cudaStreamSynchronize(idle); },
      [&] { return cudaStreamQuery(idle); },
      [&] { return cudaMallocAsync(&out, 4, idle); },
      [&] { return sil::refuse_in_capture(); },
  };
  for (std::size_t i = 0; i < unsafe.size(); ++i) {
    const cudaStream_t where = captured();
    EXPECT_EQ(unsafe[i](), cudaErrorStreamCaptureUnsupported) << i;
    EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated) << i;
    ASSERT_EQ(cudaStreamDestroy(where), cudaSuccess);
  }
  EXPECT_EQ(out, nullptr);
  EXPECT_NE(sil::host_view(memory, 4), nullptr) << "nothing was freed";
}

TEST_F(SilCapture, SafeCallsLeaveItAlone) {
  int* const memory = device_memory();
  int* const host = pinned_memory();
  const cudaStream_t other = stream();
  const cudaEvent_t mark = event();
  const cudaStream_t where = captured();
  EXPECT_EQ(cudaMemcpyAsync(memory, host, 4, cudaMemcpyHostToDevice, where), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(memory, 0, 4, other), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(mark, other), cudaSuccess);
  EXPECT_EQ(end(where), cudaSuccess);
}

TEST_F(SilCapture, TheDefaultStreamIsForbiddenBesideABlockingOne) {
  int* const memory = device_memory();
  const cudaStream_t where = captured(cudaStreamCaptureModeRelaxed, cudaStreamDefault);
  EXPECT_EQ(cudaMemset(memory, 0, 4), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
  const cudaStream_t again = captured(cudaStreamCaptureModeRelaxed, cudaStreamDefault);
  EXPECT_EQ(cudaMemsetAsync(memory, 0, 4, nullptr), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(end(again), cudaErrorStreamCaptureInvalidated);
  const cudaStream_t independent = captured(cudaStreamCaptureModeRelaxed, cudaStreamNonBlocking);
  EXPECT_EQ(cudaMemset(memory, 0, 4), cudaSuccess);
  EXPECT_EQ(end(independent), cudaSuccess);
}

TEST_F(SilCapture, PageableMemoryIsNotCaptured) {
  int value = 0;
  int* const memory = device_memory();
  const cudaStream_t where = captured();
  EXPECT_EQ(cudaMemcpyAsync(memory, &value, 4, cudaMemcpyHostToDevice, where),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
}

TEST_F(SilCapture, EndsInItsOwnThreadAndStream) {
  const cudaStream_t where = captured(cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(in_other_thread([&] { return end(where); }), cudaErrorStreamCaptureWrongThread);
  EXPECT_EQ(end(where), cudaSuccess);
  const cudaStream_t relaxed = captured(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(in_other_thread([&] { return end(relaxed); }), cudaSuccess);
}

TEST_F(SilCapture, AStreamJoinsThroughAnEventAndMustBeJoinedAgain) {
  const cudaStream_t other = stream();
  const cudaEvent_t fork = event();
  const cudaEvent_t join = event();
  std::vector<int> notes;
  for (const bool is_joined : {false, true}) {
    const cudaStream_t where = captured();
    note(where, notes, 1);
    ASSERT_EQ(cudaEventRecord(fork, where), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(other, fork, 0), cudaSuccess);
    EXPECT_TRUE(sil::is_capturing(other));
    note(other, notes, 2);
    EXPECT_EQ(end(other), cudaErrorStreamCaptureUnmatched);
    ASSERT_EQ(cudaEventRecord(join, other), cudaSuccess);
    if (is_joined) {
      ASSERT_EQ(cudaStreamWaitEvent(where, join, 0), cudaSuccess);
    }
    EXPECT_EQ(end(where), is_joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    EXPECT_FALSE(sil::is_capturing(other));
  }
  EXPECT_TRUE(notes.empty());
}

TEST_F(SilCapture, DependenciesDoNotCrossItsBoundary) {
  const cudaEvent_t outside = event();
  ASSERT_EQ(cudaEventRecord(outside, stream()), cudaSuccess);
  const cudaStream_t where = captured();
  EXPECT_EQ(cudaStreamWaitEvent(where, event(), 0), cudaSuccess) << "never recorded: nothing to wait for";
  EXPECT_EQ(cudaStreamWaitEvent(where, outside, 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
}

TEST_F(SilCapture, TwoCapturesDoNotMerge) {
  const cudaStream_t first = captured(cudaStreamCaptureModeRelaxed);
  const cudaStream_t second = captured(cudaStreamCaptureModeRelaxed);
  const cudaEvent_t mark = event();
  ASSERT_EQ(cudaEventRecord(mark, first), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(second, mark, 0), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(end(first), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(second), cudaErrorStreamCaptureInvalidated);
}

TEST_F(SilCapture, ACapturedEventCannotBeWaitedFor) {
  const cudaStream_t where = captured(cudaStreamCaptureModeRelaxed);
  const cudaEvent_t mark = event();
  ASSERT_EQ(cudaEventRecord(mark, where), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(mark), cudaErrorCapturedEvent);
  EXPECT_EQ(end(where), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaEventSynchronize(mark), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaStreamWaitEvent(where, mark, 0), cudaErrorCapturedEvent);
  ASSERT_EQ(cudaEventRecord(mark, where), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(mark), cudaSuccess) << "recorded anew";
}

}  // namespace
}  // namespace skua::test
