// What the load benchmarks do with a flight set: list it, verify it into memory, load it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report.h"
#include "cache/set_gate.h"
#include "skua/inference_runtime.h"

namespace skua::bench {

/// By the set gate, under bench_policy().
Result<AdmittedSet> admit(const std::filesystem::path& set_dir);
/// An environment that may load `set_dir`, with room for everything. Asks the host, which takes some 10 ms.
Result<RuntimeEnvironment> bench_environment(const std::filesystem::path& set_dir);
/// Every file that the set's manifest lists.
Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& set_dir);
/// What a take-off does up to where the first engine would be deserialised, for all engines: set gate, small
/// files, then each engine and its golden vectors verified into private memory by `workers` threads.
Status verify_into_memory(const std::filesystem::path& set_dir, std::size_t workers);
/// A new runtime, and the whole set resident in it.
Result<EngineSet> load_whole(const std::filesystem::path& set_dir, RuntimeEnvironment environment,
                             std::unique_ptr<InferenceRuntime>& runtime);

/// A line of the table: reached when the upper bound is at most `bar`, which a value without bounds never is.
Figure figure_of(std::string group, std::string name, std::string unit, const Estimate& value, double bar,
                 std::string note);
/// The same without a bar.
Figure figure_of(std::string group, std::string name, std::string unit, const Estimate& value,
                 std::string note);

}  // namespace skua::bench
