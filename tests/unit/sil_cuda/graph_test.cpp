// Graphs: recorded work replayed, over memory as it is at the launch.
#include <array>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilGraph : public SilCuda {
 protected:
  template <typename Record>
  static cudaGraph_t recorded(cudaStream_t where, Record record) {
    EXPECT_EQ(cudaStreamBeginCapture(where, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    record();
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(where, &graph), cudaSuccess);
    return graph;
  }

  static cudaGraphExec_t executable(cudaGraph_t graph) {
    cudaGraphExec_t made = nullptr;
    EXPECT_EQ(cudaGraphInstantiate(&made, graph, 0), cudaSuccess);
    return made;
  }
};

TEST_F(SilGraph, EachLaunchDoesTheWorkAgainWithTheMemoryOfThatTime) {
  int* const source = pinned_memory();
  int* const result = pinned_memory();
  int* const device = device_memory();
  const cudaStream_t where = stream();
  const cudaGraph_t graph = recorded(where, [&] {
    ASSERT_EQ(cudaMemcpyAsync(device, source, 4, cudaMemcpyHostToDevice, where), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(result, device, 4, cudaMemcpyDeviceToHost, where), cudaSuccess);
  });
  const cudaGraphExec_t launched = executable(graph);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess) << "the executable does not need it";
  for (int i = 1; i <= 3; ++i) {
    *source = i;
    ASSERT_EQ(cudaGraphLaunch(launched, where), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
    EXPECT_EQ(*result, i);
  }
}

TEST_F(SilGraph, ALaunchIsAsynchronousWorkOfItsStream) {
  const cudaStream_t where = stream();
  std::vector<int> notes;
  const cudaGraphExec_t launched = executable(recorded(where, [&] { note(where, notes, 2); }));
  sil::hold_streams();
  note(where, notes, 1);
  ASSERT_EQ(cudaGraphLaunch(launched, where), cudaSuccess);
  EXPECT_TRUE(notes.empty());
  ASSERT_EQ(cudaGraphExecDestroy(launched), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{1, 2})) << "a launch under way outlives the executable";
}

TEST_F(SilGraph, ForkedStreamsRunInDependencyOrder) {
  const cudaStream_t first = stream();
  const cudaStream_t second = stream();
  const cudaEvent_t fork = event();
  const cudaEvent_t join = event();
  std::vector<int> notes;
  const cudaGraph_t graph = recorded(first, [&] {
    note(first, notes, 1);
    ASSERT_EQ(cudaEventRecord(fork, first), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(second, fork, 0), cudaSuccess);
    note(second, notes, 2);
    ASSERT_EQ(cudaEventRecord(join, second), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(first, join, 0), cudaSuccess);
    note(first, notes, 3);
  });
  ASSERT_EQ(cudaGraphLaunch(executable(graph), second), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(notes, (std::vector<int>{1, 2, 3}));
}

TEST_F(SilGraph, NodesAreListed) {
  const cudaStream_t where = stream();
  std::vector<int> notes;
  const cudaGraph_t graph = recorded(where, [&] {
    note(where, notes, 1);
    note(where, notes, 2);
  });
  std::size_t count = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
  EXPECT_EQ(count, 2U);
  std::array<cudaGraphNode_t, 3> nodes{};
  nodes.fill(reinterpret_cast<cudaGraphNode_t>(&nodes));
  count = nodes.size();
  ASSERT_EQ(cudaGraphGetNodes(graph, nodes.data(), &count), cudaSuccess);
  EXPECT_EQ(count, 2U);
  EXPECT_NE(nodes[0], nullptr);
  EXPECT_NE(nodes[0], nodes[1]);
  EXPECT_EQ(nodes[2], nullptr);
}

TEST_F(SilGraph, AnEmptyGraphIsOne) {
  const cudaStream_t where = stream();
  const cudaGraph_t graph = recorded(where, [] {});
  std::size_t count = 9;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
  EXPECT_EQ(count, 0U);
  EXPECT_EQ(cudaGraphLaunch(executable(graph), where), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaSuccess);
}

TEST_F(SilGraph, MemoryFreedSinceTheCaptureIsAnIllegalAddress) {
  for (int freed = 0; freed < 3; ++freed) {
    int* const source = pinned_memory();
    int* const device = device_memory();
    int* const copy = device_memory();
    const cudaStream_t where = stream();
    const cudaGraph_t graph = recorded(where, [&] {
      ASSERT_EQ(cudaMemcpyAsync(device, source, 4, cudaMemcpyHostToDevice, where), cudaSuccess);
      ASSERT_EQ(cudaMemcpyAsync(copy, device, 4, cudaMemcpyDeviceToDevice, where), cudaSuccess);
      ASSERT_EQ(cudaMemsetAsync(copy, 0, 4, where), cudaSuccess);
    });
    const cudaGraphExec_t launched = executable(graph);
    ASSERT_EQ(cudaGraphLaunch(launched, where), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
    ASSERT_EQ(freed == 0 ? cudaFreeHost(source) : cudaFree(freed == 1 ? device : copy), cudaSuccess);
    ASSERT_EQ(cudaGraphLaunch(launched, where), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorIllegalAddress) << freed;
    start_again();
  }
}

TEST_F(SilGraph, WrongArgumentsAreRefused) {
  const cudaStream_t where = stream();
  const cudaGraph_t graph = recorded(where, [] {});
  cudaGraphExec_t made = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(nullptr, graph, 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphInstantiate(&made, nullptr, 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphInstantiate(&made, graph, 2), cudaErrorNotSupported);
  EXPECT_EQ(cudaGraphLaunch(nullptr, where), cudaErrorInvalidValue);
  EXPECT_EQ(made, nullptr);
}

}  // namespace
}  // namespace skua::test
