// Many threads at once, as lanes use it: each its own stream, all one device. For the thread sanitizer above
// all.
#include <thread>

#include "counts.h"
#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

constexpr int kLanes = 4;

class SilThreads : public SilCuda {
 protected:
  /// A lane's life: memory, a captured graph, launches, everything given back.
  static void run_lane(int lane, int rounds) {
    int* const source = pinned_memory();
    int* const result = pinned_memory();
    int* const device = device_memory();
    const cudaStream_t where = stream();
    const cudaEvent_t done = event();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(where, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(device, source, 4, cudaMemcpyHostToDevice, where), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(result, device, 4, cudaMemcpyDeviceToHost, where), cudaSuccess);
    ASSERT_EQ(cudaStreamEndCapture(where, &graph), cudaSuccess);
    ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    for (int i = 0; i < rounds; ++i) {
      *source = lane * rounds + i;
      ASSERT_EQ(cudaGraphLaunch(executable, where), cudaSuccess);
      ASSERT_EQ(cudaEventRecord(done, where), cudaSuccess);
      while (cudaEventQuery(done) == cudaErrorNotReady) std::this_thread::yield();
      ASSERT_EQ(*result, lane * rounds + i);
    }
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    EXPECT_EQ(cudaEventDestroy(done), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(where), cudaSuccess);
    EXPECT_EQ(cudaFree(device), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(source), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(result), cudaSuccess);
  }
};

TEST_F(SilThreads, LanesDoNotDisturbEachOther) {
  const int rounds = static_cast<int>(skua_test::count("lane_runs"));
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < kLanes; ++lane) lanes.emplace_back([=] { run_lane(lane, rounds); });
  for (std::thread& lane : lanes) lane.join();
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
}

TEST_F(SilThreads, AStickyErrorReachesAllLanes) {
  struct Lane {
    int* device = device_memory();
    cudaStream_t where = stream();
  };
  const std::vector<Lane> made(kLanes);  // all before any runs: a lost device gives none
  std::vector<std::thread> lanes;
  sil::fail_work("cudaMemsetAsync", 100, cudaErrorIllegalAddress);
  for (const Lane& lane : made) {
    lanes.emplace_back([lane] {
      cudaError_t error = cudaSuccess;
      while (error == cudaSuccess) {
        error = cudaMemsetAsync(lane.device, 0, 4, lane.where);
        if (error == cudaSuccess) error = cudaStreamSynchronize(lane.where);
      }
      EXPECT_EQ(error, cudaErrorIllegalAddress);
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST_F(SilThreads, StreamsComeAndGo) {
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        const cudaStream_t where = stream();
        ASSERT_EQ(cudaLaunchHostFunc(
                      where, [](void*) {}, nullptr),
                  cudaSuccess);
        ASSERT_EQ(cudaStreamDestroy(where), cudaSuccess);
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  EXPECT_EQ(sil::live_objects().streams, 0);
}

}  // namespace
}  // namespace skua::test
