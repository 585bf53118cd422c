// Owners of ONNX Runtime's objects. Each carries the API table, which lives as long as the library: for ever.
#pragma once

#include <onnxruntime_c_api.h>

#include <utility>

namespace skua::ort {

/// Owns one object of ONNX Runtime. `Release` is the table's function that frees it.
template <typename T, void (ORT_API_CALL* OrtApi::*Release)(T*)>
class Handle {
 public:
  explicit Handle(const OrtApi& api) noexcept : api_(&api) {}
  Handle(Handle&& other) noexcept : api_(other.api_), object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset(std::exchange(other.object_, nullptr));
      api_ = other.api_;
    }
    return *this;
  }
  ~Handle() { reset(nullptr); }

  T* get() const noexcept { return object_; }
  void reset(T* object) noexcept {
    if (object_ != nullptr) (api_->*Release)(object_);
    object_ = object;
  }

  /// Where a creating call writes its object; the handle has it once the full expression ends.
  class Out {
   public:
    explicit Out(Handle& owner) noexcept : owner_(owner) {}
    Out(const Out&) = delete;
    Out& operator=(const Out&) = delete;
    ~Out() { owner_.reset(created_); }
    operator T**() noexcept { return &created_; }  // NOLINT(google-explicit-constructor)

   private:
    Handle& owner_;
    T* created_ = nullptr;
  };
  Out out() noexcept { return Out(*this); }

 private:
  const OrtApi* api_;
  T* object_ = nullptr;
};

using SessionHandle = Handle<OrtSession, &OrtApi::ReleaseSession>;
using SessionOptionsHandle = Handle<OrtSessionOptions, &OrtApi::ReleaseSessionOptions>;
using ValueHandle = Handle<OrtValue, &OrtApi::ReleaseValue>;
using BindingHandle = Handle<OrtIoBinding, &OrtApi::ReleaseIoBinding>;
using MemoryInfoHandle = Handle<OrtMemoryInfo, &OrtApi::ReleaseMemoryInfo>;
using TypeInfoHandle = Handle<OrtTypeInfo, &OrtApi::ReleaseTypeInfo>;
using ShapeInfoHandle = Handle<OrtTensorTypeAndShapeInfo, &OrtApi::ReleaseTensorTypeAndShapeInfo>;
using TensorRtOptionsHandle = Handle<OrtTensorRTProviderOptionsV2, &OrtApi::ReleaseTensorRTProviderOptions>;
using CudaOptionsHandle = Handle<OrtCUDAProviderOptionsV2, &OrtApi::ReleaseCUDAProviderOptions>;

}  // namespace skua::ort
