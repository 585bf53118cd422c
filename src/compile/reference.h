// The float32 source of an artifact, run by ONNX Runtime on the CPU in a build of its own: golden vectors and
// the values on held-out samples come from there, never from what they are to judge.
#pragma once

#include <filesystem>

#include "compile/compilation.h"
#include "onnx/onnx_model.h"

namespace skua::compile {

inline constexpr std::string_view kReferenceRuntime = "onnx_trt_ep";
inline constexpr std::string_view kReferenceArtifact = "reference.onnx";

/// fp16 when a graph has half weights (its values are widened on the CPU), else fp32.
Precision precision_of_source(const OnnxModel& source);

/// A build of `model` in `folder`, for the same inputs and outputs as the compilation's.
CompileRequest reference_request(const Compilation& compilation, const std::filesystem::path& model,
                                 Precision precision, const std::filesystem::path& folder);

/// An error of that build, told as one.
Error of_reference(Error error);

}  // namespace skua::compile
