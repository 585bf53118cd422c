// The heart of `skua run`: from a folder and a name to a resident engine, and from input files to output
// files.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/cache_entries.h"
#include "cli/commands.h"
#include "cli/policy_arguments.h"
#include "cli/run_inputs.h"
#include "skua/inference_runtime.h"

namespace skua {

struct RunArguments {
  std::string folder, model, output_dir;
  std::optional<std::string> runtime, precision;
  std::vector<std::string> settings, inputs;
  int repeat = 0;          ///< 0: infer() once; else that many times through bind()
  PolicyArguments policy;  ///< for a flight set
};

/// A runtime with the engine that was asked for. The engine goes before the runtime.
struct ResidentEngine {
  std::unique_ptr<InferenceRuntime> runtime;
  EngineHandle handle;
  EngineInfo info;
  std::string set_id;  ///< empty: from an engine cache
  std::vector<EngineLoadTimes> load_times;
};

/// Runtime and provider come from the manifest or the build record, unless the command line says otherwise. A
/// set is loaded whole, through both gates; a cache entry through the engine gate.
Result<ResidentEngine> load_engine(const RunArguments& arguments, Session& session);

/// One run: outputs written below `folder`, and how long each repetition took.
struct RunOutcome {
  std::vector<std::pair<std::string, std::filesystem::path>> outputs;
  std::vector<std::int64_t> times_ns;
};
Result<RunOutcome> run_once(ResidentEngine& engine, const TensorMap& inputs, int repeat,
                            const std::filesystem::path& folder);

}  // namespace skua
