// What the tests of the software-in-the-loop nvinfer1 share: who listens, and the way from a model to
// results.
#pragma once

#include <NvOnnxParser.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "onnx_writer.h"
#include "sil/control/sil_control.h"
#include "sil/cuda/sil_device.h"

namespace skua::sil_test {

using nvinfer1::ILogger;
using Severity = ILogger::Severity;

/// Keeps what is said.
class Listener final : public ILogger {
 public:
  void log(Severity severity, char const* text) noexcept override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(severity, text);
  }
  /// All lines of one severity, each followed by a newline.
  std::string text(Severity severity) const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& [level, line] : lines_) all += level == severity ? line + "\n" : "";
    return all;
  }
  std::string errors() const { return text(Severity::kERROR); }
  std::string warnings() const { return text(Severity::kWARNING); }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Severity, std::string>> lines_;
};

class Recorder final : public nvinfer1::IErrorRecorder {
 public:
  int32_t getNbErrors() const noexcept override { return static_cast<int32_t>(texts.size()); }
  nvinfer1::ErrorCode getErrorCode(int32_t i) const noexcept override {
    return codes[static_cast<std::size_t>(i)];
  }
  ErrorDesc getErrorDesc(int32_t i) const noexcept override {
    return texts[static_cast<std::size_t>(i)].c_str();
  }
  bool hasOverflowed() const noexcept override { return false; }
  void clear() noexcept override {
    codes.clear();
    texts.clear();
  }
  bool reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept override {
    codes.push_back(code);
    texts.emplace_back(text);
    return answer;
  }
  RefCount incRefCount() noexcept override {
    peak = std::max(peak, ++references);
    return references;
  }
  RefCount decRefCount() noexcept override { return --references; }

  std::vector<nvinfer1::ErrorCode> codes;
  std::vector<std::string> texts;
  bool answer = true;
  RefCount references = 0, peak = 0;
};

template <typename T>
using Owned = std::unique_ptr<T>;

inline nvinfer1::Dims dims(std::initializer_list<std::int64_t> sizes) {
  nvinfer1::Dims result{};
  for (const std::int64_t size : sizes) result.d[result.nbDims++] = size;
  return result;
}

inline std::vector<std::int64_t> sizes(const nvinfer1::Dims& dims) {
  return {dims.d, dims.d + std::max(dims.nbDims, 0)};
}

/// A builder with one network and its parser, in the order in which they must go.
struct Workshop {
  explicit Workshop(Listener& listener, nvinfer1::NetworkDefinitionCreationFlags flags = 0)
      : builder(nvinfer1::createInferBuilder(listener)),
        network(builder->createNetworkV2(flags)),
        parser(nvonnxparser::createParser(*network, listener)),
        config(builder->createBuilderConfig()) {}

  bool parse(const std::string& model) { return parser->parse(model.data(), model.size()); }
  /// A profile with one input in it.
  int add_profile(const char* name, const nvinfer1::Dims& min, const nvinfer1::Dims& opt,
                  const nvinfer1::Dims& max) {
    auto* const profile = builder->createOptimizationProfile();
    profile->setDimensions(name, nvinfer1::OptProfileSelector::kMIN, min);
    profile->setDimensions(name, nvinfer1::OptProfileSelector::kOPT, opt);
    profile->setDimensions(name, nvinfer1::OptProfileSelector::kMAX, max);
    return config->addOptimizationProfile(profile);
  }
  /// "" when nothing was built.
  std::string build() {
    const Owned<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
    return plan == nullptr ? "" : std::string(static_cast<const char*>(plan->data()), plan->size());
  }

  Owned<nvinfer1::IBuilder> builder;
  Owned<nvinfer1::INetworkDefinition> network;
  Owned<nvonnxparser::IParser> parser;
  Owned<nvinfer1::IBuilderConfig> config;
};

class SilNvinfer : public testing::Test {
 protected:
  void SetUp() override { sil::reset(); }
  void TearDown() override { sil::reset(); }

  std::string plan_of(const std::string& model) {
    Workshop workshop(listener);
    EXPECT_TRUE(workshop.parse(model)) << listener.errors();
    return workshop.build();
  }
  Owned<nvinfer1::ICudaEngine> load(const std::string& plan) {
    if (runtime == nullptr) runtime.reset(nvinfer1::createInferRuntime(listener));
    return Owned<nvinfer1::ICudaEngine>(runtime->deserializeCudaEngine(plan.data(), plan.size()));
  }

  Listener listener;
  Owned<nvinfer1::IRuntime> runtime;
};

/// Device memory with room for `bytes`.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    EXPECT_EQ(cudaMalloc(&data_, bytes), cudaSuccess);
  }
  ~DeviceMemory() { cudaFree(data_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  void* data() const { return data_; }
  template <typename T>
  void write(const std::vector<T>& values) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  template <typename T>
  std::vector<T> read(std::size_t count) const {
    std::vector<T> values(count);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_;
};

class Stream {
 public:
  Stream() { EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }  // NOLINT(google-explicit-constructor)

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace skua::sil_test
