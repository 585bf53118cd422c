// The one place where libtorch's exceptions become an Error. They are told apart by their text: memory that
// the CPU allocator could not have is a plain c10::Error, CUDA's has a class of its own, and what a network
// raises itself is a std::runtime_error, which is also what the interpreter makes of a CUDA error: its number
// is lost on the way and found again in the text (core/cuda_faults.h). Texts carry backtraces, which are cut
// off.
#pragma once

#include <string>
#include <string_view>

#include "skua/result.h"

namespace skua::pytorch {

/// What was being done.
enum class TorchContext {
  kLoad,     ///< EngineDeserializeError, deserialize_failed
  kCompile,  ///< EngineBuildError, model_malformed or model_unsupported
};

/// `text` is the exception's what(); `what` names the thing, e.g. the model. A device that is lost is
/// device_lost under the same class, with CUDA's number.
Error translate(TorchContext context, std::string_view what, std::string_view text);

/// For the hot path: reason alone, InferenceError (execution_failed, or device_lost with CUDA's number) or
/// OutOfMemoryError. Does not allocate.
Error translate_hot(std::string_view text) noexcept;

/// One printable line of an exception's text: without libtorch's backtrace, its TorchScript trace shortened
/// to the line that failed.
std::string trimmed_text(std::string_view text);

/// Whether a text speaks of memory that could not be had.
bool says_out_of_memory(std::string_view text) noexcept;

}  // namespace skua::pytorch
