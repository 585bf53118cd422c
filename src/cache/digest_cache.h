// Remembers the SHA-256 of files that have not changed since, so that asking "is there anything to do?" need
// not read them again. docs/formats/digest-cache.md specifies the file. It never vouches for bytes that are
// loaded or published: those are hashed where they are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/filesystem.h"
#include "skua/ports.h"
#include "skua/sha256.h"

namespace skua {

inline constexpr std::string_view kDigestCacheName = "source.digests";

/// Not thread-safe.
class DigestCache {
 public:
  /// How much older than the moment of hashing a file's last change must be. A change within the same tick of
  /// the file system's clock would leave the same times behind.
  static constexpr std::int64_t kSettledNs = 2'000'000'000;

  /// Empty: every file is hashed when it is asked for.
  explicit DigestCache(const Clock& clock) : clock_(&clock) {}

  /// Adds what `folder` remembers. A file that is missing, damaged, not safe or of another version is as good
  /// as an empty one.
  void read(Folder& folder);

  /// The digest of a regular file; links are not followed. Hashes it unless an entry stands for it. IoError
  /// as the file system's, not_regular_file.
  Result<Sha256> digest_of(FileSystem& files, const std::filesystem::path& file);

  /// Publishes the entries into `folder` where they differ from what was read; the oldest are left out beyond
  /// a bound. Its failure costs time at the next run and nothing else.
  Status write(Folder& folder);

  std::uint64_t bytes_hashed() const noexcept { return bytes_hashed_; }

 private:
  struct Entry {
    Sha256 sha256;
    std::int64_t hashed_ns = 0;  ///< UTC, when the hashing began
  };
  const Entry* find(const FileInfo& info) const;
  Status decode(std::string_view text);
  std::string encode() const;

  const Clock* clock_;
  std::map<std::string, Entry> entries_;  ///< by the identity of the file
  bool is_changed_ = false;
  std::uint64_t bytes_hashed_ = 0;
};

}  // namespace skua
