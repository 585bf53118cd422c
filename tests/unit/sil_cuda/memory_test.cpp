// Device memory, pinned memory, limits and what is counted as still held.
#include <csignal>
#include <cstdint>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilMemory : public SilCuda {};
using SilMemoryDeathTest = SilMemory;

TEST_F(SilMemoryDeathTest, HostCodeThatTouchesADeviceAddressDies) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  volatile int* const memory = device_memory();
  EXPECT_DEATH({ *memory = 1; }, "");
  EXPECT_DEATH({ [[maybe_unused]] const int read = *memory; }, "");
}

TEST_F(SilMemoryDeathTest, HostCodeThatTouchesTheDeviceAddressOfPinnedMemoryDies) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  int* const host = pinned_memory();
  *host = 3;  // the host's own address is good
  void* device = nullptr;
  ASSERT_EQ(cudaHostGetDevicePointer(&device, host, 0), cudaSuccess);
  EXPECT_NE(device, host);
  volatile int* const memory = static_cast<int*>(device);
  EXPECT_DEATH({ *memory = 1; }, "");
}

TEST_F(SilMemory, HostViewCoversLiveDeviceMemoryOnly) {
  int* const memory = device_memory(4);
  EXPECT_NE(sil::host_view(memory, 16), nullptr);
  EXPECT_EQ(sil::host_view(memory, 17), nullptr);
  EXPECT_EQ(sil::host_view(memory + 4, 1), nullptr);
  EXPECT_EQ(static_cast<int*>(sil::host_view(memory + 1, 4)),
            static_cast<int*>(sil::host_view(memory, 4)) + 1);
  ASSERT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(sil::host_view(memory, 1), nullptr);
}

TEST_F(SilMemory, HostViewOfMappedMemoryIsTheHostsOwn) {
  int* const host = pinned_memory(2);
  void* device = nullptr;
  ASSERT_EQ(cudaHostGetDevicePointer(&device, host + 1, 0), cudaSuccess);
  EXPECT_EQ(sil::host_view(device, 4), host + 1);
  EXPECT_EQ(sil::host_view(host, 4), nullptr) << "the host's address is not the device's";
  ASSERT_EQ(cudaFreeHost(host), cudaSuccess);
  EXPECT_EQ(sil::host_view(device, 4), nullptr);
}

TEST_F(SilMemory, UnmappedPinnedMemoryHasNoDeviceAddress) {
  void* device = nullptr;
  EXPECT_EQ(cudaHostGetDevicePointer(&device, pinned_memory(1, cudaHostAllocDefault), 0),
            cudaErrorInvalidValue);
  EXPECT_EQ(device, nullptr);
}

TEST_F(SilMemory, FreshMemoryHoldsNoNumbers) {
  const float* const view = static_cast<float*>(sil::host_view(device_memory<float>(), sizeof(float)));
  EXPECT_NE(*view, *view);
}

TEST_F(SilMemory, FreeKnowsWhatItMayFree) {
  int* const memory = device_memory(2);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(cudaFree(memory + 1), cudaErrorInvalidValue);
  int* const host = pinned_memory();
  void* mapped = nullptr;
  ASSERT_EQ(cudaHostGetDevicePointer(&mapped, host, 0), cudaSuccess);
  EXPECT_EQ(cudaFree(host), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(mapped), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(mapped), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(memory), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(nullptr), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
}

TEST_F(SilMemory, NothingIsAllocatedForNoBytes) {
  void* memory = &memory;
  EXPECT_EQ(cudaMalloc(&memory, 0), cudaSuccess);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
}

TEST_F(SilMemory, TheLimitIsOutOfMemoryAndLeavesTheOutParameter) {
  sil::limit_device_memory(1000);
  int* const first = device_memory<int>(150);
  void* second = first;
  EXPECT_EQ(cudaMalloc(&second, 401), cudaErrorMemoryAllocation);
  EXPECT_EQ(second, first);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&second, 400), cudaSuccess);
  ASSERT_EQ(cudaFree(first), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&second, SIZE_MAX), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&second, 600), cudaSuccess);
}

TEST_F(SilMemory, MemGetInfoFollowsTheLimit) {
  sil::limit_device_memory(1000);
  device_memory<char>(300);
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 700U);
  EXPECT_EQ(total, 1000U);
  sil::limit_device_memory(100);
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 0U);
}

TEST_F(SilMemory, StreamOrderedMemoryIsFreedWhenTheStreamGetsThere) {
  sil::limit_device_memory(1000);
  const cudaStream_t where = stream();
  void* first = nullptr;
  ASSERT_EQ(cudaMallocAsync(&first, 800, where), cudaSuccess);
  sil::hold_streams();
  ASSERT_EQ(cudaFreeAsync(first, where), cudaSuccess);
  EXPECT_NE(sil::host_view(first, 1), nullptr);
  void* second = nullptr;
  EXPECT_EQ(cudaMallocAsync(&second, 800, where), cudaSuccess) << "the memory that the stream frees first";
  EXPECT_EQ(sil::host_view(first, 1), nullptr);
}

TEST_F(SilMemory, AStaleAddressDoesNotSoonBelongToSomebodyElse) {
  std::vector<int*> stale;
  for (int i = 0; i < 100; ++i) stale.push_back(device_memory());
  for (int* const address : stale) ASSERT_EQ(cudaFree(address), cudaSuccess);
  for (int i = 0; i < 100; ++i) device_memory();
  for (const int* const address : stale) EXPECT_EQ(sil::host_view(address, 1), nullptr);
}

TEST_F(SilMemory, RegisteredMemoryIsPinned) {
  std::vector<int> values(4, 5);
  EXPECT_EQ(cudaHostUnregister(values.data()), cudaErrorHostMemoryNotRegistered);
  ASSERT_EQ(cudaHostRegister(values.data(), 16, cudaHostRegisterMapped), cudaSuccess);
  EXPECT_EQ(cudaHostRegister(values.data() + 1, 4, 0), cudaErrorHostMemoryAlreadyRegistered);
  void* device = nullptr;
  ASSERT_EQ(cudaHostGetDevicePointer(&device, values.data(), 0), cudaSuccess);
  EXPECT_EQ(sil::host_view(device, 16), values.data());
  EXPECT_EQ(cudaFreeHost(values.data()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaHostUnregister(values.data()), cudaSuccess);
  EXPECT_EQ(values[3], 5);
}

TEST_F(SilMemory, FreeWaitsForTheWorkUnderWay) {
  int* const memory = device_memory();
  const cudaStream_t where = stream();
  sil::hold_streams();
  bool has_run = false;
  ASSERT_EQ(sil::enqueue(where, [&] { return has_run = true, cudaSuccess; }), cudaSuccess);
  ASSERT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_TRUE(has_run);
}

TEST_F(SilMemory, EverythingHeldIsCounted) {
  int* const memory = device_memory(25);
  int* const host = pinned_memory(10);
  const cudaStream_t where = stream();
  const cudaEvent_t mark = event();
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(where, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(where, &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  EXPECT_EQ(sil::live_objects(), (sil::LiveObjects{1, 100, 1, 40, 1, 1, 1, 1}));
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(where), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(mark), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
}

TEST_F(SilMemory, StaleHandlesAreFound) {
  const cudaStream_t where = stream();
  const cudaEvent_t mark = event();
  ASSERT_EQ(cudaStreamDestroy(where), cudaSuccess);
  ASSERT_EQ(cudaEventDestroy(mark), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(where), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventDestroy(mark), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(mark, stream()), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGraphDestroy(nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphExecDestroy(nullptr), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace skua::test
