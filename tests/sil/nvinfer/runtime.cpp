#include <algorithm>
#include <cstring>
#include <filesystem>

#include "engine.h"

namespace sil::infer {
namespace {

constexpr const char* kDeserialize = "IRuntime::deserializeCudaEngine";

class Runtime final : public nvinfer1::IRuntime {
 public:
  explicit Runtime(nvinfer1::ILogger& logger) : sink_(logger) {}
  void setDLACore(int32_t) noexcept override {}  // there is none, and nobody says so
  int32_t getDLACore() const noexcept override { return -1; }
  int32_t getNbDLACores() const noexcept override { return 0; }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override;
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override;
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override;
  nvinfer1::ICudaEngine* deserializeCudaEngine(nvinfer1::IStreamReader& reader) override;
  nvinfer1::ILogger* getLogger() const noexcept override { return &sink_.logger(); }
  bool setMaxThreads(int32_t count) noexcept override;
  int32_t getMaxThreads() const noexcept override { return max_threads_; }
  void setTemporaryDirectory(char const* path) noexcept override;
  char const* getTemporaryDirectory() const noexcept override { return temporary_.c_str(); }
  void setTempfileControlFlags(nvinfer1::TempfileControlFlags flags) noexcept override;
  nvinfer1::TempfileControlFlags getTempfileControlFlags() const noexcept override;
  nvinfer1::IRuntime* loadRuntime(char const* path) noexcept override;
  void setEngineHostCodeAllowed(bool is_allowed) noexcept override;
  bool getEngineHostCodeAllowed() const noexcept override;

 private:
  bool try_stream() const;
  nvinfer1::ICudaEngine* load(std::string_view bytes);

  ErrorSink sink_;
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
  std::string temporary_ = "/tmp";
  nvinfer1::TempfileControlFlags tempfile_flags_ = 3;
  bool is_host_code_allowed_ = false;
  int32_t max_threads_ = 1;
};

void Runtime::setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setGpuAllocator");
  allocator_ = allocator;
}

void Runtime::setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setErrorRecorder");
  sink_.set_recorder(recorder);
}

nvinfer1::IErrorRecorder* Runtime::getErrorRecorder() const noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::getErrorRecorder", nullptr);
  return sink_.recorder();
}

bool Runtime::try_stream() const {
  cudaStream_t stream = nullptr;
  const cudaError_t status = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (status == cudaSuccess) cudaStreamDestroy(stream);
  if (status != cudaSuccess) sink_.cuda_error("ScopedCudaStream", status);
  return status == cudaSuccess;
}

nvinfer1::ICudaEngine* Runtime::load(std::string_view bytes) {
  if (!check_frame(sink_, bytes)) return nullptr;
  sink_.log(Severity::kINFO, "Loaded engine size: " + std::to_string(bytes.size() >> 20U) + " MiB");
  if (!try_stream()) return nullptr;
  if (!is_own_version(bytes)) {
    sink_.error(6, kDeserialize,
                "The engine plan file is not compatible with this version of TensorRT, expecting "
                "library version 10.3.0.0 got another");
    return nullptr;
  }
  Plan plan;
  if (!read_plan(bytes, plan)) {
    sink_.error(1, kDeserialize, "the engine section cannot be read.", "Serialization");
    return nullptr;
  }
  if (plan.device != Plan().device) {
    sink_.log(Severity::kWARNING,
              "Using an engine plan file across different models of devices: a test of sil asked for it");
  }
  auto core = EngineCore::load(sink_, allocator_, std::move(plan));
  return core == nullptr ? nullptr : new Engine(sink_, std::move(core));
}

nvinfer1::ICudaEngine* Runtime::deserializeCudaEngine(void const* blob, std::size_t size) noexcept {
  flood_log(sink_);
  SIL_ENTER_TELLING(sink_, kDeserialize, nullptr);
  if (blob == nullptr) {
    sink_.error(3, kDeserialize, "Parameter check failed, condition: (blob) != nullptr");
    return nullptr;
  }
  if (size == 0) {
    sink_.error(3, kDeserialize, "Cannot deserialize with an empty memory buffer.");
    return nullptr;
  }
  return load({static_cast<const char*>(blob), size});
}

// The stream on the device is made before anything is read.
nvinfer1::ICudaEngine* Runtime::deserializeCudaEngine(nvinfer1::IStreamReader& reader) {
  SIL_ENTER_TELLING(sink_, kDeserialize, nullptr);
  if (!try_stream()) return nullptr;
  std::string bytes(kPlanHeaderBytes, '\0');
  const auto read = [&reader](char* into, std::uint64_t wanted) {
    return static_cast<std::uint64_t>(
        std::max<std::int64_t>(reader.read(into, static_cast<std::int64_t>(wanted)), 0));
  };
  bytes.resize(read(bytes.data(), bytes.size()));
  std::uint64_t size = 0;
  if (bytes.size() == kPlanHeaderBytes) std::memcpy(&size, bytes.data() + 16, sizeof size);
  constexpr std::uint64_t kBlock = 1U << 20U;
  while (bytes.size() < size) {
    const std::size_t before = bytes.size();
    bytes.resize(before + std::min(kBlock, size - before));
    bytes.resize(before + read(bytes.data() + before, bytes.size() - before));
    if (bytes.size() == before) break;
  }
  return load(bytes);
}

bool Runtime::setMaxThreads(int32_t count) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setMaxThreads", false);
  if (count < 1) {
    sink_.error(3, "IRuntime::setMaxThreads", "Parameter check failed, condition: maxThreads > 0");
    return false;
  }
  max_threads_ = count;
  return true;
}

void Runtime::setTemporaryDirectory(char const* path) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setTemporaryDirectory");
  temporary_ = path == nullptr ? "" : path;  // whether it exists is not asked
}

void Runtime::setTempfileControlFlags(nvinfer1::TempfileControlFlags flags) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setTempfileControlFlags");
  tempfile_flags_ = flags;
}

nvinfer1::TempfileControlFlags Runtime::getTempfileControlFlags() const noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::getTempfileControlFlags", 3);
  return tempfile_flags_;
}

nvinfer1::IRuntime* Runtime::loadRuntime(char const* path) noexcept {
  sink_.error(6, "IRuntime::loadRuntime",
              std::string("Unable to load library: ") + (path == nullptr ? "" : path));
  return nullptr;
}

void Runtime::setEngineHostCodeAllowed(bool is_allowed) noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::setEngineHostCodeAllowed");
  is_host_code_allowed_ = is_allowed;
}

bool Runtime::getEngineHostCodeAllowed() const noexcept {
  SIL_ENTER_TELLING(sink_, "IRuntime::getEngineHostCodeAllowed", false);
  return is_host_code_allowed_;
}

}  // namespace
}  // namespace sil::infer

extern "C" {

// Without a logger the real one gives a pointer to nothing. The version is not looked at.
void* createInferRuntime_INTERNAL(void* logger, int32_t) noexcept {
  if (sil::injected_fault("createInferRuntime")) return nullptr;
  if (logger == nullptr) return reinterpret_cast<void*>(0x228);
  return static_cast<nvinfer1::IRuntime*>(new sil::infer::Runtime(*static_cast<nvinfer1::ILogger*>(logger)));
}

nvinfer1::ILogger* getLogger() noexcept { return sil::infer::first_logger(); }

// A fault ordered for this function is the version of another release.
int32_t getInferLibVersion() noexcept {
  return sil::injected_fault("getInferLibVersion").value_or(static_cast<int>(NV_TENSORRT_VERSION));
}
int32_t getInferLibMajorVersion() noexcept { return NV_TENSORRT_MAJOR; }
int32_t getInferLibMinorVersion() noexcept { return NV_TENSORRT_MINOR; }
int32_t getInferLibPatchVersion() noexcept { return NV_TENSORRT_PATCH; }
int32_t getInferLibBuildVersion() noexcept { return NV_TENSORRT_BUILD; }

}  // extern "C"
