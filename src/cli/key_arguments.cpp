#include "cli/key_arguments.h"

#include <sys/prctl.h>

#include "bootstrap/key_files.h"
#include "cli/arguments.h"
#include "cli/terminal.h"

namespace skua {

CLI::Option* add_key_options(CLI::App& command, const std::string& option, KeyArguments& arguments) {
  CLI::Option* const key = command.add_option(option, arguments.key, "private key that signs (skua keygen)");
  command
      .add_option("--passphrase-file", arguments.passphrase_file,
                  "one line: the passphrase of an encrypted key (default: asked for at the terminal)")
      ->needs(key);
  return key;
}

void keep_memory_private() noexcept { static_cast<void>(::prctl(PR_SET_DUMPABLE, 0)); }

Result<PrivateKey> open_private_key(const KeyArguments& arguments) {
  keep_memory_private();
  FileSystem& files = posix_file_system();
  SKUA_ASSIGN_OR_RETURN(const bool is_encrypted, is_private_key_encrypted(files, *arguments.key));
  std::string passphrase;
  if (arguments.passphrase_file) {
    SKUA_ASSIGN_OR_RETURN(passphrase, read_passphrase(files, *arguments.passphrase_file));
  } else if (is_encrypted) {
    SKUA_ASSIGN_OR_RETURN(passphrase, ask_unseen("passphrase of " + *arguments.key + ": "));
  }
  return read_private_key(files, *arguments.key, passphrase);
}

Result<std::string> new_passphrase(const std::optional<std::string>& file) {
  if (file) return read_passphrase(posix_file_system(), *file);
  SKUA_ASSIGN_OR_RETURN(std::string first, ask_unseen("passphrase for the new key: "));
  SKUA_ASSIGN_OR_RETURN(const std::string second, ask_unseen("the same again: "));
  if (first == second) return first;
  return invalid_argument(Reason::kPassphraseWrong,
                          "expected the same passphrase twice, found two; no key was written, try again");
}

}  // namespace skua
