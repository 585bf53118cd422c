#include "runtimes/onnxruntime/ort_errors.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "core/cuda_faults.h"

namespace skua::ort {
namespace {

constexpr std::size_t kMaxMessage = 600;

struct Target {
  ErrorCode code;
  Reason reason;
};

bool has_any(std::string_view message, std::span<const std::string_view> texts) noexcept {
  return std::any_of(texts.begin(), texts.end(), [message](std::string_view text) {
    return message.find(text) != std::string_view::npos;
  });
}

// The codes do not tell these apart: an unknown operator is an "invalid graph", a dangling input a plain
// failure. The texts do.
bool is_damaged(OrtErrorCode native, std::string_view message) noexcept {
  constexpr std::array<std::string_view, 5> kUnsupported = {
      "No Op registered for", "is not a registered function/op", "Could not find an implementation",
      "guarantees* support", "Unsupported model IR version"};
  constexpr std::array<std::string_view, 4> kDamaged = {"nvalid model", "is not a graph input", "Type Error",
                                                        "does not match size"};
  if (native == ORT_NOT_IMPLEMENTED || has_any(message, kUnsupported)) return false;
  return native == ORT_INVALID_PROTOBUF || native == ORT_INVALID_GRAPH || native == ORT_NO_MODEL ||
         has_any(message, kDamaged);
}

std::string_view remedy_of(Reason reason) noexcept {
  if (reason == Reason::kModelMalformed)
    return "; the model contradicts itself or is damaged: export it again";
  if (reason == Reason::kDeviceLost) return "; start the program again";
  if (reason == Reason::kModelUnsupported) return "; change the export (opset, operators, element types)";
  return "";
}

Target target_of(OrtContext context, OrtErrorCode native, std::string_view message) noexcept {
  switch (context) {
    case OrtContext::kLoad:
      return {ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed};
    case OrtContext::kRun:
      return {ErrorCode::kInference, Reason::kExecutionFailed};
    case OrtContext::kProvider:
      return {ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable};
    case OrtContext::kCompile:
      break;
  }
  return {ErrorCode::kEngineBuild,
          is_damaged(native, message) ? Reason::kModelMalformed : Reason::kModelUnsupported};
}

// One line of printable text: some messages carry line breaks and build paths of kilobytes.
std::string trimmed(std::string_view message) {
  std::string text(message.substr(0, kMaxMessage));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20U || c == 0x7FU; }, ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  if (message.size() > kMaxMessage) text += "...";
  return text;
}

}  // namespace

bool says_out_of_memory(std::string_view message) noexcept {
  constexpr std::array<std::string_view, 5> kTexts = {"bad_alloc", "Failed to allocate memory",
                                                      "out of memory", "CUDA_ERROR_OUT_OF_MEMORY",
                                                      "Available memory of"};
  return has_any(message, kTexts);
}

Error translate(const OrtApi& api, OrtStatus* status, OrtContext context, std::string_view what) {
  const OrtErrorCode native = api.GetErrorCode(status);
  const int lost = lost_device_code(api.GetErrorMessage(status));
  const std::string text = trimmed(api.GetErrorMessage(status));
  api.ReleaseStatus(status);
  Target target = target_of(context, native, text);
  if (lost != 0) {
    target.reason = Reason::kDeviceLost;
  } else if (says_out_of_memory(text)) {
    target = {ErrorCode::kOutOfMemory, Reason::kOutOfMemory};
  }
  return make_error(
      target.code, target.reason,
      std::string(what) + ": ONNX Runtime refused: " + text + std::string(remedy_of(target.reason)),
      lost != 0 ? lost : static_cast<int>(native));
}

Error translate_hot(const OrtApi& api, OrtStatus* status) noexcept {
  Error error;
  error.code = ErrorCode::kInference;
  error.reason = Reason::kExecutionFailed;
  error.native_code = static_cast<int>(api.GetErrorCode(status));
  const char* const text = api.GetErrorMessage(status);
  if (const int lost = lost_device_code(text); lost != 0) {
    error.reason = Reason::kDeviceLost;
    error.native_code = lost;
  } else if (says_out_of_memory(text)) {
    error.code = ErrorCode::kOutOfMemory;
    error.reason = Reason::kOutOfMemory;
  }
  api.ReleaseStatus(status);
  return error;
}

Status check(const OrtApi& api, OrtStatus* status, OrtContext context, std::string_view what) {
  if (status == nullptr) return {};
  return translate(api, status, context, what);
}

Status placing(const OrtApi& api, OrtStatus* status) {
  return check(api, status, OrtContext::kLoad, "placing inputs and outputs");
}

}  // namespace skua::ort
