#include "cache/publish.h"

#include <algorithm>
#include <array>

#include "cache/build_record.h"
#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/sidecar_file.h"
#include "cache/staged_copy.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

Status remove_leftovers(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder.list());
  if (std::none_of(names.begin(), names.end(), is_leftover)) return {};
  // One may be a set that a collector was killed over: what is in it goes only once its old name is gone for
  // good, or a power cut would leave half a set under that name.
  SKUA_RETURN_IF_ERROR(folder.sync());
  for (const std::string& name : names) {
    if (is_leftover(name)) SKUA_RETURN_IF_ERROR(remove_tree(folder, name));
  }
  return {};
}

/// One file of an entry, complete under a temporary name in the cache once it was written.
struct EntryFile {
  EntryFile(Folder& folder, std::string temporary_name, std::string final_name)
      : temporary(folder, std::move(temporary_name)), name(std::move(final_name)) {}
  TemporaryFile temporary;
  std::string name;
};

/// A build process may have written the file in any way and may still hold it open: what is published is a
/// copy, whose bytes are hashed as they are written.
Result<CopiedFile> copy_staged(Folder& staging, const std::string& file, Folder& cache,
                               const EntryFile& into) {
  SKUA_ASSIGN_OR_RETURN(const auto source, staging.open_read(file));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, source->info());
  if (info.kind != FileKind::kRegular) {
    return make_error(
        ErrorCode::kIo, Reason::kNotRegularFile,
        file_text(staging, file) + ": expected a regular file from the build, found another kind");
  }
  return copy_new(*source, cache, into.temporary.name());
}

Status write_staged(const std::string& text, Folder& cache, const EntryFile& into) {
  return write_new(cache, into.temporary.name(), std::as_bytes(std::span(text)));
}

Status move_in(Folder& cache, EntryFile& file) {
  SKUA_RETURN_IF_ERROR(cache.rename(file.temporary.name(), file.name));
  file.temporary.release();
  return {};
}

/// From here on the cache changes. The old sidecar goes first, and durably: without one the gate refuses the
/// entry, so no mixture of old and new files can pass, whenever the power goes.
Status replace_entry(Folder& cache, const std::string& engine, std::span<EntryFile* const> in_order) {
  const Status removed = cache.remove(sidecar_name(engine));
  if (!removed.ok() && removed.error().reason != Reason::kNotFound) return removed;
  // Also where it is gone already: a writer that was killed over it may not have come to this.
  SKUA_RETURN_IF_ERROR(cache.sync());
  for (EntryFile* const file : in_order) {
    // The sidecar makes the entry valid: all that it stands for must be on the disk before.
    if (file == in_order.back()) SKUA_RETURN_IF_ERROR(cache.sync());
    SKUA_RETURN_IF_ERROR(move_in(cache, *file));
  }
  return cache.sync();
}

Result<EngineRecord> publish_staged(Folder& cache, Folder& staging, EngineRecord record) {
  // Each temporary is known before it is there, so that none stays, whatever fails.
  SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kTemporaryPrefix));
  EntryFile golden_file(cache, name + "-golden", record.golden.file);
  EntryFile engine_file(cache, name + "-engine", record.file);
  EntryFile record_file(cache, name + "-record", build_record_name(record.file));
  EntryFile sidecar_file(cache, name + "-sidecar", sidecar_name(record.file));
  SKUA_ASSIGN_OR_RETURN(const CopiedFile golden,
                        copy_staged(staging, record.golden.file, cache, golden_file));
  SKUA_ASSIGN_OR_RETURN(const CopiedFile engine, copy_staged(staging, record.file, cache, engine_file));
  record.engine_sha256 = engine.sha256;
  record.size_bytes = engine.size_bytes;
  record.golden.sha256 = golden.sha256;
  record.golden.size_bytes = golden.size_bytes;

  // What the gate would refuse is never published.
  const std::string text = encode_build_record(record);
  if (const auto check = decode_build_record(text); !check.ok()) return Error(check.error());
  SKUA_RETURN_IF_ERROR(write_staged(text, cache, record_file));
  SKUA_RETURN_IF_ERROR(write_staged(record.engine_sha256.hex(), cache, sidecar_file));
  const std::array<EntryFile*, 4> in_order = {&golden_file, &engine_file, &record_file, &sidecar_file};
  SKUA_RETURN_IF_ERROR(replace_entry(cache, record.file, in_order));
  return record;
}

/// A staging folder that goes, however this ends.
class Discarded {
 public:
  Discarded(WriterLock& lock, const std::string& staging) noexcept : lock_(lock), staging_(staging) {}
  Discarded(const Discarded&) = delete;
  Discarded& operator=(const Discarded&) = delete;
  ~Discarded() { lock_.discard(staging_); }

 private:
  WriterLock& lock_;
  const std::string& staging_;
};

}  // namespace

Status publish_file(Folder& folder, std::string_view name, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(std::string temporary_name, random_name(kTemporaryPrefix));
  SKUA_RETURN_IF_ERROR(write_new(folder, temporary_name, bytes));
  TemporaryFile temporary(folder, std::move(temporary_name));
  SKUA_RETURN_IF_ERROR(folder.rename(temporary.name(), name));
  temporary.release();
  return folder.sync();
}

Status settle_sets(Folder& sets, std::span<const std::string> set_ids) {
  for (const std::string& id : set_ids) {
    SKUA_ASSIGN_OR_RETURN(const auto set, sets.open_folder(id));
    SKUA_RETURN_IF_ERROR(sync_tree(*set));
  }
  SKUA_RETURN_IF_ERROR(sets.sync_file(kCurrentName));
  return sets.sync();
}

Result<WriterLock> WriterLock::take(FileSystem& files, const std::filesystem::path& folder) {
  const std::string doing = "cannot write to " + folder.string();
  WriterLock lock;
  Result<std::unique_ptr<Folder>> opened = files.open_folder(folder);
  if (!opened.ok()) return as_build_error(opened.error(), doing);
  lock.folder_ = *std::move(opened);
  if (const Status locked = lock.folder_->lock(); !locked.ok()) {
    if (locked.error().reason != Reason::kFolderBusy) return as_build_error(locked.error(), doing);
    return make_error(
        ErrorCode::kEngineBuild, Reason::kFolderBusy,
        doing + ": another program is writing there; wait until it has ended, then run the command again",
        locked.error().native_code);
  }
  // Under the lock nobody else can be using them: they are what a killed writer left.
  if (const Status cleaned = remove_leftovers(*lock.folder_); !cleaned.ok()) {
    return as_build_error(cleaned.error(), doing);
  }
  return lock;
}

void clear_leftovers(FileSystem& files, const std::filesystem::path& folder) {
  const auto open = files.open_folder(folder);
  if (!open.ok()) return;
  const auto names = (*open)->list();
  const bool is_clean = names.ok() && std::none_of(names->begin(), names->end(), is_leftover);
  if (!is_clean) static_cast<void>(WriterLock::take(files, folder));
}

Result<std::string> WriterLock::make_staging() {
  const std::string doing = "cannot make a staging folder in " + folder_->path().string();
  Result<std::string> name = random_name(kStagingPrefix);
  if (!name.ok()) return as_build_error(name.error(), doing);
  if (const Status made = folder_->make_folder(*name); !made.ok()) return as_build_error(made.error(), doing);
  return name;
}

void WriterLock::discard(const std::string& staging) noexcept {
  if (!staging.starts_with(kStagingPrefix)) return;
  // A failure leaves a folder that no reader looks at and that the next writer removes.
  try {
    static_cast<void>(remove_tree(*folder_, staging));
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as above
  }
}

Result<EngineRecord> publish_engine(WriterLock& cache, const std::string& staging, EngineRecord record) {
  const Discarded discarded(cache, staging);
  SKUA_RETURN_IF_ERROR(EngineFilenameSchema::parse(record.file));
  if (record.golden.file.empty()) record.golden.file = record.file + ".golden";
  const std::string doing = "cannot publish engine " + file_text(cache.folder(), record.file);
  Result<std::unique_ptr<Folder>> folder = cache.folder().open_folder(staging);
  if (!folder.ok()) return as_build_error(folder.error(), doing);
  Result<EngineRecord> published = publish_staged(cache.folder(), **folder, std::move(record));
  if (!published.ok()) return as_build_error(published.error(), doing);
  return published;
}

}  // namespace skua
