// The files that keys are kept in: read the safe way, written once and never replaced.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cache/p256.h"
#include "core/filesystem.h"
#include "skua/public_key.h"
#include "skua/result.h"

namespace skua {

/// A public key in PEM: a regular file of root or the running user that only its owner may write, in a folder
/// of which the same is true. InvalidArgumentError naming the file, with the cause's reason
/// (trusted_key_malformed, file_mode, file_owner, not_found, ...).
Result<PublicKey> read_public_key(FileSystem& files, const std::filesystem::path& file);

/// A private key in PEM; besides what read_public_key asks, nobody but its owner may read it (file_mode).
Result<PrivateKey> read_private_key(FileSystem& files, const std::filesystem::path& file,
                                    std::string_view passphrase);

/// Whether a private key's file says that it is encrypted, so that a caller knows to ask for a passphrase.
/// Errors as read_private_key's.
Result<bool> is_private_key_encrypted(FileSystem& files, const std::filesystem::path& file);

/// The one line of a file, 1 to 1000 bytes, that only its owner may read. InvalidArgumentError naming the
/// file: malformed, and what read_private_key says of files.
Result<std::string> read_passphrase(FileSystem& files, const std::filesystem::path& file);

/// Writes `file` (mode 0600, encrypted where `passphrase` is not empty) and `public_file` (mode 0644),
/// durably, into folders that only their owner may write to. key_exists when either is there; then, and on
/// any error, neither is changed or left.
Status write_key_pair(FileSystem& files, const std::filesystem::path& file,
                      const std::filesystem::path& public_file, const PrivateKey& key,
                      std::string_view passphrase);

}  // namespace skua
