// The private key that a command was told to use, and the passphrase that opens it.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "cache/p256.h"

namespace skua {

struct KeyArguments {
  std::optional<std::string> key, passphrase_file;
};

/// Adds `option` (the private key's file) and --passphrase-file. Returns the former.
CLI::Option* add_key_options(CLI::App& command, const std::string& option, KeyArguments& arguments);

/// From here on this program leaves no core dump, in which a private key would lie on a disk, and no program
/// of the same user can read its memory. For commands that hold a key, before they have one.
void keep_memory_private() noexcept;

/// Reads the key, which was given; keep_memory_private() first. The passphrase of an encrypted one comes from
/// its file, or is asked for at the terminal. InvalidArgumentError: read_private_key's, read_passphrase's,
/// ask_unseen's.
Result<PrivateKey> open_private_key(const KeyArguments& arguments);

/// A passphrase for a new key: from `file`, or, without one, asked for twice at the terminal.
Result<std::string> new_passphrase(const std::optional<std::string>& file);

}  // namespace skua
