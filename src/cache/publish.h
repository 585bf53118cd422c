// Publishing: files, cache entries and flight sets appear whole or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cache/engine_record.h"
#include "cache/manifest.h"
#include "cache/p256.h"
#include "core/filesystem.h"

namespace skua {

/// The bytes go to a temporary beside the target, which is fsynced and renamed; then the folder is fsynced.
/// On an error no temporary is left.
Status publish_file(Folder& folder, std::string_view name, std::span<const std::byte> bytes);

/// Makes sure that these sets of the folder `sets`, and its CURRENT, are on the disk, whoever brought them
/// there: a writer that was killed, or a hand that copied them, has left that open.
Status settle_sets(Folder& sets, std::span<const std::string> set_ids);

/// A writer's hold on a folder: its lock, plus the removal of staging folders that a killed writer left
/// behind. Errors: kFolderBusy and the file system's, as EngineBuildError naming the folder and the remedy.
class WriterLock {
 public:
  static Result<WriterLock> take(FileSystem& files, const std::filesystem::path& folder);
  Folder& folder() noexcept { return *folder_; }
  /// Makes `.staging-<random>` inside the folder; removed by `discard` or by the next writer.
  Result<std::string> make_staging();
  void discard(const std::string& staging) noexcept;

 private:
  std::unique_ptr<Folder> folder_;
};

/// Removes from `folder` what a killed writer left, for whoever is about to read only. Somebody who is
/// writing there now does it himself, and a folder that cannot be written keeps it: neither is an error.
void clear_leftovers(FileSystem& files, const std::filesystem::path& folder);

/// Moves a finished build (engine and golden file, already in `staging`) into the cache with its build record
/// and sidecar: golden, engine, record, sidecar, in this order, so that an interrupted publish is refused and
/// rebuilt. `record.engine_sha256`, sizes and golden digest are computed here from the staged bytes.
Result<EngineRecord> publish_engine(WriterLock& cache, const std::string& staging, EngineRecord record);

/// A flight set being made: filled in a staging folder, then renamed to its id, then CURRENT.
class SetWriter {
 public:
  static Result<SetWriter> begin(WriterLock& sets);
  SetWriter(SetWriter&&) noexcept;
  ~SetWriter();  ///< an unfinished set is discarded
  /// Verifies the engine in `cache` against its record (both hashes), then copies it with sidecar, build
  /// record and golden file. Never links.
  Status add_engine(Folder& cache, const EngineRecord& record);
  /// Writes the manifest (its `files` are filled in here), syncs all, renames the folder to
  /// `manifest.set_id`, points CURRENT at it. A set larger than `limit_bytes` is refused (set_too_large).
  /// With a key the set is signed before it appears, so that CURRENT never names one that lacks its
  /// signature.
  Result<Manifest> commit(Manifest manifest, std::uint64_t limit_bytes, const PrivateKey* key = nullptr);

 private:
  struct Impl;
  explicit SetWriter(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skua
