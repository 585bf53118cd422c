#include "load_sets.h"

#include <cstdio>

#include "bootstrap/recorded_config.h"
#include "cache/set_files.h"
#include "core/parallel.h"
#include "inference/engine_folder.h"
#include "inference/prepared_engine.h"
#include "program.h"
#include "skua/runtime_factory.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kEverything = std::uint64_t{1} << 40U;

std::string bar_text(double bar) {
  char text[32];
  std::snprintf(text, sizeof(text), "<= %.2f", bar);
  return text;
}

}  // namespace

Result<AdmittedSet> admit(const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy, bench_policy());
  return admit_set(posix_file_system(), set_dir, policy);
}

Result<RuntimeEnvironment> bench_environment(const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  RuntimeEnvironment environment;
  SKUA_ASSIGN_OR_RETURN(environment.config,
                        recorded_config(set.manifest.runtime_label, set.manifest.runtime_options));
  environment.config.gpu_memory_budget_bytes = kEverything;
  environment.role = Role::kGround;
  environment.host = probe_host();
  return environment;
}

Result<std::vector<fs::path>> files_of(const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  std::vector<fs::path> files;
  for (const ManifestFile& file : set.manifest.files) files.push_back(set_dir / file.name);
  return files;
}

Status verify_into_memory(const fs::path& set_dir, std::size_t workers) {
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit(set_dir));
  SKUA_RETURN_IF_ERROR(verify_listed_files(set));
  SKUA_ASSIGN_OR_RETURN(const auto golden, set.folder->open_folder(kGoldenFolder));
  std::vector<EngineExpectation> expectations;
  for (const ManifestArtifact& artifact : set.manifest.artifacts) {
    const EngineRecord& record = artifact.engine;
    expectations.push_back({record.file, record, record.precision, set.manifest.host, uses_gpu(record)});
  }
  std::vector<Status> verdicts(expectations.size());
  BufferPool pool(workers, expectations.size());
  const Reading reading = workers > 1 ? Reading::kInTurn : Reading::kBesideHashing;
  for_each_index(expectations.size(), workers, [&](std::size_t, std::size_t i) {
    auto engine = EngineGate::admit(*set.folder, expectations[i], pool, reading);
    verdicts[i] = prepare_engine(std::move(engine), *golden, system_clock(), 0).status();
  });
  for (Status& verdict : verdicts) SKUA_RETURN_IF_ERROR(std::move(verdict));
  return {};
}

Result<EngineSet> load_whole(const fs::path& set_dir, RuntimeEnvironment environment,
                             std::unique_ptr<InferenceRuntime>& runtime) {
  SKUA_ASSIGN_OR_RETURN(runtime, build_inference_runtime(std::move(environment)));
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy, bench_policy());
  return runtime->load_flight_set(set_dir, policy);
}

Figure figure_of(std::string group, std::string name, std::string unit, const Estimate& value, double bar,
                 std::string note) {
  const bool is_reached = value.is_bounded && value.upper <= bar;
  return {std::move(group), std::move(name),
          std::move(unit),  value,
          bar_text(bar),    is_reached ? Verdict::kReached : Verdict::kNotReached,
          std::move(note)};
}

Figure figure_of(std::string group, std::string name, std::string unit, const Estimate& value,
                 std::string note) {
  return {std::move(group), std::move(name), std::move(unit), value, "", Verdict::kNoBar, std::move(note)};
}

}  // namespace skua::bench
