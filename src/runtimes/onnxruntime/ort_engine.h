// An engine: one ONNX Runtime session made from bytes in memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "cache/engine_record.h"
#include "inference/strategy.h"
#include "runtimes/onnxruntime/ort_errors.h"
#include "runtimes/onnxruntime/ort_handles.h"
#include "runtimes/onnxruntime/ort_library.h"
#include "runtimes/onnxruntime/ort_options.h"
#include "runtimes/onnxruntime/ort_tensors.h"

namespace skua::ort {

/// A session with what it says of itself. Executions share it; ONNX Runtime lets several threads run one
/// session.
struct Session {
  std::shared_ptr<const OrtLibrary> library;
  SessionHandle handle;
  SessionTensors tensors;
};

/// Makes a session from bytes; ONNX Runtime copies what it keeps. Errors in `context`'s class (load or
/// compile).
Result<std::shared_ptr<const Session>> create_session(const std::shared_ptr<const OrtLibrary>& library,
                                                      const SessionOptionsHandle& options,
                                                      std::span<const std::byte> model, OrtContext context,
                                                      std::string_view what);

/// What the arithmetic of an artifact is on a provider: the CPU has no half kernels and widens.
std::string_view arithmetic_of(std::string_view provider, Precision precision) noexcept;

/// EngineDeserializeError (deserialize_failed) unless the artifact holds everything inside: no external
/// weights, and for TensorRT nothing but embedded engines. ONNX Runtime would otherwise open files of its
/// own.
Status check_self_contained(std::span<const std::byte> artifact, const EngineRecord& record,
                            std::string_view provider);

/// The artifact `bytes` as an engine, under `config`. The record gives capacities and profiles.
Result<std::unique_ptr<LoadedEngine>> load_engine(const std::shared_ptr<const OrtLibrary>& library,
                                                  const RuntimeConfig& config,
                                                  std::span<const std::byte> bytes,
                                                  const EngineRecord& record);

/// The session of an engine that load_engine made, for the raw calls that are measured beside it.
std::shared_ptr<const Session> session_of(const LoadedEngine& engine);

/// The limits under which an engine runs: from its record.
EngineLimits limits_of(const RuntimeConfig& config, const EngineRecord& record);

/// Execution over `session` with the capacities of `record`.
Result<std::unique_ptr<Execution>> create_execution(std::shared_ptr<const Session> session,
                                                    const EngineRecord& record);

}  // namespace skua::ort
