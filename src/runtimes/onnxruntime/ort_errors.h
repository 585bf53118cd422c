// The one place where an OrtStatus becomes an Error. ONNX Runtime has no code for "out of memory": it is
// known by its text alone, and is looked for first, because memory has a class of its own in every context.
// Nor has it one for a device that is lost: CUDA's number stands in the text (core/cuda_faults.h).
#pragma once

#include <onnxruntime_c_api.h>

#include <string_view>

#include "skua/result.h"

namespace skua::ort {

/// What was being done.
enum class OrtContext {
  kLoad,      ///< EngineDeserializeError, deserialize_failed
  kRun,       ///< InferenceError, execution_failed
  kCompile,   ///< EngineBuildError, model_unsupported (or model_malformed where the code says so)
  kProvider,  ///< RuntimeNotAvailableError, provider_not_available
};

/// Takes `status` over. `what` names the thing, e.g. the model. A device that is lost is device_lost under
/// the context's class, with CUDA's number instead of ONNX Runtime's.
Error translate(const OrtApi& api, OrtStatus* status, OrtContext context, std::string_view what);

/// The same without a text: reason and native code. Does not allocate.
Error translate_hot(const OrtApi& api, OrtStatus* status) noexcept;

/// Success for nullptr, else `translate`.
Status check(const OrtApi& api, OrtStatus* status, OrtContext context, std::string_view what);
/// The same, of a call that places a model's inputs and outputs.
Status placing(const OrtApi& api, OrtStatus* status);

/// Whether a message of ONNX Runtime speaks of memory that could not be had.
bool says_out_of_memory(std::string_view message) noexcept;

}  // namespace skua::ort
