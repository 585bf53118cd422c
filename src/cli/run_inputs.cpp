#include "cli/run_inputs.h"

#include <algorithm>

#include "calibration/npy.h"
#include "cli/arguments.h"
#include "core/text.h"

namespace skua {
namespace {

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return join(names);
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

Result<std::vector<RunFiles>> plan_runs(const std::vector<std::string>& texts) {
  SKUA_ASSIGN_OR_RETURN(const KeyValues pairs, parse_key_values(texts, "--input", "NAME=FILE.npy"));
  std::vector<RunFiles> runs;
  for (const auto& pair : pairs) {
    const auto has_name = [&](const RunFiles& run) {
      return std::any_of(run.begin(), run.end(),
                         [&](const auto& input) { return input.first == pair.first; });
    };
    auto run = std::find_if_not(runs.begin(), runs.end(), has_name);
    if (run == runs.end()) run = runs.emplace(runs.end());
    run->emplace_back(pair.first, pair.second);
  }
  for (const RunFiles& run : runs) {
    if (run.size() == runs.front().size()) continue;
    return invalid_argument(Reason::kMissingInput,
                            "--input: an input that is given n times makes n runs, so every input must "
                            "be given equally often; found " +
                                std::to_string(runs.front().size()) + " inputs for the first run and " +
                                std::to_string(run.size()) + " for a later one");
  }
  return runs;
}

Result<TensorMap> read_inputs(const RunFiles& files) {
  TensorMap inputs;
  for (const auto& [name, file] : files) {
    SKUA_ASSIGN_OR_RETURN(Tensor tensor, read_npy(file));
    SKUA_RETURN_IF_ERROR(inputs.insert(name, std::move(tensor)));
  }
  return inputs;
}

Status check_inputs(const EngineInfo& info, const TensorMap& inputs) {
  for (const TensorSpec& spec : info.inputs) {
    const Tensor* tensor = inputs.find(spec.name);
    if (tensor == nullptr) {
      return invalid_argument(Reason::kMissingInput,
                              info.model + " needs the input '" + spec.name + "'; give --input " + spec.name +
                                  "=FILE.npy (all inputs: " + names_of(info.inputs) + ")");
    }
    if (tensor->view().dtype != spec.dtype) {
      return invalid_argument(Reason::kDtypeMismatch,
                              "input '" + spec.name + "' is " + std::string(to_string(spec.dtype)) +
                                  ", the file holds " + std::string(to_string(tensor->view().dtype)));
    }
  }
  for (const auto& input : inputs) {
    const std::string& name = input.first;
    const auto is_known = [&](const TensorSpec& spec) { return spec.name == name; };
    if (std::any_of(info.inputs.begin(), info.inputs.end(), is_known)) continue;
    return invalid_argument(Reason::kUnknownName, info.model + " has no input " + quote(name) +
                                                      "; it has: " + names_of(info.inputs));
  }
  return {};
}

std::vector<std::string> output_file_names(const EngineInfo& info) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < info.outputs.size(); ++i) {
    std::string name = info.outputs[i].name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !is_plain(c); }, '_');
    const bool is_unusable = name.empty() || name.front() == '.';
    const bool is_taken = std::find(names.begin(), names.end(), name + ".npy") != names.end();
    if (is_unusable || is_taken) name = std::to_string(i) + "_" + name;
    names.push_back(name + ".npy");
  }
  return names;
}

}  // namespace skua
