// The steps of compiling an ONNX model, in the order of `compile_module.cpp`. Each works on the state below,
// may fail with EngineBuildError or InvalidArgumentError, and writes to the staging folder only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compile/held_out.h"
#include "compile/onnx_source.h"
#include "compile/precision_stamp.h"
#include "runtimes/onnxruntime/ort_engine.h"
#include "runtimes/onnxruntime/ort_library.h"

namespace skua::ort {

using compile::build_error;
using compile::ExternalFile;

struct CompileState : compile::Compilation {
  CompileState(const CompileRequest& job, CompileProgress& told, std::shared_ptr<const OrtLibrary> opened)
      : Compilation(job), progress(told), library(std::move(opened)) {}

  CompileProgress& progress;
  std::shared_ptr<const OrtLibrary> library;
  std::optional<compile::BuildSamples>
      samples;  ///< what int8 and mixed are judged by; also of their reference
  std::vector<ExternalFile> external;
  OnnxModel source;
  std::optional<compile::PrecisionStamp> stamp;  ///< of int8 and mixed: what the model was made from
};

Status read_source(CompileState& state);      ///< the model and its external weights, hashed
Status read_samples(CompileState& state);     ///< int8 and mixed: the data set, and the model made from it
Status check_precision(CompileState& state);  ///< the source graph is what the precision says
Status check_inputs(CompileState& state);     ///< optimisation profiles against the graph's inputs
Status optimise(CompileState& state);         ///< the graph as it will run, saved in one file
Status settle_contract(CompileState& state);  ///< inputs, outputs and their capacities, from the artifact
Status measure_and_try(CompileState& state);  ///< trial runs at min, opt, max; memory; node-to-provider proof
Status make_golden(CompileState& state);      ///< golden vectors, never from the artifact
Status compare_with_golden(CompileState& state);  ///< the artifact must reproduce them
Status judge_by_samples(CompileState& state);     ///< int8 and mixed: beside float32; the latter: its values
Status finish_record(CompileState& state);        ///< what is left of the record

/// All steps. RuntimeNotAvailableError when the library is not there; else EngineBuildError,
/// InvalidArgumentError.
Result<EngineRecord> compile_onnx(const CompileRequest& request, CompileProgress& progress);

}  // namespace skua::ort
