#include <memory>

#include "bootstrap/published_sets.h"
#include "bootstrap/verify_set.h"
#include "cache/set_gate.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/policy_arguments.h"
#include "core/json_strict.h"
#include "inference/load_events.h"

namespace skua {
namespace {

struct VerifyArguments {
  std::string folder, host_file;
  PolicyArguments policy;
  std::vector<std::string> settings;
  std::size_t workers = 0;
};

/// This machine, or the one whose `skua doctor --json` was given.
Result<HostTuple> host_of(const VerifyArguments& arguments) {
  if (arguments.host_file.empty()) return probe_host();
  SKUA_ASSIGN_OR_RETURN(const Json json, read_json_file(arguments.host_file));
  const bool has_host = json.is_object() && json.contains("host");
  auto host = host_from_json(has_host ? json["host"] : json, has_host ? "host" : "");
  if (host.ok()) return host;
  return make_error(
      ErrorCode::kInvalidArgument, host.error().reason,
      arguments.host_file + ": " + host.error().message + "; expected what skua doctor --json prints");
}

void show_file(const FileVerdict& verdict, Console& console) {
  const bool is_good = verdict.status.ok();
  Json json = {{"file", verdict.file},
               {"kind", verdict.kind},
               {"size_bytes", verdict.size_bytes},
               {"verdict", is_good ? "go" : "refused"}};
  if (!is_good) json["error"] = error_json(verdict.status.error());
  console.report()["files"].push_back(std::move(json));
  console.line(std::string(is_good ? "go       " : "REFUSED  ") + verdict.kind + "  " + verdict.file);
  if (is_good) return;
  console.line("         " + verdict.status.error().describe());
  console.emit(refusal_event(verdict.file, verdict.status.error()));
}

void show(const SetVerdict& verdict, const std::filesystem::path& set_dir, Console& console) {
  const Manifest& manifest = verdict.manifest;
  console.report()["set_id"] = manifest.set_id;
  console.report()["release_sequence"] = manifest.release_sequence;
  console.report()["is_signed"] = !verdict.is_unsigned;
  console.report()["signer"] = verdict.signer ? Json(verdict.signer->hex()) : Json(nullptr);
  console.report()["not_after"] = manifest.not_after ? Json(*manifest.not_after) : Json(nullptr);
  console.report()["files"] = Json::array();
  console.line("go       set gate  " + set_dir.string() + " (" + manifest.set_id + ", release sequence " +
               std::to_string(manifest.release_sequence) + ", " +
               (verdict.signer ? "signed by " + verdict.signer->hex() : "unsigned") + ", " +
               (manifest.not_after ? "expires " + *manifest.not_after : "no expiry") + ")");
  for (const FileVerdict& file : verdict.files) show_file(file, console);
  const double seconds = static_cast<double>(verdict.elapsed_ns) * 1e-9;
  const double gigabytes = static_cast<double>(verdict.bytes_hashed) * 1e-9;
  const double rate = seconds > 0.0 ? gigabytes / seconds : 0.0;
  console.report()["bytes_hashed"] = verdict.bytes_hashed;
  console.report()["elapsed_ns"] = verdict.elapsed_ns;
  console.report()["gigabytes_per_second"] = rate;
  console.report()["workers"] = verdict.workers;
  console.line("gate: " + std::to_string(verdict.bytes_hashed) + " bytes read and hashed in " +
               fixed(seconds * 1e3, 2) + " ms, " + fixed(rate, 2) + " GB/s, " +
               std::to_string(verdict.workers) + (verdict.workers == 1 ? " worker" : " workers"));
}

/// A set that is no set and a set that the gate turned down are told alike; a path that cannot be read is not
/// a refusal.
Error told(Error error, const std::filesystem::path& set_dir, Console& console) {
  constexpr int kRefused = 5;
  if (exit_status_of(error) == kRefused) console.emit(refusal_event(set_dir.string(), error));
  return error;
}

Event unsigned_event(const std::string& set_id) {
  return {
      Level::kWarn, "c7.set_unsigned", set_id + " is not signed: for development only", {{"set_id", set_id}}};
}

Status verify(const VerifyArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const HostTuple host, host_of(arguments));
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy,
                        gate_policy(arguments.policy, arguments.settings, session.console));
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(arguments.folder));
  auto set_dir = find_set(posix_file_system(), folder);
  if (!set_dir.ok()) return told(std::move(set_dir).error(), folder, session.console);
  session.console.progress("verifying " + set_dir->string());
  auto verdict = verify_set(posix_file_system(), *set_dir, policy, host, system_clock(), arguments.workers);
  if (!verdict.ok()) return told(std::move(verdict).error(), *set_dir, session.console);
  if (verdict->is_unsigned) session.console.emit(unsigned_event(verdict->manifest.set_id));
  show(*verdict, *set_dir, session.console);
  return verdict->overall();
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto a = std::make_shared<VerifyArguments>();
  CLI::App* command = app.add_subcommand("verify", "judge a flight set by both gates, without loading it");
  command->add_option("SET_DIR", a->folder, "a flight set, or a folder of sets whose CURRENT counts")
      ->required();
  add_policy_options(*command, a->policy);
  command->add_option("--set", a->settings,
                      "KEY=VALUE of the configuration; flight_set_limit_bytes counts here; may be repeated");
  command
      ->add_option(
          "--workers", a->workers,
          "files that are hashed at the same time (default: one per core, at most 4, fewer for a small set)")
      ->check(CLI::Range(1, 64));
  command->add_option("--host", a->host_file, "judge for another machine: its skua doctor --json");
  command->callback([a, &action] { action = [a](Session& session) { return verify(*a, session); }; });
}

}  // namespace skua
