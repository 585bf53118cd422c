// Step 6: the artifact runs at the ends of its profiles under a counting allocator and a profiler. That
// proves the node placement, the output capacities, and measures the memory.
#include <algorithm>

#include "core/text.h"
#include "runtimes/onnxruntime/compile_sessions.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/counting_allocator.h"
#include "runtimes/onnxruntime/provider_proof.h"
#include "runtimes/onnxruntime/resident_memory.h"
#include "runtimes/onnxruntime/trial_inputs.h"

namespace skua::ort {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

using Side = Shape OptimizationProfile::*;

Status set_shapes(const EngineRecord& record, Execution& execution, Side side) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    for (const OptimizationProfile& profile : record.profiles) {
      if (profile.input_name != record.inputs[i].name) continue;
      SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, profile.*side));
    }
  }
  return {};
}

Error trial_error(const CompileState& state, const Error& error, std::string_view side) {
  const std::string remedy = error.reason == Reason::kOutputOverflow
                                 ? "raise max_output_shapes"
                                 : "check the model, its profiles, and that it accepts any input values";
  const bool is_memory = error.code == ErrorCode::kOutOfMemory;
  return make_error(is_memory ? error.code : ErrorCode::kEngineBuild, error.reason,
                    state.request.artifact_name + ": the trial run at the " + std::string(side) +
                        " shapes failed: " + error.describe() + "; " + remedy,
                    error.native_code);
}

// With the user's golden vectors there are inputs that surely make sense; made-up ones could be refused.
bool has_only_golden_inputs(const CompileState& state) {
  return state.request.build.golden.has_value() && state.record.profiles.empty();
}

Status run_trials(const CompileState& state, Execution& execution) {
  const std::pair<Side, std::string_view> sides[] = {{&OptimizationProfile::min, "min"},
                                                     {&OptimizationProfile::opt, "opt"},
                                                     {&OptimizationProfile::max, "max"}};
  for (const auto& [side, name] : sides) {
    SKUA_RETURN_IF_ERROR(set_shapes(state.record, execution, side));
    for (std::size_t i = 0; i < state.record.inputs.size(); ++i) {
      const std::string& input = state.record.inputs[i].name;
      const Tensor* golden = has_only_golden_inputs(state) ? state.golden.inputs.find(input) : nullptr;
      if (golden != nullptr) {
        const auto bytes = golden->as<std::byte>();
        std::copy(bytes.begin(), bytes.end(), execution.input(i).as<std::byte>().begin());
      } else {
        fill_trial_input(execution.input(i), state.record.model_sha256, input);
      }
    }
    if (Status ran = execution.run(std::nullopt); !ran.ok()) return trial_error(state, ran.error(), name);
    if (state.record.profiles.empty()) break;  // the three are one and the same
  }
  return {};
}

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
  auto bytes = read_file(path, std::uint64_t{1} << 30U, Reason::kIo);
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

std::uint64_t whole_mib(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB * kMiB; }

// How far the process grows when the engine is loaded and run as it will be in flight. Every shape runs
// twice: from the second run on ONNX Runtime wants the activations in one block, which may make its arena
// grow again.
Result<std::uint64_t> measure_growth(const CompileState& state) {
  const std::uint64_t before = resident_bytes_trimmed();
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  for (int round = 0; round < 2; ++round) SKUA_RETURN_IF_ERROR(run_trials(state, *execution));
  const std::uint64_t after = resident_bytes();
  return after > before ? after - before : 0;
}

// What one lane may take beside the engine's own bytes: the larger of what was seen to be taken and twice
// what was asked for at once (the arena doubles). Weights that a session keeps are in it too; with several
// lanes they are counted several times, which errs on the safe side. GPU memory cannot be seen here: the
// builder's bound stands for it.
Result<std::uint64_t> device_memory(const CompileState& state, std::uint64_t peak) {
  if (state.request.config.execution_provider != "cpu") return compile_limits(state.request).workspace_bytes;
  SKUA_ASSIGN_OR_RETURN(const std::uint64_t growth, measure_growth(state));
  return std::max(whole_mib(std::max(2 * peak, growth)), kMiB);
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
    Status tried = run_trials(state, *execution);
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
