// What the tests of the software-in-the-loop CUDA runtime share: a fresh device for each test, and its
// objects with an owner.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "sil/control/sil_control.h"
#include "sil/cuda/sil_device.h"

namespace skua::test {

class SilCuda : public testing::Test {
 protected:
  void SetUp() override { start_again(); }
  void TearDown() override { start_again(); }

  static void start_again() {
    sil::reset();
    sil::restart_device();
    sil::reset();  // counts nothing of the above
  }

  static cudaStream_t stream(unsigned flags = cudaStreamNonBlocking) {
    cudaStream_t made = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&made, flags), cudaSuccess);
    return made;
  }

  static cudaEvent_t event(unsigned flags = cudaEventDisableTiming) {
    cudaEvent_t made = nullptr;
    EXPECT_EQ(cudaEventCreateWithFlags(&made, flags), cudaSuccess);
    return made;
  }

  template <typename Element = int>
  static Element* device_memory(std::size_t count = 1) {
    void* made = nullptr;
    EXPECT_EQ(cudaMalloc(&made, count * sizeof(Element)), cudaSuccess);
    return static_cast<Element*>(made);
  }

  template <typename Element = int>
  static Element* pinned_memory(std::size_t count = 1, unsigned flags = cudaHostAllocMapped) {
    void* made = nullptr;
    EXPECT_EQ(cudaHostAlloc(&made, count * sizeof(Element), flags), cudaSuccess);
    return static_cast<Element*>(made);
  }

  /// What the device has there, whoever may or may not have waited.
  static int on_device(const int* address) {
    const void* const host = sil::host_view(address, sizeof(int));
    int value = 0;
    if (host == nullptr) {
      ADD_FAILURE() << "no live device memory there";
    } else {
      std::memcpy(&value, host, sizeof value);
    }
    return value;
  }

  static void put_on_device(int* address, int value) {
    ASSERT_EQ(cudaMemcpy(address, &value, sizeof value, cudaMemcpyHostToDevice), cudaSuccess);
  }

  /// Work that writes down its number.
  static void note(cudaStream_t where, std::vector<int>& notes, int number) {
    ASSERT_EQ(sil::enqueue(where, [&notes, number] { return notes.push_back(number), cudaSuccess; }),
              cudaSuccess);
  }
};

}  // namespace skua::test
