// The sessions that compiling needs, made from bytes in memory.
#pragma once

#include "runtimes/onnxruntime/compile_steps.h"

namespace skua::ort {

/// The limits that a request sets on the provider.
EngineLimits compile_limits(const CompileRequest& request);

/// The source model, its external weights handed over in memory: ONNX Runtime opens no file.
Result<std::shared_ptr<const Session>> create_source_session(const CompileState& state,
                                                             const SessionPlan& plan);

/// The artifact as the run half opens it.
Result<std::shared_ptr<const Session>> create_artifact_session(const CompileState& state,
                                                               const SessionPlan& plan);

}  // namespace skua::ort
