#include <memory>
#include <optional>

#include "bootstrap/provision.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/key_arguments.h"
#include "core/json_strict.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

struct ProvisionArguments {
  std::string set_yaml, out, cache;
  KeyArguments sign;
  std::optional<std::string> runtime;
  std::vector<std::string> settings;
  bool rehash = false, is_strict = false;
};

Result<RuntimeConfig> config_of(const ProvisionArguments& arguments, const SetSpec& spec) {
  RuntimeConfig base;
  if (!arguments.cache.empty()) {
    SKUA_ASSIGN_OR_RETURN(base.engine_cache_dir, absolute_path(arguments.cache));
  }
  SKUA_ASSIGN_OR_RETURN(const KeyValues overrides, parse_key_values(arguments.settings, "--set"));
  return provisioning_config(spec, std::move(base), arguments.runtime, overrides);
}

void show(const ProvisionReport& report, const std::filesystem::path& sets_dir, Console& console) {
  Json engines = Json::array();
  for (const ProvisionedEngine& engine : report.engines) {
    engines.push_back({{"name", engine.name},
                       {"file", engine.file},
                       {"is_reused", engine.is_reused},
                       {"why_built", engine.why_built},
                       {"size_bytes", engine.size_bytes}});
    console.line((engine.is_reused ? "reused    " : "compiled  ") + engine.file + "  " +
                 std::to_string(engine.size_bytes) + " bytes" +
                 (engine.is_reused ? "" : "  (" + engine.why_built + ")"));
  }
  const Manifest& manifest = report.manifest;
  const std::string folder = (sets_dir / manifest.set_id).string();
  console.report()["set_id"] = manifest.set_id;
  console.report()["release_sequence"] = manifest.release_sequence;
  console.report()["folder"] = folder;
  console.report()["is_published"] = report.is_published;
  console.report()["is_signature_added"] = report.is_signature_added;
  console.report()["signer"] = report.signer ? Json(report.signer->hex()) : Json(nullptr);
  console.report()["source_bytes_hashed"] = report.source_bytes_hashed;
  console.report()["engines"] = std::move(engines);
  console.line((report.is_published ? "published " : "unchanged ") + manifest.set_id + ", release sequence " +
               std::to_string(manifest.release_sequence) + ", " + folder);
  if (report.signer) console.line("signed    by key " + report.signer->hex());
}

Status provision_command(const ProvisionArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const SetSpec spec, read_set_yaml(arguments.set_yaml));
  ProvisionContext context;
  std::optional<PrivateKey> key;
  if (arguments.sign.key) {
    SKUA_ASSIGN_OR_RETURN(key, open_private_key(arguments.sign));
    context.key = &*key;
  }
  SKUA_ASSIGN_OR_RETURN(context.compile.config, config_of(arguments, spec));
  SKUA_RETURN_IF_ERROR(resolve_defaults(context.compile.config));
  SKUA_ASSIGN_OR_RETURN(context.sets_dir, make_output_folder(arguments.out));
  SKUA_ASSIGN_OR_RETURN(context.compile.config.engine_cache_dir,
                        make_output_folder(context.compile.config.engine_cache_dir));
  context.rehash_sources = arguments.rehash;
  context.compile.strict_calibration = arguments.is_strict;
  context.compile.host = probe_host();
  context.compile.events = &session.console;
  context.compile.cancel_requested = session.cancel_requested;
  context.progress = [&session](std::string_view text) { session.console.progress(text); };
  SKUA_ASSIGN_OR_RETURN(const ProvisionReport report, provision(spec, context));
  show(report, context.sets_dir, session.console);
  return {};
}

}  // namespace

void add_provision(CLI::App& app, Action& action) {
  auto a = std::make_shared<ProvisionArguments>();
  CLI::App* command = app.add_subcommand("provision", "compile what is missing and publish a flight set");
  command->add_option("SET", a->set_yaml, "what the set is made of (SET.yaml)")->required();
  command->add_option("--out", a->out, "folder of flight sets")->required();
  command->add_option("--cache", a->cache, "engine cache folder (default: engine_cache_dir's default)");
  command->add_option("--runtime", a->runtime, "takes the place of the runtime in SET.yaml");
  command->add_option("--set", a->settings, "KEY=VALUE of the configuration; may be repeated");
  command->add_flag("--rehash", a->rehash,
                    "hash every model file, also those that look unchanged since they were hashed last");
  command->add_flag("--strict-calibration", a->is_strict,
                    "stop when a calibration cache may not be trusted, instead of moving it aside");
  add_key_options(*command, "--sign", a->sign);
  command->callback(
      [a, &action] { action = [a](Session& session) { return provision_command(*a, session); }; });
}

}  // namespace skua
