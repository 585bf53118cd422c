// The steps of compiling an ONNX model into a TensorRT plan, in the order of compile_tensorrt.cpp. Each works
// on the state below, may fail with EngineBuildError or InvalidArgumentError, and writes to the staging
// folder only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compile/compilation.h"
#include "compile/held_out.h"
#include "compile/onnx_source.h"
#include "compile/precision_stamp.h"
#include "onnx/model_tensors.h"
#include "runtimes/tensorrt/compile_calibrator.h"
#include "runtimes/tensorrt/compile_network.h"
#include "runtimes/tensorrt/compile_options.h"
#include "runtimes/tensorrt/compile_stop.h"
#include "runtimes/tensorrt/cuda_device.h"
#include "runtimes/tensorrt/plan_engine.h"
#include "runtimes/tensorrt/trt_library.h"

namespace skua::tensorrt {

/// Errors that a recorder takes reach no logger. A builder that reports one and then dies must leave it in
/// the build log.
class BuildRecorder final : public ErrorRecorder {
 public:
  bool reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept override;
};

struct CompileState : compile::Compilation {
  CompileState(const CompileRequest& job, CompileProgress& told, LibraryFacts mapped,
               CalibrationJob calibrating = {});

  CompileProgress& progress;
  LibraryFacts library;
  StopSignal stop;
  BuildRecorder recorder;             ///< of everything that parses and builds
  std::optional<DeviceFacts> device;  ///< none when the plan is to be unproven
  OnnxModel source;
  std::vector<std::byte> whole;  ///< the source with its external weights inside
  ParsedNetwork parsed;          ///< after `recorder`, which it refers to
  ModelTensors contract;         ///< of the network: what the plan must offer
  CalibrationJob calibration;    ///< of int8, when it is not the graph that has the ranges
  RangeSource ranges = RangeSource::kNone;
  std::optional<compile::BuildSamples> samples;  ///< what int8 and mixed are calibrated with and judged by
  std::optional<EngineRecord> reference;         ///< of int8 and mixed: what the float32 source gave
  std::optional<compile::PrecisionStamp> stamp;  ///< of a graph that was made from another one
  BuildOptions options;
  std::shared_ptr<DeviceState> lane_state;  ///< of the trial runs
  std::shared_ptr<PlanEngine> plan;         ///< deserialised once

  /// The source, whole, for whoever reads a file: a tool, or the reference.
  std::filesystem::path source_path() const { return staged("source.onnx"); }
  std::filesystem::path reference_path() const { return staged("reference"); }
  std::filesystem::path artifact_path() const { return staged(request.artifact_name); }
  /// Where the next build's timing cache is written; compile_model keeps it beside the engine.
  std::filesystem::path timing_cache_path() const { return staged(request.artifact_name + ".timing"); }
};

Status check_request(CompileState& state);    ///< what this release and this TensorRT can build at all
Status open_devices(CompileState& state);     ///< the device that tries kernels out
Status read_source(CompileState& state);      ///< the model and its external weights, hashed, as one block
Status settle_ranges(CompileState& state);    ///< int8, mixed: samples, and a cache that may be used
Status check_precision(CompileState& state);  ///< the source graph can become what the precision says
Status parse_source(CompileState& state);     ///< TensorRT's network, compared with the file
Status check_inputs(CompileState& state);     ///< optimisation profiles against the network's inputs
Status settle_options(CompileState& state);   ///< every option by name
Status build_plan(CompileState& state);       ///< by the configured route, into the staging folder
Status keep_ranges(CompileState& state);      ///< int8: what was calibrated, for the next build
Status check_header(CompileState& state);     ///< the plan's first bytes
Status open_plan(CompileState& state);        ///< deserialised; inputs, outputs, profile, flags as asked for
Status prove_precision(CompileState& state);  ///< layer precisions read back
Status settle_contract(CompileState& state);  ///< inputs, outputs and capacities for the record
Status settle_unproven(CompileState& state);  ///< the same without the engine
Status make_golden(CompileState& state);      ///< golden vectors, never from the plan
Status mark_unproven(CompileState& state);    ///< no golden vectors: nothing will be held to them
/// Trial runs at min, opt, max; the golden vectors reproduced; int8 and mixed beside float32 on samples.
Status try_and_compare(CompileState& state);
Status finish_record(CompileState& state);  ///< what is left of the record

/// All steps. RuntimeNotAvailableError when the library is another release; else EngineBuildError,
/// InvalidArgumentError, CalibrationCacheError, OutOfMemoryError.
Result<EngineRecord> compile_tensorrt(const CompileRequest& request, CompileProgress& progress);
/// The parts without a data set, for their tests: int8 is calibrated with what is given here, and no sample
/// judges. `calibration.used` is set where a text gave the ranges.
Result<EngineRecord> compile_calibrated(const CompileRequest& request, CompileProgress& progress,
                                        CalibrationJob& calibration);

/// What a build that was stopped for `reason` says.
Error stop_error(const CompileState& state, Reason reason);

/// The three routes. Each leaves the plan at `state.artifact_path()`.
Status build_with_builder(CompileState& state);
Status build_with_trtexec(CompileState& state);
Status build_with_polygraphy(CompileState& state);

}  // namespace skua::tensorrt
