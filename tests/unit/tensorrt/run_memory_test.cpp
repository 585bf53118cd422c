// Memory: where it lies, what is counted, and that nothing is taken after the seal.
#include "run_fixture.h"
#include "runtimes/tensorrt/cuda_device.h"
#include "runtimes/tensorrt/gpu_allocator.h"

namespace skua::test {
namespace {

class TensorrtMemory : public TensorrtRun {};

TEST_F(TensorrtMemory, EverythingIsGivenBack) {
  for (const char* memory : {"mapped", "copied"}) {
    config_.tensorrt_io_memory = memory;
    {
      const Lane lane = place(dynamic_rows());
      EXPECT_GT(device_->held_bytes(), 0U);
      for (int frame = 0; frame < 3; ++frame) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    }
    EXPECT_EQ(device_->held_bytes(), 0U) << memory;
    EXPECT_EQ(sil::live_objects(), sil::LiveObjects()) << memory;
  }
}

TEST_F(TensorrtMemory, RunsTakeNothingAfterTheSeal) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  device_->seal();
  sil::reset();
  for (const std::int64_t rows : {1, 5, 2, 4, 3}) {
    ASSERT_TRUE(is_ok(lane->set_input_shape(0, {rows, 4})));
    for (int frame = 0; frame < 3; ++frame) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  }
  EXPECT_EQ(device_->allocations_after_seal(), 0U);
  for (const char* function : {"cudaMalloc", "cudaHostAlloc", "cudaMallocAsync", "cudaStreamCreateWithFlags"})
    EXPECT_EQ(sil::calls(function), 0) << function;
}

TEST_F(TensorrtMemory, WhatIsTakenAfterTheSealIsToldAndCounted) {
  trt::GpuAllocator allocator(device_);
  void* const before = allocator.allocateAsync(1000, 256, 0, nullptr);
  ASSERT_NE(before, nullptr);
  EXPECT_TRUE(events_.of("c7.memory_after_seal").empty());
  device_->seal();
  void* const after = allocator.allocateAsync(2000, 256, 0, nullptr);
  EXPECT_NE(after, nullptr);  // in the air a late frame is better than none
  EXPECT_EQ(device_->allocations_after_seal(), 1U);
  ASSERT_EQ(events_.of("c7.memory_after_seal").size(), 1U);
  EXPECT_THAT(events_.of("c7.memory_after_seal")[0].message,
              testing::HasSubstr("2000 bytes of device memory"));
  EXPECT_TRUE(is_ok(trt::CudaMemory::pinned(device_, 10, trt::TrtContext::kLoad)));
  EXPECT_EQ(device_->allocations_after_seal(), 2U);
  EXPECT_TRUE(allocator.deallocateAsync(before, nullptr));
  EXPECT_TRUE(allocator.deallocateAsync(after, nullptr));
  EXPECT_EQ(device_->held_bytes(), 0U);
}

TEST_F(TensorrtMemory, AFloodOfAllocationsIsNotAFloodOfEvents) {
  device_->seal();
  for (int i = 0; i < 100; ++i) device_->count_allocation(trt::MemoryKind::kDevice, 1);
  EXPECT_EQ(device_->allocations_after_seal(), 100U);
  EXPECT_EQ(events_.of("c7.memory_after_seal").size(), 16U);
}

TEST_F(TensorrtMemory, TheAllocatorAnswersAsTensorrtAsks) {
  trt::GpuAllocator allocator(device_);
  EXPECT_EQ(allocator.allocateAsync(0, 256, 0, nullptr), nullptr);
  EXPECT_EQ(allocator.allocateAsync(64, 4096, 0, nullptr), nullptr);
  EXPECT_TRUE(allocator.deallocateAsync(nullptr, nullptr));
  int foreign = 0;
  EXPECT_FALSE(allocator.deallocateAsync(&foreign, nullptr));
  sil::limit_device_memory(1000);
  EXPECT_EQ(allocator.allocateAsync(5000, 256, 0, nullptr), nullptr);
  EXPECT_FALSE(device_->is_lost());
}

TEST(TensorrtFreeMemory, MemAvailableIsRead) {
  EXPECT_EQ(trt::mem_available(
                "MemTotal:       8000 kB\nMemFree:  10 kB\nMemAvailable:    1234 kB\nBuffers: 1 kB\n"),
            1234U * 1024);
  EXPECT_EQ(trt::mem_available("MemAvailable: 7 kB"), 7U * 1024);
  for (const char* text :
       {"", "MemFree: 10 kB\n", "MemAvailable: x kB\n", "MemAvailable: 10\n", "MemAvailable:\n"})
    EXPECT_EQ(trt::mem_available(text), std::nullopt) << text;
}

class TensorrtFreeBytes : public TensorrtRun {};

TEST_F(TensorrtFreeBytes, AnIntegratedDeviceAsksTheSystemAndADiscreteOneItself) {
  const auto integrated = trt::open_device().value();
  ASSERT_TRUE(integrated.is_integrated);
  sil::limit_device_memory(1U << 20U);
  sil::reset();
  EXPECT_GT(trt::free_bytes(integrated, trt::TrtContext::kLoad).value(), std::uint64_t{1} << 20U);
  EXPECT_EQ(sil::calls("cudaMemGetInfo"), 0);
  sil::make_discrete();
  sil::limit_device_memory(1U << 20U);
  const auto discrete = trt::open_device().value();
  ASSERT_FALSE(discrete.is_integrated);
  EXPECT_LE(trt::free_bytes(discrete, trt::TrtContext::kLoad).value(), std::uint64_t{1} << 20U);
}

TEST_F(TensorrtFreeBytes, WithoutADriverThereIsNoRuntime) {
  sil::remove_driver();
  EXPECT_TRUE(
      is_error(trt::open_device(), ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable, "driver"));
}

TEST(TensorrtIoPolicy, SaysWhatIsCopied) {
  RuntimeConfig config;
  const auto policy = [&](bool is_integrated) { return trt::IoPolicy::from(config, is_integrated).value(); };
  EXPECT_FALSE(policy(true).is_copied("net", "x"));
  EXPECT_TRUE(policy(false).is_copied("net", "x"));
  config.tensorrt_io_memory = "mapped";
  EXPECT_FALSE(policy(false).is_copied("net", "x"));
  config.tensorrt_copied_tensors = "net/x, other/y";
  EXPECT_TRUE(policy(true).is_copied("net", "x"));
  EXPECT_TRUE(policy(true).is_copied("other", "y"));
  EXPECT_FALSE(policy(true).is_copied("net", "y"));
  config.tensorrt_copied_tensors = "netx";
  EXPECT_FALSE(trt::IoPolicy::from(config, true).ok());
}

}  // namespace
}  // namespace skua::test
