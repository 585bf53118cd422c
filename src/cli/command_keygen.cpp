#include <memory>
#include <optional>

#include "bootstrap/key_files.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/key_arguments.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

struct KeygenArguments {
  std::string name;
  std::optional<std::string> passphrase_file;
  bool is_encrypted = false;
};

Status keygen(const KeygenArguments& arguments, Session& session) {
  Console& console = session.console;
  if (!std::filesystem::path(arguments.name).has_filename()) {
    return invalid_argument(Reason::kInvalidArgument, "NAME: expected the name of a key, found " +
                                                          quote(arguments.name, 4096) +
                                                          "; give a name, with or without a folder");
  }
  keep_memory_private();
  std::string passphrase;
  if (arguments.is_encrypted) {
    SKUA_ASSIGN_OR_RETURN(passphrase, new_passphrase(arguments.passphrase_file));
  }
  const std::string file = arguments.name + ".key", public_file = arguments.name + ".pub";
  SKUA_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::generate());
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
  SKUA_RETURN_IF_ERROR(write_key_pair(posix_file_system(), file, public_file, key, passphrase));
  const std::string fingerprint = public_key.fingerprint().hex();
  console.report() = {{"key", file},
                      {"public_key", public_file},
                      {"fingerprint", fingerprint},
                      {"is_encrypted", arguments.is_encrypted}};
  console.line("private key  " + file + (arguments.is_encrypted ? "  (encrypted)" : "  (not encrypted)"));
  console.line("public key   " + public_file);
  console.line("fingerprint  " + fingerprint);
  return {};
}

}  // namespace

void add_keygen(CLI::App& app, Action& action) {
  auto a = std::make_shared<KeygenArguments>();
  CLI::App* command = app.add_subcommand("keygen", "make a P-256 key that signs flight sets");
  command->add_option("NAME", a->name, "writes NAME.key (secret) and NAME.pub; neither may exist")
      ->required();
  CLI::Option* const encrypt = command->add_flag("--encrypt", a->is_encrypted, "encrypt the private key");
  command
      ->add_option("--passphrase-file", a->passphrase_file,
                   "one line: the passphrase (default: asked for twice at the terminal)")
      ->needs(encrypt);
  command->callback([a, &action] { action = [a](Session& session) { return keygen(*a, session); }; });
}

}  // namespace skua
