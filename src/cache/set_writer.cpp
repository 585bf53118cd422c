#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>

#include "cache/build_record.h"
#include "cache/publish.h"
#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/set_signature.h"
#include "cache/sidecar_file.h"
#include "cache/staged_copy.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua {
namespace {

Error refused(Reason reason, const std::string& text) {
  return make_error(ErrorCode::kEngineBuild, reason, text);
}

Error damaged(Reason reason, const std::string& where, const Sha256& expected, const Sha256& found) {
  return make_error(ErrorCode::kEngineHashMismatch, reason,
                    where + ": expected SHA-256 " + expected.hex() + ", found " + found.hex() +
                        "; the cache entry is damaged: compile the engine again");
}

/// A digest the source must have, and how its absence is called.
struct Demand {
  Sha256 sha256;
  Reason mismatch;
};

Error over() {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "this flight set was committed or given up; begin a new one");
}

/// Errors of the file system are build errors here; refusals keep their class.
Error as_set_error(const Error& cause, const std::string& doing) {
  return cause.code == ErrorCode::kIo ? as_build_error(cause, doing) : cause;
}

}  // namespace

struct SetWriter::Impl {
  WriterLock& sets;
  std::string staging;  ///< empty once the folder was renamed or given up
  std::unique_ptr<Folder> folder, golden;
  std::vector<ManifestFile> files;
  std::set<std::string> engines;

  explicit Impl(WriterLock& lock) : sets(lock) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { give_up(); }

  void give_up() noexcept;
  Status open();
  Status add(Folder& cache, const EngineRecord& record);
  Status add_text(const std::string& name, const std::string& text);
  Status add_copy(Folder& cache, const std::string& name, Folder& into, std::uint64_t size_bytes,
                  std::initializer_list<Demand> demands);
  Status check_new(const EngineRecord& record) const;
  Status check_complete(const Manifest& manifest, std::uint64_t limit_bytes) const;
  Result<Manifest> commit(Manifest manifest, std::uint64_t limit_bytes, const PrivateKey* key);
  Status publish(const Manifest& manifest, const PrivateKey* key);
  Result<Manifest> adopt(const Manifest& manifest, std::uint64_t limit_bytes, const PrivateKey* key);
  Result<std::string> write_current(const std::string& set_id);
};

void SetWriter::Impl::give_up() noexcept {
  if (!staging.empty()) sets.discard(staging);
  staging.clear();
}

Status SetWriter::Impl::open() {
  SKUA_ASSIGN_OR_RETURN(staging, sets.make_staging());
  SKUA_ASSIGN_OR_RETURN(folder, sets.folder().open_folder(staging));
  SKUA_RETURN_IF_ERROR(folder->make_folder(kGoldenFolder));
  SKUA_ASSIGN_OR_RETURN(golden, folder->open_folder(kGoldenFolder));
  return {};
}

Status SetWriter::Impl::add_text(const std::string& name, const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  SKUA_RETURN_IF_ERROR(write_new(*folder, name, bytes));
  files.push_back({name, bytes.size(), sha256_of(bytes)});
  return {};
}

/// Reads the source once: what was hashed is what was copied.
Status SetWriter::Impl::add_copy(Folder& cache, const std::string& name, Folder& into,
                                 std::uint64_t size_bytes, std::initializer_list<Demand> demands) {
  const bool is_golden = &into == golden.get();
  const std::string where = file_text(cache, name);
  SKUA_ASSIGN_OR_RETURN(const auto source,
                        open_safe(cache, name, is_golden ? Reason::kGoldenMissing : Reason::kEngineMissing));
  SKUA_ASSIGN_OR_RETURN(const CopiedFile copied, copy_new(*source, into, name));
  for (const Demand& demand : demands) {
    if (copied.sha256 != demand.sha256) return damaged(demand.mismatch, where, demand.sha256, copied.sha256);
  }
  if (copied.size_bytes != size_bytes) {
    return refused(Reason::kFileSizeMismatch, where + ": expected " + std::to_string(size_bytes) +
                                                  " bytes, found " + std::to_string(copied.size_bytes) +
                                                  "; compile the engine again");
  }
  files.push_back({is_golden ? std::string(kGoldenFolder) + "/" + name : name, size_bytes, copied.sha256});
  return {};
}

Status SetWriter::Impl::check_new(const EngineRecord& record) const {
  if (!record.proven) {
    return refused(Reason::kEngineUnproven,
                   "engine " + record.file +
                       ": expected one that was loaded where it was built, found one compiled "
                       "with --unproven; compile it again on the target");
  }
  if (engines.count(record.file) == 0) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "engine " + record.file + " is in this set already; add each engine once");
}

Status SetWriter::Impl::add(Folder& cache, const EngineRecord& record) {
  SKUA_RETURN_IF_ERROR(check_new(record));
  SKUA_ASSIGN_OR_RETURN(const Sha256 sidecar, read_sidecar(cache, record.file));
  SKUA_RETURN_IF_ERROR(add_copy(
      cache, record.file, *folder, record.size_bytes,
      {{sidecar, Reason::kSidecarHashMismatch}, {record.engine_sha256, Reason::kManifestHashMismatch}}));
  SKUA_RETURN_IF_ERROR(add_copy(cache, record.golden.file, *golden, record.golden.size_bytes,
                                {{record.golden.sha256, Reason::kGoldenHashMismatch}}));
  SKUA_RETURN_IF_ERROR(add_text(build_record_name(record.file), encode_build_record(record)));
  SKUA_RETURN_IF_ERROR(add_text(sidecar_name(record.file), record.engine_sha256.hex()));
  engines.insert(record.file);
  return {};
}

/// What the gates would refuse is never published.
Status SetWriter::Impl::check_complete(const Manifest& manifest, std::uint64_t limit_bytes) const {
  if (const std::uint64_t total = total_bytes(files); total > limit_bytes) {
    return refused(Reason::kSetTooLarge, "flight set " + manifest.set_id + ": expected at most " +
                                             std::to_string(limit_bytes) + " bytes, found " +
                                             std::to_string(total) +
                                             "; raise flight_set_limit_bytes or provision fewer networks");
  }
  const Result<Manifest> decoded = decode_manifest(encode_manifest(manifest));
  const bool is_complete = decoded.ok() && manifest.artifacts.size() == engines.size();
  if (is_complete) return {};
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
      "flight set " + quote(manifest.set_id, 200) + ": " +
          (decoded.ok() ? "expected one artifact for each engine that was added, found " +
                              std::to_string(manifest.artifacts.size()) + " for " +
                              std::to_string(engines.size()) + "; name every engine in the manifest"
                        : decoded.error().message));
}

Result<Manifest> SetWriter::Impl::commit(Manifest manifest, std::uint64_t limit_bytes,
                                         const PrivateKey* key) {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::sort(manifest.artifacts.begin(), manifest.artifacts.end(), [](const auto& a, const auto& b) {
    return std::tie(a.criticality, a.name) < std::tie(b.criticality, b.name);
  });
  manifest.files = files;
  SKUA_RETURN_IF_ERROR(check_complete(manifest, limit_bytes));
  // Written before the set can be seen: a full disk is found while nothing has changed yet.
  SKUA_ASSIGN_OR_RETURN(std::string current_name, write_current(manifest.set_id));
  TemporaryFile current(sets.folder(), std::move(current_name));
  const Result<FileInfo> there = sets.folder().info(manifest.set_id);
  if (!there.ok() && there.error().reason != Reason::kNotFound) return Error(there.error());
  if (there.ok()) {
    SKUA_ASSIGN_OR_RETURN(manifest, adopt(manifest, limit_bytes, key));
  } else {
    SKUA_RETURN_IF_ERROR(publish(manifest, key));
  }
  // CURRENT may name the set only once its folder is sure to be found under that name.
  SKUA_RETURN_IF_ERROR(sets.folder().sync());
  SKUA_RETURN_IF_ERROR(sets.folder().rename(current.name(), kCurrentName));
  current.release();
  SKUA_RETURN_IF_ERROR(sets.folder().sync());
  return manifest;
}

Status SetWriter::Impl::publish(const Manifest& manifest, const PrivateKey* key) {
  const std::string text = encode_manifest(manifest);
  const auto bytes = std::as_bytes(std::span(text));
  SKUA_RETURN_IF_ERROR(write_new(*folder, kManifestName, bytes));
  if (key != nullptr) {
    SKUA_ASSIGN_OR_RETURN(const std::string signature, sign_manifest(*key, manifest, sha256_of(bytes)));
    SKUA_RETURN_IF_ERROR(write_new(*folder, kSignatureName, std::as_bytes(std::span(signature))));
  }
  SKUA_RETURN_IF_ERROR(golden->sync());
  SKUA_RETURN_IF_ERROR(folder->sync());
  SKUA_RETURN_IF_ERROR(sets.folder().rename(staging, manifest.set_id));
  staging.clear();
  return {};
}

/// Nobody knows then what is on the disk. What is no file or folder but something else is known.
bool is_of_the_system(const Error& error) noexcept {
  return error.native_code != 0 && error.native_code != ENOTDIR && error.reason != Reason::kNotRegularFile;
}

/// A writer that was stopped between the set's rename and CURRENT left a complete set that nobody flies. When
/// this commit is the same set it is taken over, once every byte of it was verified; any other set under that
/// id is final.
/// With a key it must carry that key's signature, or none, and is then signed.
Result<Manifest> SetWriter::Impl::adopt(const Manifest& manifest, std::uint64_t limit_bytes,
                                        const PrivateKey* key) {
  const std::string& id = manifest.set_id;
  const Error exists =
      make_error(ErrorCode::kInvalidArgument, Reason::kExists,
                 "set " + file_text(sets.folder(), id) +
                     " exists already with other content, and a published set is never changed; "
                     "choose another set id");
  Result<std::unique_ptr<Folder>> there = sets.folder().open_folder(id);
  if (!there.ok()) return is_of_the_system(there.error()) ? there.error() : exists;
  Result<AdmittedSet> found = admit_whole(*std::move(there), id, limit_bytes);
  if (!found.ok() && is_of_the_system(found.error())) return found.error();
  const bool is_same = found.ok() && found->manifest.release_sequence == manifest.release_sequence &&
                       found->manifest.not_after == manifest.not_after &&
                       content_digest(found->manifest) == content_digest(manifest);
  if (!is_same) return exists;
  const Status whole = verify_all_files(*found);
  if (!whole.ok()) return is_of_the_system(whole.error()) ? whole.error() : exists;
  if (key != nullptr) SKUA_RETURN_IF_ERROR(add_signature(sets, *found, *key));
  // Whoever made it may have been stopped before all of it was on the disk.
  SKUA_RETURN_IF_ERROR(sync_tree(*found->folder));
  return std::move(found->manifest);
}

/// The next CURRENT, under a temporary name.
Result<std::string> SetWriter::Impl::write_current(const std::string& set_id) {
  const std::string content = set_id + "\n";
  SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kTemporaryPrefix));
  SKUA_RETURN_IF_ERROR(write_new(sets.folder(), name, std::as_bytes(std::span(content))));
  return name;
}

SetWriter::SetWriter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
SetWriter::SetWriter(SetWriter&&) noexcept = default;
SetWriter::~SetWriter() = default;

Result<SetWriter> SetWriter::begin(WriterLock& sets) {
  auto impl = std::make_unique<Impl>(sets);
  if (const Status opened = impl->open(); !opened.ok()) {
    return as_set_error(opened.error(), "cannot begin a flight set in " + sets.folder().path().string());
  }
  return SetWriter(std::move(impl));
}

Status SetWriter::add_engine(Folder& cache, const EngineRecord& record) {
  if (impl_->staging.empty()) return over();
  const Status added = impl_->add(cache, record);
  if (added.ok()) return {};
  // Half of an engine may be in the folder: it must not be committed.
  impl_->give_up();
  return as_set_error(added.error(), "cannot add engine " + record.file + " to the flight set");
}

Result<Manifest> SetWriter::commit(Manifest manifest, std::uint64_t limit_bytes, const PrivateKey* key) {
  if (impl_->staging.empty()) return over();
  const std::string doing = "cannot publish flight set " + quote(manifest.set_id, 200);
  Result<Manifest> committed = impl_->commit(std::move(manifest), limit_bytes, key);
  impl_->give_up();
  if (committed.ok()) return committed;
  return as_set_error(committed.error(), doing);
}

}  // namespace skua
