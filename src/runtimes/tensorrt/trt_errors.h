// The one place where an error of CUDA or of TensorRT is judged and becomes an Error. CUDA's codes are
// compared by number: older headers lack some names. Deserialising and running never throw; they answer
// nullptr or false, and the reason stands in the recorder (trt_recorder.h) and in CUDA's last error.
#pragma once

#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "runtimes/tensorrt/trt_recorder.h"
#include "skua/result.h"

namespace skua::tensorrt {

/// What an error means for the runs that follow, from harmless to final.
enum class FaultClass : std::uint8_t {
  kNone,     ///< no error
  kFrame,    ///< this frame has no result; the next one may
  kContext,  ///< likewise, and the execution context must be made anew before the next run
  kMemory,   ///< likewise, for want of memory: OutOfMemoryError
  kDevice,   ///< nothing can run any more in this process
};

/// What went wrong, without a text: fits into a frame event.
struct Fault {
  FaultClass kind = FaultClass::kNone;
  std::int32_t native_code = 0;  ///< CUDA's number; TensorRT's as kTensorrtCodes + number; 0: none was given
  friend bool operator==(const Fault&, const Fault&) = default;
};

/// Where TensorRT's own codes begin in native_code: CUDA's end below, so that a number says whose it is.
inline constexpr std::int32_t kTensorrtCodes = 100000;

Fault classify(cudaError_t error) noexcept;
Fault classify(nvinfer1::ErrorCode error) noexcept;
inline bool is_loss(cudaError_t error) noexcept { return classify(error).kind == FaultClass::kDevice; }
/// The graver of both; of two equal ones the first.
Fault worse(const Fault& first, const Fault& second) noexcept;

/// Asks CUDA itself, after a failure: takes its last error, then makes a harmless call on `stream`. The same
/// error again is a sticky one: nothing clears it but a new process. `reported` is what the failing call
/// answered (cudaSuccess where it was TensorRT that failed).
Fault probe(cudaError_t reported, cudaStream_t stream) noexcept;

/// What was being done.
enum class TrtContext : std::uint8_t {
  kLoad,     ///< EngineDeserializeError, deserialize_failed
  kRun,      ///< InferenceError, execution_failed
  kCompile,  ///< EngineBuildError, model_unsupported
  kDevice,   ///< RuntimeNotAvailableError, provider_not_available: asking for the device at all
};

/// `what` names the thing, `text` what the SDK said (see below); device_lost and out_of_memory come before
/// the context's own reason.
Error translate(TrtContext context, const Fault& fault, std::string_view what, std::string_view text);
/// CUDA's answer as a Status: success, or `translate` with CUDA's name and text of it.
Status check(cudaError_t error, TrtContext context, std::string_view what);
/// A call of TensorRT that answered false or nullptr: the recorder says why. `log` is what a LogCapture
/// holds.
Error translate(TrtContext context, const ErrorRecorder& recorder, std::string_view what,
                std::string_view log);

/// The same without a text: reason and native code. Does not allocate.
Error translate_hot(const Fault& fault) noexcept;

/// Host memory ran out: OutOfMemoryError.
Error no_host_memory(std::string_view what) noexcept;
/// Runs a step of loading, which may end without host memory like without the device's.
template <typename Step>
auto or_out_of_memory(std::string_view what, Step step) -> decltype(step()) {
  try {
    return step();
  } catch (const std::bad_alloc&) {
    return no_host_memory(what);
  }
}

/// "cudaErrorMemoryAllocation (2): out of memory".
std::string describe(cudaError_t error);
/// The same of a fault of CUDA's, and what else was said of it.
std::string describe(const Fault& fault, const std::string& text);
/// Printable, on one line, and of bounded length.
std::string one_line(std::string_view text);

}  // namespace skua::tensorrt
