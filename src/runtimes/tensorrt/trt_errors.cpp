#include "runtimes/tensorrt/trt_errors.h"

#include <algorithm>
#include <array>

namespace skua::tensorrt {
namespace {

constexpr std::size_t kMaxText = 600;

struct CudaRow {
  int code;
  FaultClass kind;
};

// CUDA's documentation says of most of the last class that the process must be terminated and relaunched. Of
// 3, 4, 35, 46, 100, 101, 201, 214, 709 and 999 it does not; here they are answers of a device that has
// worked before: it is gone, or nothing it computes can be trusted. A code that is in no row loses the frame
// alone.
constexpr std::array kCudaRows = {
    CudaRow{2, FaultClass::kMemory},    CudaRow{98, FaultClass::kContext},
    CudaRow{209, FaultClass::kContext},  // no kernel for this device
    CudaRow{400, FaultClass::kContext}, CudaRow{720, FaultClass::kContext},
    CudaRow{900, FaultClass::kContext}, CudaRow{901, FaultClass::kContext},
    CudaRow{902, FaultClass::kContext}, CudaRow{903, FaultClass::kContext},
    CudaRow{904, FaultClass::kContext}, CudaRow{905, FaultClass::kContext},
    CudaRow{906, FaultClass::kContext}, CudaRow{907, FaultClass::kContext},
    CudaRow{908, FaultClass::kContext}, CudaRow{910, FaultClass::kContext},
    CudaRow{3, FaultClass::kDevice},    CudaRow{4, FaultClass::kDevice},
    CudaRow{35, FaultClass::kDevice},   CudaRow{46, FaultClass::kDevice},
    CudaRow{100, FaultClass::kDevice},  CudaRow{101, FaultClass::kDevice},
    CudaRow{201, FaultClass::kDevice},  CudaRow{214, FaultClass::kDevice},
    CudaRow{226, FaultClass::kDevice},  CudaRow{700, FaultClass::kDevice},
    CudaRow{702, FaultClass::kDevice},  CudaRow{709, FaultClass::kDevice},
    CudaRow{710, FaultClass::kDevice},  CudaRow{714, FaultClass::kDevice},
    CudaRow{715, FaultClass::kDevice},  CudaRow{716, FaultClass::kDevice},
    CudaRow{717, FaultClass::kDevice},  CudaRow{718, FaultClass::kDevice},
    CudaRow{719, FaultClass::kDevice},  CudaRow{721, FaultClass::kDevice},
    CudaRow{810, FaultClass::kDevice},  CudaRow{911, FaultClass::kDevice},
    CudaRow{999, FaultClass::kDevice},
};

FaultClass class_of(nvinfer1::ErrorCode code) noexcept {
  using nvinfer1::ErrorCode;
  switch (code) {
    case ErrorCode::kSUCCESS:
      return FaultClass::kNone;
    case ErrorCode::kFAILED_ALLOCATION:
      return FaultClass::kMemory;
    // TensorRT says that after an internal error any further call is undefined.
    case ErrorCode::kINTERNAL_ERROR:
      return FaultClass::kDevice;
    case ErrorCode::kUNSPECIFIED_ERROR:
    case ErrorCode::kINVALID_STATE:
    case ErrorCode::kFAILED_INITIALIZATION:
      return FaultClass::kContext;
    case ErrorCode::kINVALID_ARGUMENT:
    case ErrorCode::kINVALID_CONFIG:
    case ErrorCode::kFAILED_EXECUTION:
    case ErrorCode::kFAILED_COMPUTATION:
    case ErrorCode::kUNSUPPORTED_STATE:
      return FaultClass::kFrame;
  }
  return FaultClass::kContext;  // a code of a later release
}

struct Target {
  ErrorCode code;
  Reason reason;
  std::string_view remedy;
};

Target target_of(TrtContext context) {
  switch (context) {
    case TrtContext::kLoad:
      return {ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "; compile it again on this host"};
    case TrtContext::kRun:
      return {ErrorCode::kInference, Reason::kExecutionFailed, ""};
    case TrtContext::kDevice:
      return {ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable,
              "; the runtime tensorrt needs an NVIDIA GPU and a driver that is not older than its CUDA"};
    case TrtContext::kCompile:
      break;
  }
  return {ErrorCode::kEngineBuild, Reason::kModelUnsupported, "; change the network or how it is exported"};
}

std::string_view refusal_by(const Fault& fault) noexcept {
  const bool is_cuda = fault.native_code > 0 && fault.native_code < kTensorrtCodes;
  return is_cuda ? ": CUDA refused: " : ": TensorRT refused: ";
}

}  // namespace

Fault classify(cudaError_t error) noexcept {
  const int code = static_cast<int>(error);
  if (code == 0) return {};
  const auto* const row = std::find_if(kCudaRows.begin(), kCudaRows.end(),
                                       [code](const CudaRow& each) { return each.code == code; });
  return {row == kCudaRows.end() ? FaultClass::kFrame : row->kind, code};
}

Fault classify(nvinfer1::ErrorCode error) noexcept {
  const FaultClass kind = class_of(error);
  if (kind == FaultClass::kNone) return {};
  return {kind, kTensorrtCodes + static_cast<std::int32_t>(error)};
}

Fault worse(const Fault& first, const Fault& second) noexcept {
  return second.kind > first.kind ? second : first;
}

Fault probe(cudaError_t reported, cudaStream_t stream) noexcept {
  // An answer that says so itself needs no second question; and the device is not to be touched any more.
  const Fault told = classify(reported);
  if (told.kind == FaultClass::kDevice) return told;
  const cudaError_t last = cudaGetLastError();
  const Fault pending = worse(told, classify(last));
  if (pending.kind == FaultClass::kDevice) return pending;
  const cudaError_t again = cudaStreamQuery(stream);
  if (again == cudaSuccess || again == cudaErrorNotReady) return pending;
  const bool is_sticky = again == last || again == reported;
  static_cast<void>(cudaGetLastError());
  if (is_sticky) return {FaultClass::kDevice, static_cast<std::int32_t>(again)};
  return worse(pending, classify(again));
}

Error translate(TrtContext context, const Fault& fault, std::string_view what, std::string_view text) {
  Target target = target_of(context);
  if (fault.kind == FaultClass::kMemory) {
    target = {ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "; load fewer or smaller engines"};
  } else if (fault.kind == FaultClass::kDevice && context != TrtContext::kDevice) {
    target.reason = Reason::kDeviceLost;
    target.remedy = "; start the program again";
  }
  const std::string said = text.empty() ? "without saying why" : one_line(text);
  return make_error(target.code, target.reason,
                    std::string(what) +
                        std::string(context == TrtContext::kDevice ? ": " : refusal_by(fault)) + said +
                        std::string(target.remedy),
                    fault.native_code);
}

Status check(cudaError_t error, TrtContext context, std::string_view what) {
  if (error == cudaSuccess) return {};
  // Told here, not again by a later call. A lost device is asked nothing; one that was never opened may be.
  if (!is_loss(error) || context == TrtContext::kDevice) static_cast<void>(cudaGetLastError());
  return translate(context, classify(error), what, describe(error));
}

Error translate(TrtContext context, const ErrorRecorder& recorder, std::string_view what,
                std::string_view log) {
  const auto first = recorder.first();
  Fault fault = first ? classify(*first) : Fault{FaultClass::kFrame, 0};
  // While loading, an internal error is TensorRT's way of refusing these bytes; the device has not been lost
  // by it.
  if (context != TrtContext::kRun && fault.kind == FaultClass::kDevice) fault.kind = FaultClass::kFrame;
  std::string text = recorder.text();
  if (!log.empty()) text += (text.empty() ? "" : "; ") + std::string(log);
  return translate(context, fault, what, text);
}

Error translate_hot(const Fault& fault) noexcept {
  switch (fault.kind) {
    case FaultClass::kMemory:
      return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, fault.native_code, {}};
    case FaultClass::kDevice:
      return Error{ErrorCode::kInference, Reason::kDeviceLost, fault.native_code, {}};
    case FaultClass::kNone:
    case FaultClass::kFrame:
    case FaultClass::kContext:
      break;
  }
  return Error{ErrorCode::kInference, Reason::kExecutionFailed, fault.native_code, {}};
}

Error no_host_memory(std::string_view what) noexcept {
  const Fault fault{FaultClass::kMemory, 0};
  try {
    return translate(TrtContext::kLoad, fault, what, "the host has no memory left");
  } catch (const std::bad_alloc&) {
    return translate_hot(fault);
  }
}

std::string describe(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + " (" + std::to_string(static_cast<int>(error)) +
         "): " + cudaGetErrorString(error);
}

std::string describe(const Fault& fault, const std::string& text) {
  return describe(static_cast<cudaError_t>(fault.native_code)) + (text.empty() ? "" : "; ") + text;
}

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, kMaxText));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20U || c >= 0x7FU; }, ' ');
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return text.size() > kMaxText ? line + "..." : line;
}

}  // namespace skua::tensorrt
