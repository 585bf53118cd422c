#include "messages.h"

#include <mutex>

namespace sil::infer {
namespace {

struct LoggerRegistry {
  std::mutex mutex;
  nvinfer1::ILogger* first = nullptr;
  std::weak_ptr<void> lease;
};

LoggerRegistry& registry() {
  static LoggerRegistry* const only = new LoggerRegistry;
  return *only;
}

// The first logger stays the process's own until the last of its objects is gone.
std::shared_ptr<void> lease_for(nvinfer1::ILogger& logger, bool& is_other) {
  LoggerRegistry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto held = all.lease.lock();
  is_other = held != nullptr && all.first != &logger;
  if (is_other) return nullptr;
  if (held != nullptr) return held;
  all.first = &logger;
  auto lease = std::make_shared<int>(0);
  all.lease = lease;
  return lease;
}

const char* usual_category(int code) {
  switch (code) {
    case 3:
    case 4:
    case 6:
      return "API Usage Error";
    case 7:
      return "Execution";
    default:
      return "Internal Error";
  }
}

}  // namespace

ErrorSink::ErrorSink(nvinfer1::ILogger& logger) : logger_(logger) {
  bool is_other = false;
  lease_ = lease_for(logger, is_other);
  if (!is_other) return;
  log(Severity::kWARNING,
      "this logger differs from one already registered: the current new logger is ignored (so says this "
      "line; it is used)");
}

ErrorSink::ErrorSink(const ErrorSink& parent) : logger_(parent.logger_), lease_(parent.lease_) {
  set_recorder(parent.recorder());
}

ErrorSink::~ErrorSink() { set_recorder(nullptr); }

void ErrorSink::set_recorder(nvinfer1::IErrorRecorder* recorder) {
  if (recorder != nullptr) recorder->incRefCount();
  nvinfer1::IErrorRecorder* const old = recorder_.exchange(recorder);
  if (old != nullptr) old->decRefCount();
}

void ErrorSink::log(Severity severity, const std::string& text) const { logger_.log(severity, text.c_str()); }

void ErrorSink::send(int code, const std::string& text) const {
  if (nvinfer1::IErrorRecorder* const recorder = recorder_.load()) {
    recorder->reportError(static_cast<nvinfer1::ErrorCode>(code), text.c_str());
    return;
  }
  log(Severity::kERROR, text);
}

std::string ErrorSink::error(int code, const std::string& where, const std::string& text,
                             const std::string& category) const {
  const std::string full = where + ": Error Code " + std::to_string(code) + ": " +
                           (category.empty() ? usual_category(code) : category) + " (" + text +
                           " In sil at /_src/sil.cpp:1)";
  send(code, full);
  // Where no driver is, every misuse is followed by a second error that says so.
  cudaError_t lost = cudaSuccess;
  if ((code == 3 || code == 4) && sil::is_device_lost(lost) && lost == cudaErrorInsufficientDriver) {
    cuda_error("[checkMacros.cpp::catchCudaError::250]", lost);
  }
  return full;
}

void ErrorSink::cuda_error(const std::string& where, cudaError_t code) const {
  const std::string text = "In " + where + " (cudaError " + std::to_string(static_cast<int>(code)) + ": " +
                           cudaGetErrorString(code) + ")";
  send(1, where + ": Error Code 1: Cuda Runtime (" + text + " In sil at /_src/sil.cpp:1)");
}

void ErrorSink::out_of_memory(const std::string& where, std::uint64_t bytes) const {
  error(2, where, "no memory for " + std::to_string(bytes) + " bytes.", "OutOfMemory");
}

void ErrorSink::injected(const char* function, int code) const {
  error(code, function, "this failure was ordered by a test of sil.", code == 5 ? "OutOfMemory" : "");
}

nvinfer1::ILogger* first_logger() {
  LoggerRegistry& all = registry();
  const std::lock_guard lock(all.mutex);
  return all.lease.expired() ? nullptr : all.first;
}

void flood_log(const ErrorSink& sink) {
  for (int i = 0; i < sil::log_flood_count(); ++i) {
    sink.log(i % 2 == 0 ? Severity::kWARNING : Severity::kINFO,
             "sil: line " + std::to_string(i) + " of a flood");
  }
}

std::string text_of(const nvinfer1::Dims& dims) {
  std::string text = "[";
  for (int axis = 0; axis < dims.nbDims; ++axis) {
    text += (axis == 0 ? "" : ",") + std::to_string(dims.d[axis]);
  }
  return text + "]";
}

}  // namespace sil::infer
