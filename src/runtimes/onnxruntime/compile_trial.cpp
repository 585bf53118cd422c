// Step 6: the artifact runs at the ends of its profiles under a counting allocator and a profiler. That
// proves the node placement, the output capacities, and measures the memory.
#include <algorithm>

#include "compile/resident_memory.h"
#include "compile/source_file.h"
#include "compile/trial_runs.h"
#include "runtimes/onnxruntime/compile_sessions.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/counting_allocator.h"
#include "runtimes/onnxruntime/provider_proof.h"

namespace skua::ort {
namespace {

// Ends profiling and gives the profile's text; the file goes.
Result<std::string> take_profile(const Session& session) {
  const OrtApi& api = session.library->api();
  OrtAllocator* allocator = nullptr;
  char* name = nullptr;
  SKUA_RETURN_IF_ERROR(
      check(api, api.GetAllocatorWithDefaultOptions(&allocator), OrtContext::kCompile, "profile"));
  SKUA_RETURN_IF_ERROR(check(api, api.SessionEndProfiling(session.handle.get(), allocator, &name),
                             OrtContext::kCompile, "profile"));
  const std::filesystem::path path(name);
  if (OrtStatus* status = api.AllocatorFree(allocator, name); status != nullptr) api.ReleaseStatus(status);
  auto bytes = compile::read_file(path, std::uint64_t{1} << 30U, Reason::kIo);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  if (!bytes.ok()) return std::move(bytes).error();
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

Status prove_placement(CompileState& state, const Session& session) {
  const std::string_view provider = provider_name(state.request.config.execution_provider);
  SKUA_ASSIGN_OR_RETURN(const std::string profile, take_profile(session));
  SKUA_ASSIGN_OR_RETURN(const Placement placement, placement_of(profile));
  SKUA_RETURN_IF_ERROR(check_placement(placement, provider));
  state.record.proof["placement"] = "profiled trial run";
  for (const auto& [name, nodes] : placement)
    state.record.proof["nodes." + name] = std::to_string(nodes.size());
  return {};
}

// How far the process grows when the engine is loaded and run as it will be in flight. Every shape runs
// twice: from the second run on ONNX Runtime wants the activations in one block, which may make its arena
// grow again.
Result<std::uint64_t> measure_growth(const CompileState& state) {
  const std::uint64_t before = compile::resident_bytes_trimmed();
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  for (int round = 0; round < 2; ++round) SKUA_RETURN_IF_ERROR(compile::run_trials(state, *execution));
  const std::uint64_t after = compile::resident_bytes();
  return after > before ? after - before : 0;
}

// What one lane may take beside the engine's own bytes: the larger of what was seen to be taken and twice
// what was asked for at once (the arena doubles). Weights that a session keeps are in it too; with several
// lanes they are counted several times, which errs on the safe side. GPU memory cannot be seen here: the
// builder's bound stands for it.
Result<std::uint64_t> device_memory(const CompileState& state, std::uint64_t peak) {
  if (state.request.config.execution_provider != "cpu") return compile_limits(state.request).workspace_bytes;
  SKUA_ASSIGN_OR_RETURN(const std::uint64_t growth, measure_growth(state));
  return std::max(compile::whole_mib(std::max(2 * peak, growth)), compile::kMiB);
}

}  // namespace

Status measure_and_try(CompileState& state) {
  SessionPlan plan = run_plan(state.request.config, compile_limits(state.request));
  plan.config.emplace_back("session.use_env_allocators", "1");
  plan.profile_prefix = state.staged("trial");
  std::uint64_t peak = 0;
  {
    SKUA_ASSIGN_OR_RETURN(const auto counter, CountingAllocator::install(state.library));
    SKUA_ASSIGN_OR_RETURN(const auto session, create_artifact_session(state, plan));
    SKUA_ASSIGN_OR_RETURN(const auto execution, create_execution(session, state.record));
    Status tried = compile::run_trials(state, *execution);
    const Status placed = prove_placement(state, *session);  // in any case: it removes the profile
    if (!tried.ok()) return tried;
    SKUA_RETURN_IF_ERROR(placed);
    peak = counter->peak_bytes();
  }
  SKUA_ASSIGN_OR_RETURN(state.record.device_memory_bytes, device_memory(state, peak));
  state.record.proof["memory.peak_bytes"] = std::to_string(peak);
  return {};
}

}  // namespace skua::ort
