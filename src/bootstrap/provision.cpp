#include "bootstrap/provision.h"

#include <algorithm>
#include <tuple>

#include "bootstrap/accuracy_figures.h"
#include "bootstrap/file_metadata.h"
#include "bootstrap/published_sets.h"
#include "cache/publish.h"
#include "cache/set_files.h"
#include "cache/set_signature.h"
#include "cache/staged_copy.h"
#include "cache/utc_text.h"
#include "inference/module_loader.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

Error invalid(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

Status check_not_cancelled(const ProvisionContext& context) {
  const auto* flag = context.compile.cancel_requested;
  if (flag == nullptr || !flag->load()) return {};
  return make_error(ErrorCode::kEngineBuild, Reason::kCancelled,
                    "provisioning was cancelled; the flight sets are as they were");
}

/// A date that has passed makes a set that flies nowhere; the year was mistyped, or SET.yaml is an old one.
Status check_not_after(const SetSpec& spec, const Clock& clock) {
  const auto last = spec.not_after ? utc_seconds(*spec.not_after) : std::nullopt;
  if (!last || clock.utc_us() <= *last * 1000000) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kSetExpired,
                    spec.file.string() + ": not_after is " + *spec.not_after + ", which has passed: it is " +
                        utc_text(clock.utc_us()) + " by this machine's clock; give a later moment");
}

/// Both files of a network must be the same network, whichever of them is compiled.
Status check_sources(const SetSpec& spec, std::string_view runtime_label) {
  for (const NetworkSpec& network : spec.networks) {
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto source, source_file(network, runtime_label));
    const auto onnx = network.sources.find("onnx"), pt = network.sources.find("pt");
    if (onnx == network.sources.end() || pt == network.sources.end()) continue;
    SKUA_RETURN_IF_ERROR(check_same_model(onnx->second, pt->second));
  }
  return {};
}

Result<EngineRecord> obtain_engine(const NetworkSpec& network, const ProvisionContext& context,
                                   ReuseFacts& facts, ProvisionedEngine& outcome) {
  const CompileContext& compile = context.compile;
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path source, source_file(network, compile.config.runtime));
  SKUA_ASSIGN_OR_RETURN(
      auto found, context.ports.find_reusable(source, network.build, compile, facts, outcome.why_built));
  outcome.is_reused = found.has_value();
  if (found) return *std::move(found);
  context.progress("compiling " + network.name + " (" + outcome.why_built + ")");
  return context.ports.compile(source, network.build, compile);
}

void report_engine(const std::string& name, const EngineRecord& record, ProvisionedEngine outcome,
                   ProvisionReport& report) {
  outcome.name = name;
  outcome.file = record.file;
  outcome.size_bytes = record.size_bytes;
  if (outcome.is_reused) outcome.why_built.clear();
  report.engines.push_back(std::move(outcome));
}

Result<std::vector<EngineRecord>> obtain_engines(const SetSpec& spec, const ProvisionContext& context,
                                                 ReuseFacts& facts, ProvisionReport& report) {
  std::vector<EngineRecord> records;
  for (const NetworkSpec& network : spec.networks) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled(context));
    ProvisionedEngine outcome;
    SKUA_ASSIGN_OR_RETURN(EngineRecord record, obtain_engine(network, context, facts, outcome));
    report_engine(network.name, record, std::move(outcome), report);
    records.push_back(std::move(record));
  }
  return records;
}

/// The options that the set is bound to, under their names in the configuration.
std::map<std::string, std::string> runtime_options(const RuntimeConfig& config) {
  std::map<std::string, std::string> options;
  const auto keys = set_option_keys_of(config.runtime);
  for (const auto& [key, value] : fields_of(config)) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) options.emplace(key, value);
  }
  return options;
}

/// The manifest without what only publishing decides: set id, sequence, file list.
Result<Manifest> draft_manifest(const SetSpec& spec, const ProvisionContext& context,
                                std::vector<EngineRecord> records) {
  Manifest manifest;
  manifest.created = utc_text(context.clock->utc_us());
  manifest.not_after = spec.not_after;
  manifest.runtime_label = context.compile.config.runtime;
  manifest.runtime_options = runtime_options(context.compile.config);
  manifest.host = context.compile.host;
  manifest.builder = std::string(build_id());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const NetworkSpec& network = spec.networks[i];
    SKUA_ASSIGN_OR_RETURN(std::vector<AccuracyFigure> accuracy,
                          accuracy_figures(records[i], network.build.accuracy));
    manifest.artifacts.push_back(
        {network.name, network.criticality, std::move(records[i]), std::move(accuracy)});
  }
  // The order that SetWriter publishes in, so that content digests can be compared.
  std::sort(manifest.artifacts.begin(), manifest.artifacts.end(), [](const auto& a, const auto& b) {
    return std::tie(a.criticality, a.name) < std::tie(b.criticality, b.name);
  });
  return manifest;
}

/// Digest of what decides the set's files: the file list itself follows from it and is known after publishing
/// only.
Sha256 digest_of(Manifest manifest) {
  manifest.files.clear();
  return content_digest(manifest);
}

/// Whether `there` is what would be published now, under the identity that SET.yaml asks for.
bool is_same_set(const SetSpec& spec, const Manifest& draft, const Manifest& there) {
  const bool is_same_identity =
      spec.set_id.value_or(there.set_id) == there.set_id &&
      spec.release_sequence.value_or(there.release_sequence) == there.release_sequence &&
      spec.not_after == there.not_after;
  return is_same_identity && digest_of(draft) == digest_of(there);
}

/// Whether the set may have the signature of `key`, or has it: that of another key is never replaced. Without
/// a key nobody asks.
Result<bool> is_for_key(AdmittedSet& set, const PrivateKey* key) {
  if (key == nullptr || set.is_unsigned) return true;
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key->public_key());
  const auto judged = judge_signature(*set.folder, std::span(&public_key, 1));
  if (!judged.ok() && judged.error().code != ErrorCode::kManifest) return judged.error();  // nobody knows
  return judged.ok() && judged->manifest_sha256 == set.manifest_sha256;
}

/// Gives the draft its sequence and id. A complete set that only lacks CURRENT is taken up again instead of
/// leaving it behind for ever; SetWriter then adopts it.
Status name_set(const SetSpec& spec, const ProvisionContext& context, const PublishedSets& published,
                Manifest& draft) {
  constexpr std::size_t kDigestDigits = 12;
  auto orphan = find_orphan(*context.compile.files, context.sets_dir,
                            context.compile.config.flight_set_limit_bytes, published);
  if (orphan && is_same_set(spec, draft, orphan->manifest)) {
    SKUA_ASSIGN_OR_RETURN(const bool is_usable, is_for_key(*orphan, context.key));
    draft.release_sequence = orphan->manifest.release_sequence;
    draft.set_id = orphan->manifest.set_id;
    if (is_usable) return {};
  }
  draft.release_sequence = spec.release_sequence.value_or(published.highest_sequence + 1);
  if (draft.release_sequence <= published.highest_sequence) {
    return invalid(spec.file.string() + ": release_sequence is " + std::to_string(draft.release_sequence) +
                   ", but a set with sequence " + std::to_string(published.highest_sequence) +
                   " is published already; give a higher one, or leave it out");
  }
  draft.set_id = spec.set_id.value_or("set-" + std::to_string(draft.release_sequence) + "-" +
                                      digest_of(draft).hex().substr(0, kDigestDigits));
  return {};
}

Result<Manifest> publish(WriterLock& sets, const ProvisionContext& context, Manifest draft) {
  const RuntimeConfig& config = context.compile.config;
  SKUA_ASSIGN_OR_RETURN(auto cache, context.compile.files->open_folder(config.engine_cache_dir));
  SKUA_ASSIGN_OR_RETURN(SetWriter writer, SetWriter::begin(sets));
  for (const ManifestArtifact& artifact : draft.artifacts) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled(context));
    SKUA_RETURN_IF_ERROR(writer.add_engine(*cache, artifact.engine));
  }
  return writer.commit(std::move(draft), config.flight_set_limit_bytes, context.key);
}

const ManifestArtifact* find_artifact(const Manifest& manifest, const std::string& name) {
  const auto found = std::find_if(manifest.artifacts.begin(), manifest.artifacts.end(),
                                  [&](const ManifestArtifact& artifact) { return artifact.name == name; });
  return found == manifest.artifacts.end() ? nullptr : &*found;
}

/// Whether `set`, every byte of which was verified, is what SET.yaml asks for. The engine cache has no say:
/// what flies is whole and was made from these very models.
Result<bool> is_up_to_date(const SetSpec& spec, const ProvisionContext& context, const Manifest& set,
                           ReuseFacts& facts) {
  std::vector<EngineRecord> records;
  for (const NetworkSpec& network : spec.networks) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled(context));
    const ManifestArtifact* const artifact = find_artifact(set, network.name);
    if (artifact == nullptr) return false;
    SKUA_ASSIGN_OR_RETURN(const auto source, source_file(network, context.compile.config.runtime));
    SKUA_ASSIGN_OR_RETURN(
        const std::string difference,
        context.ports.difference(source, network.build, context.compile, artifact->engine, facts));
    if (!difference.empty()) return false;
    records.push_back(artifact->engine);
  }
  // A record that does not keep the bounds of now is one to compile anew.
  const auto draft = draft_manifest(spec, context, std::move(records));
  return draft.ok() && is_same_set(spec, *draft, set);
}

/// What flies is what SET.yaml asks for; it may lack the signature.
Status keep(WriterLock& sets, const ProvisionContext& context, AdmittedSet& set, ProvisionReport& report) {
  if (context.key != nullptr && set.is_unsigned) {
    SKUA_RETURN_IF_ERROR(add_signature(sets, set, *context.key));
    report.is_signature_added = true;
  }
  report.manifest = set.manifest;
  return {};
}

ProvisionReport all_reused(const SetSpec& spec, const Manifest& set) {
  ProvisionReport report;
  for (const NetworkSpec& network : spec.networks) {
    ProvisionedEngine outcome;
    outcome.is_reused = true;
    report_engine(network.name, find_artifact(set, network.name)->engine, std::move(outcome), report);
  }
  return report;
}

/// "Unchanged" promises as much as "published": the set that CURRENT names may have been left by a writer
/// that was killed before all was on the disk.
Result<ProvisionReport> settled(WriterLock& sets, ProvisionReport report) {
  const std::string& id = report.manifest.set_id;
  const Status settled = settle_sets(sets.folder(), std::span(&id, 1));
  if (settled.ok()) return report;
  return as_build_error(settled.error(), "cannot make sure of flight set " + id);
}

/// Where signed sets fly, one without a signature would take their place and fly nowhere.
Status check_signs(const ProvisionContext& context, const PublishedSets& published) {
  if (context.key != nullptr || !published.is_current_signed) return {};
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kUnsignedSet,
      (context.sets_dir / kCurrentName).string() + ": set " + published.current_id +
          " is signed, and expected a key for the one that takes its place (--sign), found none; a "
          "set for a key that is elsewhere is provisioned into a folder of its own");
}

/// Compiles what no cache entry covers, and publishes unless that is what flies already.
Result<ProvisionReport> renew(const SetSpec& spec, const ProvisionContext& context, WriterLock& sets,
                              PublishedSets& published, ReuseFacts& facts) {
  SKUA_RETURN_IF_ERROR(check_signs(context, published));
  ProvisionReport report;
  SKUA_ASSIGN_OR_RETURN(std::vector<EngineRecord> records, obtain_engines(spec, context, facts, report));
  SKUA_ASSIGN_OR_RETURN(Manifest draft, draft_manifest(spec, context, std::move(records)));
  if (published.current && is_same_set(spec, draft, published.current->manifest)) {
    SKUA_RETURN_IF_ERROR(keep(sets, context, *published.current, report));
    return settled(sets, std::move(report));
  }
  SKUA_RETURN_IF_ERROR(name_set(spec, context, published, draft));
  context.progress("publishing " + draft.set_id);
  SKUA_ASSIGN_OR_RETURN(report.manifest, publish(sets, context, std::move(draft)));
  report.is_published = true;
  return report;
}

Result<ProvisionReport> provision_with(const SetSpec& spec, const ProvisionContext& context, WriterLock& sets,
                                       ReuseFacts& facts) {
  const CompileContext& compile = context.compile;
  SKUA_ASSIGN_OR_RETURN(
      PublishedSets published,
      survey_published_sets(*compile.files, context.sets_dir, compile.config.flight_set_limit_bytes));
  if (published.current) {
    SKUA_ASSIGN_OR_RETURN(const bool is_usable, is_for_key(*published.current, context.key));
    if (!is_usable) published.current.reset();  // the same content then flies as a new set
  }
  // Its own manifest is no witness for a set that nobody has signed: before a signature goes onto it, its
  // engines are compared with those of the cache.
  const bool is_to_be_signed = published.current && published.current->is_unsigned && context.key != nullptr;
  if (published.current && !is_to_be_signed) {
    const Manifest& current = published.current->manifest;
    SKUA_ASSIGN_OR_RETURN(const bool is_done, is_up_to_date(spec, context, current, facts));
    ProvisionReport report = is_done ? all_reused(spec, current) : ProvisionReport();
    if (is_done) SKUA_RETURN_IF_ERROR(keep(sets, context, *published.current, report));
    if (is_done) return settled(sets, std::move(report));
  }
  return renew(spec, context, sets, published, facts);
}

/// With the digests that the engine cache remembers. They are written back after a success only, so that an
/// error leaves the cache as it was; that they cannot be written is none.
Result<ProvisionReport> provision_locked(const SetSpec& spec, const ProvisionContext& context,
                                         WriterLock& sets) {
  const CompileContext& compile = context.compile;
  clear_leftovers(*compile.files, compile.config.engine_cache_dir);
  ReuseFacts facts(*context.clock);
  const auto cache = compile.files->open_folder(compile.config.engine_cache_dir);
  if (cache.ok() && !context.rehash_sources) facts.sources.read(**cache);
  auto report = provision_with(spec, context, sets, facts);
  if (!report.ok()) return report;
  if (cache.ok()) static_cast<void>(facts.sources.write(**cache));
  report->source_bytes_hashed = facts.sources.bytes_hashed();
  if (context.key != nullptr) {
    SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, context.key->public_key());
    report->signer = public_key.fingerprint();
  }
  return report;
}

}  // namespace

Result<RuntimeConfig> provisioning_config(const SetSpec& spec, RuntimeConfig base,
                                          const std::optional<std::string>& runtime,
                                          const std::vector<std::pair<std::string, std::string>>& overrides) {
  base.runtime = runtime.value_or(spec.runtime);
  for (const auto& [key, value] : spec.options) SKUA_RETURN_IF_ERROR(set_field(base, key, value));
  for (const auto& [key, value] : overrides) SKUA_RETURN_IF_ERROR(set_field(base, key, value));
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const RuntimeEntry* entry, find_built_runtime(base.runtime));
  SKUA_RETURN_IF_ERROR(base.validate());
  return base;
}

Result<ProvisionReport> provision(const SetSpec& spec, const ProvisionContext& context) {
  SKUA_RETURN_IF_ERROR(check_not_after(spec, *context.clock));
  SKUA_RETURN_IF_ERROR(check_sources(spec, context.compile.config.runtime));
  auto sets = WriterLock::take(*context.compile.files, context.sets_dir);
  if (!sets.ok()) return as_build_error(std::move(sets).error());
  auto report = provision_locked(spec, context, *sets);
  if (!report.ok()) return as_build_error(std::move(report).error());
  return report;
}

}  // namespace skua
