#include <memory>

#include "bootstrap/sign_set.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/key_arguments.h"
#include "core/json_strict.h"

namespace skua {
namespace {

struct SignArguments {
  std::string folder;
  KeyArguments key;
  std::vector<std::string> settings;
};

Status sign(const SignArguments& arguments, Session& session) {
  Console& console = session.console;
  RuntimeConfig config;
  SKUA_RETURN_IF_ERROR(apply_settings(config, arguments.settings));
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(arguments.folder));
  SKUA_ASSIGN_OR_RETURN(const PrivateKey key, open_private_key(arguments.key));
  console.progress("verifying and signing " + folder.string());
  SKUA_ASSIGN_OR_RETURN(const SignedSet set,
                        sign_set(posix_file_system(), folder, config.flight_set_limit_bytes, key));
  console.report() = {{"set_id", set.manifest.set_id},
                      {"release_sequence", set.manifest.release_sequence},
                      {"folder", set.set_dir.string()},
                      {"signer", set.signer.hex()},
                      {"is_signature_added", set.is_added}};
  console.line((set.is_added ? "signed    " : "unchanged ") + set.manifest.set_id + ", release sequence " +
               std::to_string(set.manifest.release_sequence) + ", " + set.set_dir.string() +
               (set.is_added ? "" : " (signed by this key already)"));
  console.line("signer    " + set.signer.hex());
  return {};
}

}  // namespace

void add_sign(CLI::App& app, Action& action) {
  auto a = std::make_shared<SignArguments>();
  CLI::App* command = app.add_subcommand("sign", "verify every byte of a published flight set and sign it");
  command->add_option("SET_DIR", a->folder, "a flight set, or a folder of sets whose CURRENT counts")
      ->required();
  add_key_options(*command, "--key", a->key)->required();
  command->add_option("--set", a->settings,
                      "KEY=VALUE of the configuration; flight_set_limit_bytes counts here; may be repeated");
  command->callback([a, &action] { action = [a](Session& session) { return sign(*a, session); }; });
}

}  // namespace skua
