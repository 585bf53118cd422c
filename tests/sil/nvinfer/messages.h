// How errors and log lines leave these libraries: errors go to the recorder where one is set, else to the
// logger; everything else to the logger. Nothing throws.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <memory>
#include <string>

#include "NvInferRuntime.h"
#include "cuda/sil_device.h"
#include "sil/control/faults.h"

namespace sil::infer {

using Severity = nvinfer1::ILogger::Severity;

/// Who gets the messages of one object. A child starts with its parent's recorder and counts as one more
/// holder of it. May be used from several threads.
class ErrorSink {
 public:
  explicit ErrorSink(nvinfer1::ILogger& logger);
  ErrorSink(const ErrorSink& parent);
  ErrorSink& operator=(const ErrorSink&) = delete;
  ~ErrorSink();

  void set_recorder(nvinfer1::IErrorRecorder* recorder);
  nvinfer1::IErrorRecorder* recorder() const { return recorder_.load(); }
  nvinfer1::ILogger& logger() const { return logger_; }

  void log(Severity severity, const std::string& text) const;
  /// `where` is "IClass::method" or "[file.cpp::function]"; `category` as the code usually has it if empty.
  /// Returns the text sent.
  std::string error(int code, const std::string& where, const std::string& text,
                    const std::string& category = "") const;
  void cuda_error(const std::string& where, cudaError_t code) const;
  void out_of_memory(const std::string& where, std::uint64_t bytes) const;
  /// A failure that a test ordered.
  void injected(const char* function, int code) const;

 private:
  void send(int code, const std::string& text) const;

  nvinfer1::ILogger& logger_;
  std::shared_ptr<void> lease_;  // of the place as the process-wide logger
  std::atomic<nvinfer1::IErrorRecorder*> recorder_{nullptr};
};

/// The logger that came first of all whose objects are alive.
nvinfer1::ILogger* first_logger();

/// As many lines as a test ordered.
void flood_log(const ErrorSink& sink);

/// "[1,3,224]".
std::string text_of(const nvinfer1::Dims& dims);

/// First line of public functions: a test may have ordered this very call to fail.
#define SIL_ENTER(function, ...) \
  if (sil::injected_fault(function)) return __VA_ARGS__
#define SIL_ENTER_TELLING(sink, function, ...)            \
  if (const auto fault = sil::injected_fault(function)) { \
    (sink).injected(function, *fault);                    \
    return __VA_ARGS__;                                   \
  }                                                       \
  if (const auto noise = sil::Faults::take_report()) (sink).injected(function, *noise)

}  // namespace sil::infer
