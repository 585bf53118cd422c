// Copies: when which memory is read, and which copies are refused.
#include <array>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilCopy : public SilCuda {};

TEST_F(SilCopy, ThereAndBack) {
  const std::array<int, 3> source{1, 2, 3};
  int* const device = device_memory(3);
  int* const other = device_memory(3);
  std::array<int, 3> back{};
  ASSERT_EQ(cudaMemcpy(device, source.data(), 12, cudaMemcpyHostToDevice), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(other, device, 12, cudaMemcpyDeviceToDevice), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(back.data(), other, 12, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(back, source);
  ASSERT_EQ(cudaMemset(device, 1, 12), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(back.data(), device, 12, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(back[2], 0x01010101);
}

TEST_F(SilCopy, PinnedMemoryIsReadWhenTheStreamGetsThere) {
  int* const host = pinned_memory();
  int* const device = device_memory();
  const cudaStream_t where = stream();
  sil::hold_streams();
  *host = 1;
  ASSERT_EQ(cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, where), cudaSuccess);
  *host = 2;  // too early: the caller has not waited
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(on_device(device), 2);
}

TEST_F(SilCopy, RegisteredMemoryToo) {
  int value = 1;
  ASSERT_EQ(cudaHostRegister(&value, sizeof value, 0), cudaSuccess);
  int* const device = device_memory();
  const cudaStream_t where = stream();
  sil::hold_streams();
  ASSERT_EQ(cudaMemcpyAsync(device, &value, sizeof(int), cudaMemcpyHostToDevice, where), cudaSuccess);
  value = 2;
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(on_device(device), 2);
  ASSERT_EQ(cudaHostUnregister(&value), cudaSuccess);
}

TEST_F(SilCopy, PageableMemoryIsStagedAtTheCall) {
  int value = 1;
  int* const device = device_memory();
  const cudaStream_t where = stream();
  sil::hold_streams();
  ASSERT_EQ(cudaMemcpyAsync(device, &value, sizeof(int), cudaMemcpyHostToDevice, where), cudaSuccess);
  value = 2;
  EXPECT_NE(on_device(device), 1) << "the copy itself is still asynchronous";
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(on_device(device), 1);
}

TEST_F(SilCopy, ACopyToPinnedMemoryIsNotThereBeforeTheWait) {
  int* const host = pinned_memory();
  int* const device = device_memory();
  const cudaStream_t where = stream();
  put_on_device(device, 7);
  *host = 0;
  sil::hold_streams();
  ASSERT_EQ(cudaMemcpyAsync(host, device, sizeof(int), cudaMemcpyDeviceToHost, where), cudaSuccess);
  EXPECT_EQ(*host, 0);
  ASSERT_EQ(cudaStreamSynchronize(where), cudaSuccess);
  EXPECT_EQ(*host, 7);
}

TEST_F(SilCopy, ACopyToPageableMemoryWaits) {
  int value = 0;
  int* const device = device_memory();
  put_on_device(device, 7);
  sil::hold_streams();
  ASSERT_EQ(cudaMemcpyAsync(&value, device, sizeof(int), cudaMemcpyDeviceToHost, stream()), cudaSuccess);
  EXPECT_EQ(value, 7);
}

TEST_F(SilCopy, ABlockingCopyDoesNotWaitForANonBlockingStream) {
  int* const device = device_memory();
  put_on_device(device, 1);
  const cudaStream_t where = stream(cudaStreamNonBlocking);
  sil::hold_streams();
  ASSERT_EQ(cudaMemsetAsync(device, 0, sizeof(int), where), cudaSuccess);
  int value = 0;
  ASSERT_EQ(cudaMemcpy(&value, device, sizeof(int), cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(value, 1) << "the missing wait shows";
}

TEST_F(SilCopy, ABlockingCopyWaitsForABlockingStream) {
  int* const device = device_memory();
  put_on_device(device, 1);
  const cudaStream_t where = stream(cudaStreamDefault);
  sil::hold_streams();
  ASSERT_EQ(cudaMemsetAsync(device, 0, sizeof(int), where), cudaSuccess);
  int value = 1;
  ASSERT_EQ(cudaMemcpy(&value, device, sizeof(int), cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(value, 0);
}

TEST_F(SilCopy, TheDirectionMustBeTrue) {
  int value = 0;
  int* const device = device_memory();
  EXPECT_EQ(cudaMemcpy(&value, device, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, &value, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, &value, 4, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(&value, device, 4, cudaMemcpyHostToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(&value, device, 4, cudaMemcpyHostToDevice, stream()), cudaErrorInvalidValue);
}

TEST_F(SilCopy, ARangeBeyondTheAllocationIsRefused) {
  std::array<int, 3> host{};
  int* const device = device_memory(2);
  int* const pinned = pinned_memory(2);
  EXPECT_EQ(cudaMemcpy(device, host.data(), 12, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), device + 1, 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, pinned + 1, 8, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device, 0, 9), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, nullptr, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyHostToDevice), cudaSuccess);
}

TEST_F(SilCopy, MemoryThatIsGoneWhenTheStreamGetsThereIsAnIllegalAddress) {
  const cudaStream_t where = stream();
  void* device = nullptr;
  ASSERT_EQ(cudaMallocAsync(&device, 4, where), cudaSuccess);
  sil::hold_streams();
  ASSERT_EQ(cudaFreeAsync(device, where), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(device, 0, 4, where), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress) << "sticky";
}

}  // namespace
}  // namespace skua::test
