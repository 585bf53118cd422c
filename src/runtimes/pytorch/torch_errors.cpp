#include "runtimes/pytorch/torch_errors.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/cuda_faults.h"

namespace skua::pytorch {
namespace {

constexpr std::size_t kMaxMessage = 600;

template <std::size_t N>
bool has_any(std::string_view text, const std::array<std::string_view, N>& needles) noexcept {
  return std::any_of(needles.begin(), needles.end(),
                     [text](std::string_view needle) { return text.find(needle) != std::string_view::npos; });
}

// What the archive reader and the unpickler say of bytes that are no archive of theirs.
bool is_damaged(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 11> kTexts = {"PytorchStreamReader",
                                                       "failed finding central directory",
                                                       "invalid header",
                                                       "file not found",
                                                       "file in archive is not in a subdirectory",
                                                       "archive does not contain any files",
                                                       "archive is corrupted",
                                                       "Unrecognized data format",
                                                       "Unknown type name",
                                                       "unexpected end of",
                                                       "unpickler"};
  return has_any(text, kTexts);
}

// Cuts at the first of these; what follows is for libtorch's developers.
std::string_view without_backtrace(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 3> kMarks = {"\nException raised from", "\nframe #",
                                                      "\nC++ CapturedTraceback"};
  for (const std::string_view mark : kMarks) text = text.substr(0, std::min(text.find(mark), text.size()));
  return text;
}

// An interpreter failure is a TorchScript trace whose last lines say what went wrong.
std::string_view last_words(std::string_view text) noexcept {
  constexpr std::string_view kTrace = "The following operation failed in the TorchScript interpreter";
  constexpr std::string_view kError = "Error: ";
  if (text.find(kTrace) == std::string_view::npos) return text;
  const std::size_t error = text.rfind(kError);
  if (error == std::string_view::npos) return text;
  const std::size_t line = text.rfind('\n', error);
  return line == std::string_view::npos ? text : text.substr(line + 1);
}

}  // namespace

bool says_out_of_memory(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 5> kTexts = {"can't allocate memory", "CUDA out of memory",
                                                      "bad_alloc", "CUDA error: out of memory",
                                                      "not enough memory"};
  return has_any(text, kTexts);
}

std::string trimmed_text(std::string_view text) {
  text = last_words(without_backtrace(text));
  std::string line(text.substr(0, kMaxMessage));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20U || c == 0x7FU; }, ' ');
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return text.size() > kMaxMessage ? line + "..." : line;
}

Error translate(TorchContext context, std::string_view what, std::string_view text) {
  const bool is_load = context == TorchContext::kLoad;
  const std::string message = std::string(what) + ": libtorch refused: " + trimmed_text(text);
  if (const int code = lost_device_code(text); code != 0) {
    return make_error(is_load ? ErrorCode::kEngineDeserialize : ErrorCode::kEngineBuild, Reason::kDeviceLost,
                      message + "; start the program again", code);
  }
  if (says_out_of_memory(text)) return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, message);
  if (is_load) {
    return make_error(ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed,
                      message + "; compile it again");
  }
  if (is_damaged(text)) {
    return make_error(
        ErrorCode::kEngineBuild, Reason::kModelMalformed,
        message + "; the file is damaged or no TorchScript archive: save it again with torch.jit.save");
  }
  return make_error(ErrorCode::kEngineBuild, Reason::kModelUnsupported,
                    message + "; change the network or how it is exported");
}

Error translate_hot(std::string_view text) noexcept {
  if (const int code = lost_device_code(text); code != 0)
    return Error{ErrorCode::kInference, Reason::kDeviceLost, code, {}};
  if (says_out_of_memory(text)) return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  return Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
}

}  // namespace skua::pytorch
