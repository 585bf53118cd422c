// The steps of compiling a TorchScript model, in the order of compile_torchscript.cpp. Each works on the
// state below, may fail with EngineBuildError or InvalidArgumentError, and writes to the staging folder only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compile/compilation.h"
#include "runtimes/pytorch/declared_io.h"
#include "runtimes/pytorch/torch_bridge.h"

namespace skua::pytorch {

struct CompileState : compile::Compilation {
  CompileState(const CompileRequest& job, const CompileBridge& opened, TorchFacts library)
      : Compilation(job), bridge(opened), facts(std::move(library)) {}

  const CompileBridge& bridge;  ///< never unloaded
  TorchFacts facts;
  Converted converted;
  std::optional<DeclaredIo> declared;           ///< what the file itself says of its inputs and outputs
  std::map<std::string, std::string> computed;  ///< output -> element type that native arithmetic gives it
  bool is_optimized = true;                     ///< the faster of the two ways to prepare the graph

  /// How the engine will run, as far as it is settled.
  RunPlan plan() const;
  /// The source as it is written, in single precision: what everything is compared with.
  static RunPlan reference_plan();
};

Status check_request(CompileState& state);    ///< precision and options that this runtime has
Status read_source(CompileState& state);      ///< the model's bytes, hashed
Status convert_source(CompileState& state);   ///< to half, checked for deployment, into the staging folder
Status settle_inputs(CompileState& state);    ///< names, element types, shapes and profiles
Status settle_outputs(CompileState& state);   ///< names, element types and capacities, from trial runs
Status make_golden(CompileState& state);      ///< golden vectors, never from the artifact
Status choose_graph(CompileState& state);     ///< optimised or only frozen, by measurement
Status measure_and_try(CompileState& state);  ///< trial runs at min, opt, max; memory
Status compare_and_repeat(
    CompileState& state);  ///< the artifact reproduces the golden vectors, bit for bit each time
Status finish_record(CompileState& state);  ///< what is left of the record

/// All steps. RuntimeNotAvailableError when the library is not there; else EngineBuildError,
/// InvalidArgumentError.
Result<EngineRecord> compile_torchscript(const CompileRequest& request, CompileProgress& progress);

/// The artifact as the run half loads it, with one lane's memory; errors are those of compiling.
struct LoadedArtifact {
  std::unique_ptr<LoadedEngine> engine;
  std::unique_ptr<Execution> execution;
};
Result<LoadedArtifact> load_artifact(const CompileState& state);

}  // namespace skua::pytorch
