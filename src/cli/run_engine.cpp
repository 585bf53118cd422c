#include "cli/run_engine.h"

#include <cstring>

#include "bootstrap/published_sets.h"
#include "bootstrap/recorded_config.h"
#include "cache/set_gate.h"
#include "calibration/npy.h"
#include "cli/arguments.h"
#include "core/json_strict.h"
#include "core/text.h"
#include "inference/load_events.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

/// The configuration that an artifact was made for, then what the command line changes.
Result<RuntimeConfig> config_for(const std::string& label, const std::map<std::string, std::string>& options,
                                 const RunArguments& arguments) {
  SKUA_ASSIGN_OR_RETURN(RuntimeConfig config, recorded_config(label, options));
  SKUA_RETURN_IF_ERROR(apply_settings(config, arguments.settings));
  config.runtime = arguments.runtime.value_or(label);
  return config;
}

Result<std::unique_ptr<InferenceRuntime>> build_runtime(RuntimeConfig config, const HostTuple& host,
                                                        Session& session) {
  RuntimeEnvironment environment;
  environment.config = std::move(config);
  environment.role = Role::kGround;
  environment.host = host;
  environment.events = &session.console;
  environment.cancel_requested = session.cancel_requested;
  return build_inference_runtime(std::move(environment));
}

Result<std::optional<Precision>> precision_of(const RunArguments& arguments) {
  if (!arguments.precision) return std::optional<Precision>();
  SKUA_ASSIGN_OR_RETURN(const Precision precision, precision_from_string(*arguments.precision));
  return std::optional(precision);
}

Status check_in_set(const Manifest& manifest, const RunArguments& arguments,
                    std::optional<Precision> precision) {
  std::vector<std::string> names;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    names.push_back(artifact.name + " (" + std::string(to_string(artifact.engine.precision)) + ")");
    const bool has_precision = artifact.engine.precision == precision.value_or(artifact.engine.precision);
    if (artifact.name == arguments.model && has_precision) return {};
  }
  return invalid_argument(Reason::kUnknownName,
                          "the set " + manifest.set_id + " has no engine " + quote(arguments.model) +
                              (precision ? " of that precision" : "") + "; it has: " + join(names));
}

Result<ResidentEngine> load_from_set(const fs::path& set_dir, const RunArguments& arguments,
                                     Session& session) {
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy,
                        gate_policy(arguments.policy, arguments.settings, session.console));
  // The set gate comes first: a manifest that does not pass it must not choose the runtime.
  const auto admitted = admit_set(posix_file_system(), set_dir, policy);
  if (!admitted.ok()) {
    session.console.emit(refusal_event(set_dir.string(), admitted.error()));
    return admitted.error();
  }
  const Manifest& manifest = admitted->manifest;
  SKUA_ASSIGN_OR_RETURN(const std::optional<Precision> precision, precision_of(arguments));
  SKUA_RETURN_IF_ERROR(check_in_set(manifest, arguments, precision));
  SKUA_ASSIGN_OR_RETURN(RuntimeConfig config,
                        config_for(manifest.runtime_label, manifest.runtime_options, arguments));
  ResidentEngine engine;
  SKUA_ASSIGN_OR_RETURN(engine.runtime, build_runtime(std::move(config), probe_host(), session));
  SKUA_ASSIGN_OR_RETURN(EngineSet set, engine.runtime->load_flight_set(set_dir, policy));
  const EngineHandle* handle = set.find(arguments.model);
  if (handle == nullptr)
    return invalid_argument(Reason::kUnknownName, arguments.model + " is not in the loaded set");
  engine.handle = *handle;
  engine.set_id = set.set_id;
  engine.load_times = std::move(set.times);
  return engine;
}

Result<ResidentEngine> load_from_cache_dir(const fs::path& cache, const RunArguments& arguments,
                                           Session& session) {
  if (!arguments.policy.trust.empty()) {
    return invalid_argument(Reason::kInvalidArgument,
                            "--trust: expected a flight set, found " + quote(cache.string(), 4096) +
                                ", which is none; an engine cache has no signature: leave the option out");
  }
  const HostTuple host = probe_host();
  SKUA_ASSIGN_OR_RETURN(const std::optional<Precision> precision, precision_of(arguments));
  SKUA_ASSIGN_OR_RETURN(const auto records, cache_records(posix_file_system(), cache));
  SKUA_ASSIGN_OR_RETURN(const EngineRecord record,
                        choose_engine(records, {arguments.model, arguments.runtime, precision}, host));
  SKUA_ASSIGN_OR_RETURN(RuntimeConfig config, config_for(record.runtime_label, record.options, arguments));
  config.engine_cache_dir = cache;
  ResidentEngine engine;
  SKUA_ASSIGN_OR_RETURN(engine.runtime, build_runtime(std::move(config), host, session));
  SKUA_ASSIGN_OR_RETURN(engine.handle, engine.runtime->deserialize_engine(to_entry(record, cache)));
  return engine;
}

Status feed(BoundInference& bound, const EngineInfo& info, const TensorMap& inputs) {
  for (std::size_t i = 0; i < info.inputs.size(); ++i) {
    const std::string& name = info.inputs[i].name;
    const TensorView& from = inputs.find(name)->view();
    if (bound.input(i).shape != from.shape) SKUA_RETURN_IF_ERROR(bound.set_shape(name, from.shape));
    const TensorView to = bound.input(i);
    if (to.size_bytes() > 0) std::memcpy(to.data, from.data, to.size_bytes());
  }
  return {};
}

/// Errors of the hot path carry no text; here there is time to say what failed.
Error with_text(Error error, const EngineInfo& info) {
  if (error.message.empty()) error.message = info.model + ": " + std::string(sentence_of(error.reason));
  return error;
}

Status write_outputs(const EngineInfo& info, const fs::path& folder, const std::vector<TensorView>& views,
                     RunOutcome& outcome) {
  const std::vector<std::string> files = output_file_names(info);
  for (std::size_t i = 0; i < views.size(); ++i) {
    SKUA_RETURN_IF_ERROR(write_npy(folder / files[i], views[i]));
    outcome.outputs.emplace_back(info.outputs[i].name, folder / files[i]);
  }
  return {};
}

Result<RunOutcome> run_bound(ResidentEngine& engine, const TensorMap& inputs, int repeat,
                             const fs::path& folder) {
  SKUA_ASSIGN_OR_RETURN(const Lane lane, engine.runtime->create_lane("default"));
  SKUA_ASSIGN_OR_RETURN(BoundInference bound, engine.runtime->bind(engine.handle, lane));
  SKUA_RETURN_IF_ERROR(feed(bound, engine.info, inputs));
  RunOutcome outcome;
  outcome.times_ns.reserve(static_cast<std::size_t>(repeat));
  for (int i = 0; i < repeat; ++i) {
    const std::int64_t start_ns = system_clock().monotonic_ns();
    Status status = bound.run();
    outcome.times_ns.push_back(system_clock().monotonic_ns() - start_ns);
    if (!status.ok()) return with_text(std::move(status).error(), engine.info);
  }
  std::vector<TensorView> views;
  for (std::size_t i = 0; i < bound.output_count(); ++i) views.push_back(bound.output(i));
  SKUA_RETURN_IF_ERROR(write_outputs(engine.info, folder, views, outcome));
  return outcome;
}

Result<RunOutcome> run_unbound(ResidentEngine& engine, const TensorMap& inputs, const fs::path& folder) {
  const std::int64_t start_ns = system_clock().monotonic_ns();
  auto outputs = engine.runtime->infer(engine.handle, inputs);
  RunOutcome outcome;
  outcome.times_ns.push_back(system_clock().monotonic_ns() - start_ns);
  if (!outputs.ok()) return with_text(std::move(outputs).error(), engine.info);
  std::vector<TensorView> views;
  for (const TensorSpec& spec : engine.info.outputs) {
    const Tensor* tensor = outputs->find(spec.name);
    if (tensor == nullptr) {
      return make_error(ErrorCode::kInternal, Reason::kInternal, "infer gave no output '" + spec.name + "'");
    }
    views.push_back(tensor->view());
  }
  SKUA_RETURN_IF_ERROR(write_outputs(engine.info, folder, views, outcome));
  return outcome;
}

}  // namespace

Result<ResidentEngine> load_engine(const RunArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const fs::path folder, absolute_path(arguments.folder));
  FileSystem& files = posix_file_system();
  const bool is_set = is_flight_set(files, folder) || is_sets_folder(files, folder);
  Result<ResidentEngine> engine = make_error(ErrorCode::kInternal, Reason::kInternal, "not loaded");
  if (is_set) {
    SKUA_ASSIGN_OR_RETURN(const fs::path set_dir, find_set(files, folder));
    engine = load_from_set(set_dir, arguments, session);
  } else {
    engine = load_from_cache_dir(folder, arguments, session);
  }
  if (!engine.ok()) return engine;
  SKUA_ASSIGN_OR_RETURN(engine->info, engine->runtime->info(engine->handle));
  return engine;
}

Result<RunOutcome> run_once(ResidentEngine& engine, const TensorMap& inputs, int repeat,
                            const fs::path& folder) {
  SKUA_RETURN_IF_ERROR(check_inputs(engine.info, inputs));
  return repeat > 0 ? run_bound(engine, inputs, repeat, folder) : run_unbound(engine, inputs, folder);
}

}  // namespace skua
