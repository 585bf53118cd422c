#include "bench/bench_set.h"

#include <cstring>

#include "bootstrap/recorded_config.h"
#include "cache/engine_gate.h"
#include "cache/golden.h"
#include "cache/set_files.h"
#include "core/text.h"
#include "inference/engine_folder.h"
#include "skua/runtime_factory.h"

namespace skua::bench {
namespace {

void copy_into(const TensorView& to, const TensorView& from) {
  if (const std::size_t bytes = from.size_bytes(); bytes > 0) std::memcpy(to.data, from.data, bytes);
}

Status feed(BoundInference& bound, const EngineInfo& info, const TensorMap& inputs) {
  for (std::size_t i = 0; i < info.inputs.size(); ++i) {
    const std::string& name = info.inputs[i].name;
    const TensorView& from = inputs.find(name)->view();
    if (bound.input(i).shape != from.shape) SKUA_RETURN_IF_ERROR(bound.set_shape(name, from.shape));
    copy_into(bound.input(i), from);
  }
  return {};
}

Status feed(RawSession& raw, const EngineInfo& info, const TensorMap& inputs) {
  for (std::size_t i = 0; i < info.inputs.size(); ++i) {
    const TensorView& from = inputs.find(info.inputs[i].name)->view();
    if (raw.input(i).shape != from.shape) SKUA_RETURN_IF_ERROR(raw.set_input_shape(i, from.shape));
    copy_into(raw.input(i), from);
  }
  return {};
}

Status check_complete(const EngineInfo& info, const TensorMap& inputs) {
  for (const TensorSpec& spec : info.inputs) {
    if (inputs.find(spec.name) != nullptr) continue;
    return make_error(
        ErrorCode::kEngineDeserialize, Reason::kGoldenMalformed,
        info.model + ": the golden vectors have no input '" + spec.name + "'; provision the set again");
  }
  return {};
}

Tolerance tolerance_of(const EngineRecord& record, const TensorSpec& output) {
  const auto found = record.golden.tolerances.find(output.name);
  return found != record.golden.tolerances.end() ? found->second
                                                 : default_tolerance(record.precision, output);
}

Status check_outputs(const BenchedEngine& engine, const std::vector<Tensor>& expected,
                     std::string_view variant) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const TensorSpec& spec = engine.info.outputs[i];
    SKUA_ASSIGN_OR_RETURN(const TensorView found, engine.raw->output(i));
    const auto compared =
        compare_golden(spec.name, expected[i].view(), found, tolerance_of(*engine.record, spec));
    if (compared.ok()) continue;
    return make_error(ErrorCode::kInternal, Reason::kInternal,
                      engine.info.model + ": the raw call '" + std::string(variant) +
                          "' computes something else than Skua: " + compared.error().message);
  }
  return {};
}

Result<std::vector<Tensor>> copies_of_outputs(const BenchedEngine& engine) {
  std::vector<Tensor> copies;
  for (std::size_t i = 0; i < engine.info.outputs.size(); ++i) {
    const TensorView from = engine.bound->output(i);
    SKUA_ASSIGN_OR_RETURN(Tensor copy, Tensor::allocate(from.dtype, from.shape));
    copy_into(copy.view(), from);
    copies.push_back(std::move(copy));
  }
  return copies;
}

void spoil_outputs(const BenchedEngine& engine) {
  for (std::size_t i = 0; i < engine.info.outputs.size(); ++i) {
    const TensorView view = engine.bound->output(i);
    if (view.data != nullptr) std::memset(view.data, 0x5A, view.size_bytes());
  }
}

/// Errors of the hot path carry no text; here there is time to say what failed.
Error with_text(Error error, const std::string& model) {
  if (error.message.empty()) error.message = model + ": " + std::string(sentence_of(error.reason));
  return error;
}

Status run_bound(BenchedEngine& engine) {
  Status ran = engine.bound->run();
  if (!ran.ok()) return with_text(std::move(ran).error(), engine.info.model);
  return {};
}

}  // namespace

Result<BenchSet> BenchSet::open(const SetOptions& options) {
  BenchSet set;
  // The set gate comes first: a manifest that does not pass it must not choose the runtime.
  SKUA_ASSIGN_OR_RETURN(set.admitted_, admit_set(posix_file_system(), options.set_dir, options.policy));
  const Manifest& manifest = set.admitted_.manifest;
  SKUA_ASSIGN_OR_RETURN(set.config_, recorded_config(manifest.runtime_label, manifest.runtime_options));
  for (const auto& [key, value] : options.settings) SKUA_RETURN_IF_ERROR(set_field(set.config_, key, value));
  SKUA_RETURN_IF_ERROR(set.open_raw_module());
  SKUA_RETURN_IF_ERROR(set.create_runtime(options));
  SKUA_ASSIGN_OR_RETURN(set.engines_, set.runtime().load_flight_set(options.set_dir, options.policy));
  SKUA_ASSIGN_OR_RETURN(set.golden_, set.admitted_.folder->open_folder(kGoldenFolder));
  return set;
}

Status BenchSet::create_runtime(const SetOptions& options) {
  host_ = probe_host();
  RuntimeEnvironment environment;
  environment.config = config_;
  environment.role = Role::kGround;
  environment.host = host_;
  environment.events = options.events;
  environment.cancel_requested = options.cancel_requested;
  if (raw_module_ != nullptr && !options.has_own_sessions) {
    SKUA_ASSIGN_OR_RETURN(paired_, raw_module_->create_paired(std::move(environment)));
    return {};
  }
  SKUA_ASSIGN_OR_RETURN(runtime_, build_inference_runtime(std::move(environment)));
  return {};
}

/// A package without the adapter, or a runtime that has none, is no error: Skua's own figures can still be
/// had.
Status BenchSet::open_raw_module() {
  auto module = skua::open_raw_module(config_.runtime);
  if (module.ok()) {
    raw_module_ = *module;
    return {};
  }
  if (module.error().reason != Reason::kModuleMissing) return std::move(module).error();
  why_no_raw_ = module.error().message;
  return {};
}

std::vector<std::string> BenchSet::models() const {
  std::vector<std::string> names;
  for (const EngineSet::Item& item : engines_.engines) names.push_back(item.model);
  return names;
}

Result<const EngineRecord*> BenchSet::record_of(std::string_view model) const {
  for (const ManifestArtifact& artifact : admitted_.manifest.artifacts) {
    if (artifact.name == model) return &artifact.engine;
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kUnknownName,
                    "the set " + set_id() + " has no engine " + quote(model) + "; it has: " + join(models()));
}

Result<BenchedEngine> BenchSet::engine(std::string_view model, std::string_view consumer) {
  BenchedEngine engine;
  SKUA_ASSIGN_OR_RETURN(engine.record, record_of(model));
  engine.handle = *engines_.find(model);
  SKUA_ASSIGN_OR_RETURN(engine.info, runtime().info(engine.handle));
  BufferPool pool(0);
  SKUA_ASSIGN_OR_RETURN(GoldenVectors golden, read_golden(*golden_, engine.record->golden, pool));
  SKUA_RETURN_IF_ERROR(check_complete(engine.info, golden.inputs));
  engine.inputs = std::move(golden.inputs);
  SKUA_ASSIGN_OR_RETURN(const Lane lane, runtime().create_lane(consumer));
  SKUA_ASSIGN_OR_RETURN(engine.bound, runtime().bind(engine.handle, lane));
  SKUA_RETURN_IF_ERROR(feed(*engine.bound, engine.info, engine.inputs));
  if (raw_module_ == nullptr) return engine;
  SKUA_ASSIGN_OR_RETURN(engine.raw, raw_session(engine));
  return engine;
}

Result<std::unique_ptr<RawSession>> BenchSet::raw_session(BenchedEngine& engine) {
  if (paired_ == nullptr) return own_raw_session(engine);
  // Only a run shows where the outputs lie.
  SKUA_RETURN_IF_ERROR(run_bound(engine));
  RawMemory memory;
  for (std::size_t i = 0; i < engine.info.inputs.size(); ++i) memory.inputs.push_back(engine.bound->input(i));
  for (std::size_t i = 0; i < engine.info.outputs.size(); ++i)
    memory.outputs.push_back(engine.bound->output(i));
  SKUA_ASSIGN_OR_RETURN(auto raw, paired_->raw_session(*engine.record));
  SKUA_RETURN_IF_ERROR(raw->place(memory));
  return raw;
}

Result<std::unique_ptr<RawSession>> BenchSet::own_raw_session(const BenchedEngine& engine) {
  const EngineRecord& record = *engine.record;
  const EngineExpectation expected{record.file, record, record.precision, host_, uses_gpu(record)};
  BufferPool pool(0);
  SKUA_ASSIGN_OR_RETURN(const VerifiedEngine verified, EngineGate::admit(*admitted_.folder, expected, pool));
  SKUA_ASSIGN_OR_RETURN(auto raw, raw_module_->open(config_, record, verified.bytes(), RawOrigin::kEngine));
  SKUA_RETURN_IF_ERROR(raw->place({}));
  SKUA_RETURN_IF_ERROR(feed(*raw, engine.info, engine.inputs));
  return raw;
}

Status check_same_results(BenchedEngine& engine) {
  SKUA_RETURN_IF_ERROR(run_bound(engine));
  if (engine.raw == nullptr) return {};
  SKUA_ASSIGN_OR_RETURN(const std::vector<Tensor> expected, copies_of_outputs(engine));
  for (std::size_t variant = 0; variant < engine.raw->variants().size(); ++variant) {
    // Both may write to the same memory: what the last call left there must not pass for this one's result.
    spoil_outputs(engine);
    Status ran = engine.raw->run(variant);
    if (!ran.ok()) return with_text(std::move(ran).error(), engine.info.model);
    SKUA_RETURN_IF_ERROR(check_outputs(engine, expected, engine.raw->variants()[variant]));
  }
  return {};
}

}  // namespace skua::bench
