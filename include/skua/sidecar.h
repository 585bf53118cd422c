// Sha256Sidecar: the content-hash sidecar that C6, C7 and C10 share. The sidecar of `file` is `file.sha256`:
// the 64 digits of the hash in lower-case hex, without a line end or a file name. It guards against faults,
// never against somebody who can write the folder.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "skua/sha256.h"

namespace skua {

/// Thread-safety: no state; two writers of one path need their own order. Cost: reads whole files.
class Sha256Sidecar {
 public:
  /// Where the sidecar of `payload` lies. Asks no disk.
  static std::filesystem::path path_of(const std::filesystem::path& payload);
  /// SHA-256 of bytes in memory. Throws std::bad_alloc when there is none left.
  static Sha256 digest(std::span<const std::byte> bytes);
  /// SHA-256 of a regular file, read in pieces; links are not followed. IoError where it is none or cannot
  /// be read, InvalidArgumentError for a path that names no file.
  static Result<Sha256> digest_file(const std::filesystem::path& file);
  /// Writes `payload` whole or not at all: a synced temporary beside the target is renamed over it, then
  /// the folder is synced. Errors as digest_file.
  static Status write_atomic(const std::filesystem::path& payload, std::span<const std::byte> bytes);
  /// write_atomic of the payload, then of its sidecar. Errors as write_atomic; between the two the payload
  /// has an old sidecar or none.
  static Status write_atomic_and_sidecar(const std::filesystem::path& payload,
                                         std::span<const std::byte> bytes);
  /// Payload missing: false. Sidecar missing: EngineSidecarMissingError; malformed: EngineDeserializeError.
  /// Else whether the payload's bytes are those the sidecar names.
  static Result<bool> verify(const std::filesystem::path& payload);
  /// One digest over several files: SHA-256 over, for each file in order of base name, `<hex> <base name>\n`.
  /// Does not depend on the order given or on the folders. Two files with one base name:
  /// InvalidArgumentError.
  static Result<Sha256> aggregate_hash(const std::vector<std::filesystem::path>& files);
};

}  // namespace skua
