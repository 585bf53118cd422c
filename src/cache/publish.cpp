#include "cache/publish.h"

#include <algorithm>
#include <array>

#include "cache/build_record.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "cache/staged_copy.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

Status remove_leftovers(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder.list());
  for (const std::string& name : names) {
    if (is_leftover(name)) SKUA_RETURN_IF_ERROR(remove_tree(folder, name));
  }
  return {};
}

Result<std::string> staged_text(Folder& folder, const std::string& text) {
  SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kTemporaryPrefix));
  SKUA_RETURN_IF_ERROR(write_new(folder, name, std::as_bytes(std::span(text))));
  return name;
}

struct StagedFile {
  std::string name;
  CopiedFile facts;
};

/// A build process may have written the file in any way and may still hold it open: what is published is a
/// copy, whose bytes are hashed as they are written.
Result<StagedFile> staged_copy(Folder& staging, const std::string& file, Folder& cache) {
  StagedFile staged;
  SKUA_ASSIGN_OR_RETURN(const auto source, staging.open_read(file));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, source->info());
  if (info.kind != FileKind::kRegular) {
    return make_error(
        ErrorCode::kIo, Reason::kNotRegularFile,
        file_text(staging, file) + ": expected a regular file from the build, found another kind");
  }
  SKUA_ASSIGN_OR_RETURN(staged.name, random_name(kTemporaryPrefix));
  SKUA_ASSIGN_OR_RETURN(staged.facts, copy_new(*source, cache, staged.name));
  return staged;
}

/// One file of an entry, complete under a temporary name in the cache.
struct EntryFile {
  EntryFile(Folder& folder, std::string temporary_name, std::string final_name)
      : temporary(folder, std::move(temporary_name)), name(std::move(final_name)) {}
  TemporaryFile temporary;
  std::string name;
};

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
  if (removed.ok()) SKUA_RETURN_IF_ERROR(cache.sync());
  for (EntryFile* const file : in_order) {
    // The sidecar makes the entry valid: all that it stands for must be on the disk before.
    if (file == in_order.back()) SKUA_RETURN_IF_ERROR(cache.sync());
    SKUA_RETURN_IF_ERROR(move_in(cache, *file));
  }
  return cache.sync();
}

Result<EngineRecord> publish_staged(Folder& cache, Folder& staging, EngineRecord record) {
  SKUA_ASSIGN_OR_RETURN(StagedFile golden, staged_copy(staging, record.golden.file, cache));
  EntryFile golden_file(cache, golden.name, record.golden.file);
  SKUA_ASSIGN_OR_RETURN(StagedFile engine, staged_copy(staging, record.file, cache));
  EntryFile engine_file(cache, engine.name, record.file);
  record.engine_sha256 = engine.facts.sha256;
  record.size_bytes = engine.facts.size_bytes;
  record.golden.sha256 = golden.facts.sha256;
  record.golden.size_bytes = golden.facts.size_bytes;

  // What the gate would refuse is never published.
  const std::string text = encode_build_record(record);
  if (const auto check = decode_build_record(text); !check.ok()) return Error(check.error());
  SKUA_ASSIGN_OR_RETURN(std::string record_text, staged_text(cache, text));
  EntryFile record_file(cache, std::move(record_text), build_record_name(record.file));
  SKUA_ASSIGN_OR_RETURN(std::string sidecar_text, staged_text(cache, record.engine_sha256.hex()));
  EntryFile sidecar_file(cache, std::move(sidecar_text), sidecar_name(record.file));
  const std::array<EntryFile*, 4> in_order = {&golden_file, &engine_file, &record_file, &sidecar_file};
  SKUA_RETURN_IF_ERROR(replace_entry(cache, record.file, in_order));
  return record;
}

}  // namespace

Status publish_file(Folder& folder, std::string_view name, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(std::string temporary_name, random_name(kTemporaryPrefix));
  SKUA_RETURN_IF_ERROR(write_new(folder, temporary_name, bytes));
  TemporaryFile temporary(folder, std::move(temporary_name));
  SKUA_RETURN_IF_ERROR(folder.rename(temporary.name(), name));
  temporary.release();
  return folder.sync();
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
  static_cast<void>(remove_tree(*folder_, staging));
}

Result<EngineRecord> publish_engine(WriterLock& cache, const std::string& staging, EngineRecord record) {
  SKUA_RETURN_IF_ERROR(EngineFilenameSchema::parse(record.file));
  if (record.golden.file.empty()) record.golden.file = record.file + ".golden";
  const std::string doing = "cannot publish engine " + file_text(cache.folder(), record.file);
  Result<std::unique_ptr<Folder>> folder = cache.folder().open_folder(staging);
  if (!folder.ok()) {
    cache.discard(staging);
    return as_build_error(folder.error(), doing);
  }
  Result<EngineRecord> published = publish_staged(cache.folder(), **folder, std::move(record));
  cache.discard(staging);
  if (!published.ok()) return as_build_error(published.error(), doing);
  return published;
}

}  // namespace skua
