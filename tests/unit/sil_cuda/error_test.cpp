// Errors: the thread's last one, sticky ones, those of asynchronous work, and a machine without a driver.
#include <thread>

#include "sil_cuda_fixture.h"

namespace skua::test {
namespace {

class SilError : public SilCuda {};

TEST_F(SilError, TheLastErrorIsReadAndCleared) {
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(3), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice) << "a success does not clear it";
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(SilError, TheLastErrorIsTheThreadsOwn) {
  EXPECT_EQ(cudaSetDevice(3), cudaErrorInvalidDevice);
  cudaError_t other = cudaErrorUnknown;
  std::thread([&] { other = cudaGetLastError(); }).join();
  EXPECT_EQ(other, cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}

TEST_F(SilError, NamesAndTexts) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorStreamCaptureInvalidated), "cudaErrorStreamCaptureInvalidated");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorIllegalAddress), "an illegal memory access was encountered");
  EXPECT_STREQ(cudaGetErrorName(static_cast<cudaError_t>(12345)), "unrecognized error code");
}

TEST_F(SilError, AfterAStickyErrorEveryCallReturnsIt) {
  int* const memory = device_memory();
  const cudaStream_t where = stream();
  const cudaEvent_t mark = event();
  sil::fail_call("cudaStreamSynchronize", 1, cudaErrorIllegalAddress, true);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorIllegalAddress);
  void* out = memory;
  int count = -7;
  const std::vector<cudaError_t> answers = {
      cudaGetLastError(),           cudaGetLastError(),        cudaPeekAtLastError(),
      cudaMalloc(&out, 4),          cudaFree(memory),          cudaGetDeviceCount(&count),
      cudaStreamQuery(where),       cudaStreamDestroy(where),  cudaEventDestroy(mark),
      cudaEventRecord(mark, where), cudaDeviceSynchronize(),   cudaDeviceReset(),
      cudaStreamCreate(nullptr),    cudaMemset(nullptr, 0, 4), cudaFree(nullptr)};
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], cudaErrorIllegalAddress) << i;
  EXPECT_EQ(out, memory);
  EXPECT_EQ(count, -7);
  EXPECT_EQ(sil::enqueue(where, [] { return cudaSuccess; }), cudaErrorIllegalAddress);
  std::thread([] { EXPECT_EQ(cudaSetDevice(0), cudaErrorIllegalAddress); }).join();
  EXPECT_EQ(sil::live_objects().allocations, 1) << "nothing was released";
}

TEST_F(SilError, TheVersionsAreAnsweredAllTheSame) {
  sil::fail_call("cudaSetDevice", 1, cudaErrorAssert, true);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorAssert);
  int version = 0;
  EXPECT_EQ(cudaRuntimeGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, CUDART_VERSION);
}

TEST_F(SilError, AStickyErrorOfWorkShowsInLaterCallsOfOthers) {
  const cudaStream_t where = stream();
  const cudaStream_t other = stream();
  sil::fail_work("cudaLaunchHostFunc", 1, cudaErrorLaunchFailure);
  ASSERT_EQ(cudaLaunchHostFunc(
                where, [](void*) {}, nullptr),
            cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaErrorLaunchFailure);
}

TEST_F(SilError, WhoWaitsHearsOfTheLoss) {
  const cudaStream_t stuck = stream();
  sil::hang_work("cudaLaunchHostFunc", 1);
  ASSERT_EQ(cudaLaunchHostFunc(
                stuck, [](void*) {}, nullptr),
            cudaSuccess);
  std::thread waiter([&] { EXPECT_EQ(cudaStreamSynchronize(stuck), cudaErrorIllegalAddress); });
  while (sil::calls("cudaStreamSynchronize") == 0) std::this_thread::yield();
  sil::fail_call("cudaSetDevice", 1, cudaErrorIllegalAddress, true);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorIllegalAddress);
  waiter.join();
}

TEST_F(SilError, AnErrorOfWorkThatIsNotStickyIsReportedOnceByItsStream) {
  const cudaStream_t where = stream();
  const cudaStream_t other = stream();
  ASSERT_EQ(sil::enqueue(where, [] { return cudaErrorLaunchOutOfResources; }), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaSuccess);
}

TEST_F(SilError, AnExceptionOfWorkIsAnUnknownError) {
  const cudaStream_t where = stream();
  ASSERT_EQ(sil::enqueue(where, []() -> cudaError_t { throw 1; }), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(where), cudaErrorUnknown);
}

TEST_F(SilError, ALostDeviceIsBackAfterARestart) {
  const cudaStream_t where = stream();
  sil::fail_call("cudaSetDevice", 1, cudaErrorIllegalAddress, true);
  EXPECT_EQ(cudaSetDevice(0), cudaErrorIllegalAddress);
  sil::reset();
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(sil::live_objects().streams, 1);
  sil::restart_device();
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
  EXPECT_EQ(cudaStreamDestroy(where), cudaErrorInvalidResourceHandle);
}

// As measured with libcudart 12 and no driver: everything is 35, out parameters stay, the last error never
// clears.
TEST_F(SilError, WithoutADriver) {
  sil::remove_driver();
  int version = -7;
  EXPECT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 0);
  EXPECT_EQ(cudaRuntimeGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, CUDART_VERSION);
  int count = -7;
  void* pointer = &count;
  const std::vector<cudaError_t> answers = {
      cudaGetDeviceCount(&count),
      cudaSetDevice(0),
      cudaGetDevice(&count),
      cudaMalloc(&pointer, 4),
      cudaMallocHost(&pointer, 4),
      cudaHostAlloc(&pointer, 4, 0),
      cudaFree(nullptr),
      cudaStreamSynchronize(nullptr),
      cudaDeviceSynchronize(),
      cudaDeviceGetAttribute(&count, cudaDevAttrIntegrated, 0),
      cudaMemcpy(&count, &version, 4, cudaMemcpyHostToHost),
      cudaMemcpyAsync(&count, &version, 4, cudaMemcpyHostToHost, nullptr),
      cudaGetLastError(),
      cudaGetLastError(),
      cudaPeekAtLastError()};
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], cudaErrorInsufficientDriver) << i;
  EXPECT_EQ(count, -7);
  EXPECT_EQ(pointer, &count);
  cudaError_t lost = cudaSuccess;
  EXPECT_TRUE(sil::is_device_lost(lost));
  EXPECT_EQ(lost, cudaErrorInsufficientDriver);
}

TEST_F(SilError, OutParametersStayOnAnError) {
  int place = 0;
  void* const untouched = &place;
  void* out = untouched;
  cudaStream_t made = nullptr;
  for (const char* const name :
       {"cudaMalloc", "cudaHostAlloc", "cudaMallocHost", "cudaStreamCreateWithFlags"}) {
    sil::fail_call(name, 1, cudaErrorUnknown);
  }
  EXPECT_EQ(cudaMalloc(&out, 4), cudaErrorUnknown);
  EXPECT_EQ(cudaHostAlloc(&out, 4, 0), cudaErrorUnknown);
  EXPECT_EQ(cudaMallocHost(&out, 4), cudaErrorUnknown);
  EXPECT_EQ(cudaStreamCreateWithFlags(&made, 0), cudaErrorUnknown);
  EXPECT_EQ(out, untouched);
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects{});
}

class SilDevice : public SilCuda {};

TEST_F(SilDevice, SaysThatItIsNone) {
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_NE(std::string(properties.name).find("sil"), std::string::npos);
  EXPECT_EQ(properties.major, 0) << "no compute capability that a real device has";
  EXPECT_EQ(properties.minor, 0);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
}

TEST_F(SilDevice, IsIntegratedUnlessTold) {
  int is_integrated = -1;
  ASSERT_EQ(cudaDeviceGetAttribute(&is_integrated, cudaDevAttrIntegrated, 0), cudaSuccess);
  EXPECT_EQ(is_integrated, 1);
  sil::make_discrete();
  ASSERT_EQ(cudaDeviceGetAttribute(&is_integrated, cudaDevAttrIntegrated, 0), cudaSuccess);
  EXPECT_EQ(is_integrated, 0);
  EXPECT_EQ(cudaDeviceGetAttribute(&is_integrated, cudaDevAttrMaxPitch, 0), cudaErrorNotSupported);
}

TEST_F(SilDevice, KeepsItsFlags) {
  EXPECT_EQ(cudaSetDeviceFlags(cudaDeviceScheduleSpin | cudaDeviceMapHost), cudaSuccess);
  unsigned flags = 0;
  ASSERT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
  EXPECT_EQ(flags, static_cast<unsigned>(cudaDeviceScheduleSpin | cudaDeviceMapHost));
  EXPECT_EQ(cudaSetDeviceFlags(cudaDeviceScheduleSpin | cudaDeviceScheduleYield), cudaErrorInvalidValue);
  EXPECT_EQ(cudaSetDeviceFlags(0x1000), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace skua::test
