// What goes into the runs of `skua run`, and the files that come out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "skua/inference_runtime.h"
#include "skua/tensor.h"

namespace skua {

/// The inputs of one run: names and files.
using RunFiles = std::vector<std::pair<std::string, std::filesystem::path>>;

/// "NAME=FILE.npy" each. An input that is given n times makes n runs, so every input must be given equally
/// often. InvalidArgumentError.
Result<std::vector<RunFiles>> plan_runs(const std::vector<std::string>& texts);

/// Reads the files of one run. InvalidArgumentError naming the file.
Result<TensorMap> read_inputs(const RunFiles& files);

/// Whether `inputs` are what the engine takes, by name and type. InvalidArgumentError: missing_input,
/// unknown_name, dtype_mismatch. Shapes are judged by the runtime.
Status check_inputs(const EngineInfo& info, const TensorMap& inputs);

/// The name of an output's file: the output's name, with every character but A-Z a-z 0-9 . _ - as `_`; the
/// index comes before it when two outputs would have one file.
std::vector<std::string> output_file_names(const EngineInfo& info);

}  // namespace skua
