#include "calibration/data_set.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "cache/safe_file.h"
#include "cache/staged_copy.h"
#include "cache/utf8.h"
#include "calibration/sample_check.h"
#include "core/buffer.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::size_t kMaxFiles = 1'000'000;
constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::string_view kDigestHead = "skua-data-set 1\n";
constexpr std::array<std::string_view, 3> kImageEndings = {".png", ".jpg", ".jpeg"};
constexpr std::string_view kNpzEnding = ".npz";

Error unreadable(const Error& cause, const std::string& where) {
  return make_error(
      refusal_class(cause, ErrorCode::kEngineBuild), cause.reason,
      "data set, " + where + " cannot be read: " + cause.message + "; repair this and run the command again",
      cause.native_code);
}

std::string kind_text(FileKind kind) {
  return kind == FileKind::kLink ? "a link, which is never followed" : "a device, a socket or a FIFO";
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Nothing for a file that is no sample.
std::optional<SampleKind> kind_of(const std::string& name) {
  const std::string ending = lower(name);
  if (ending.ends_with(kNpzEnding)) return SampleKind::kNpz;
  for (const std::string_view image : kImageEndings) {
    if (ending.ends_with(image)) return SampleKind::kImage;
  }
  return std::nullopt;
}

/// Collects the names of all files, and refuses what is none.
class Listing {
 public:
  Status enter(Folder& folder, const std::string& prefix, std::size_t depth) {
    const auto names = folder.list();
    if (!names.ok()) return unreadable(names.error(), prefix.empty() ? "the folder" : prefix);
    for (const std::string& name : *names) SKUA_RETURN_IF_ERROR(add(folder, prefix, name, depth));
    return {};
  }
  std::vector<std::string> take() && {
    std::sort(names_.begin(), names_.end());
    return std::move(names_);
  }

 private:
  Status add(Folder& folder, const std::string& prefix, const std::string& name, std::size_t depth) {
    const std::string path = prefix + name;
    if (path.size() > kMaxPathBytes || !is_printable_utf8(path)) {
      return malformed(quote(path), "a name of at most 1024 bytes of printable UTF-8", "another");
    }
    const auto info = folder.info(name);
    if (!info.ok()) return unreadable(info.error(), path);
    if (info->kind == FileKind::kFolder) return enter_below(folder, path, name, depth + 1);
    if (info->kind != FileKind::kRegular) return malformed(path, "a regular file", kind_text(info->kind));
    if (names_.size() == kMaxFiles) {
      return malformed("the folder", "at most " + std::to_string(kMaxFiles) + " files", "more");
    }
    names_.push_back(path);
    return {};
  }
  Status enter_below(Folder& folder, const std::string& path, const std::string& name, std::size_t depth) {
    if (depth > kMaxDepth) return malformed(path, "at most 8 folders within each other", "more");
    const auto below = folder.open_folder(name);
    if (!below.ok()) return unreadable(below.error(), path);
    return enter(**below, path + "/", depth);
  }

  std::vector<std::string> names_;
};

Result<std::vector<std::string>> names_below(Folder& folder) {
  Listing listing;
  SKUA_RETURN_IF_ERROR(listing.enter(folder, "", 0));
  return std::move(listing).take();
}

/// Walks down one component after the other; a link on the way is not followed.
Result<std::unique_ptr<ReadFile>> open_below(Folder& folder, std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return folder.open_read(name);
  SKUA_ASSIGN_OR_RETURN(const auto below, folder.open_folder(name.substr(0, slash)));
  return open_below(*below, name.substr(slash + 1));
}

bool is_same_state(const FileInfo& a, const FileInfo& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified_ns == b.modified_ns &&
         a.changed_ns == b.changed_ns;
}

Error changed(const std::string& name) {
  return make_error(
      ErrorCode::kEngineBuild, Reason::kDataSetChanged,
      "data set, " + name +
          ": expected what was there when reading began, found something else; let nobody write "
          "to the data set and run the command again");
}

Result<DataSetFile> hash_one(Folder& folder, const std::string& name, std::span<std::byte> piece) {
  const auto file = open_below(folder, name);
  if (!file.ok() && file.error().reason == Reason::kNotFound) return changed(name);
  if (!file.ok()) return unreadable(file.error(), name);
  const auto before = (*file)->info();
  if (!before.ok()) return unreadable(before.error(), name);
  if (before->kind != FileKind::kRegular) return malformed(name, "a regular file", kind_text(before->kind));
  if (before->size == 0) return malformed(name, "a sample", "an empty file");
  const auto digest = hash_file(**file, piece);
  if (!digest.ok()) return unreadable(digest.error(), name);
  const auto after = (*file)->info();
  if (!after.ok()) return unreadable(after.error(), name);
  if (!is_same_state(*before, *after)) return changed(name);
  return DataSetFile{name, before->size, *digest};
}

/// Hashes every file; of several failures the first by name is told.
class Hashing {
 public:
  Hashing(Folder& folder, const std::vector<std::string>& names, const DataSetOptions& options)
      : folder_(folder), names_(names), options_(options), files_(names.size()) {}

  Result<std::vector<DataSetFile>> run() {
    const std::size_t workers = options_.workers > 0 ? options_.workers : usable_cores();
    for (std::size_t i = 0; i < workers; ++i) {
      SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
      pieces_.push_back(std::move(piece));
    }
    for_each_index(names_.size(), workers, [this](std::size_t worker, std::size_t i) { step(worker, i); });
    if (failure_) return std::move(*failure_);
    return std::move(files_);
  }

 private:
  void step(std::size_t worker, std::size_t i) {
    {
      const std::lock_guard lock(mutex_);
      if (failure_ && failed_at_ < i) return;
    }
    auto file = options_.cancel_requested()
                    ? Result<DataSetFile>(make_error(ErrorCode::kEngineBuild, Reason::kCancelled,
                                                     "the operator cancelled while the data set was read"))
                    : hash_one(folder_, names_[i], pieces_[worker].bytes());
    const std::lock_guard lock(mutex_);
    if (file.ok()) {
      files_[i] = *std::move(file);
      if (options_.on_progress) options_.on_progress(++done_, names_.size());
    } else if (!failure_ || i < failed_at_) {
      failure_ = std::move(file).error();
      failed_at_ = i;
    }
  }

  Folder& folder_;
  const std::vector<std::string>& names_;
  const DataSetOptions& options_;
  std::vector<DataSetFile> files_;
  std::vector<Buffer> pieces_;
  std::mutex mutex_;
  std::optional<Error> failure_;
  std::size_t failed_at_ = 0, done_ = 0;
};

/// The samples' one kind. Everything is looked at before anything is read.
Result<SampleKind> common_kind(const std::vector<std::string>& names) {
  std::optional<SampleKind> common;
  bool has_preprocess = false;
  for (const std::string& name : names) {
    if (name == kPreprocessName) {
      has_preprocess = true;
      continue;
    }
    const auto kind = kind_of(name);
    if (!kind) return malformed(name, "a .npz, .png, .jpg or .jpeg file, or preprocess.yaml", "another file");
    if (common && *common != *kind) return malformed(name, "samples of one kind", "images beside .npz files");
    common = kind;
  }
  if (!common)
    return malformed("the folder", "at least one .npz, .png, .jpg or .jpeg file", "none",
                     "put samples there");
  if (*common == SampleKind::kImage && !has_preprocess) {
    return malformed(std::string(kPreprocessName), "how an image becomes an input", "no such file",
                     "write one beside the images");
  }
  if (*common == SampleKind::kNpz && has_preprocess) {
    return malformed(std::string(kPreprocessName), "no such file beside .npz samples", "one", "take it out");
  }
  return *common;
}

/// The text of sha256sum over all files in the order of their names, behind a line that says what it is.
Sha256 digest_of(const std::vector<DataSetFile>& files) {
  Sha256Hasher hasher;
  hasher.update(std::as_bytes(std::span(kDigestHead)));
  for (const DataSetFile& file : files) {
    const std::string line = file.sha256.hex() + "  " + file.name + "\n";
    hasher.update(std::as_bytes(std::span(line)));
  }
  return hasher.finish();
}

}  // namespace

Result<DataSet> read_data_set(Folder& folder, const DataSetOptions& options) {
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, names_below(folder));
  DataSet set;
  SKUA_ASSIGN_OR_RETURN(set.kind, common_kind(names));
  SKUA_ASSIGN_OR_RETURN(std::vector<DataSetFile> files, Hashing(folder, names, options).run());
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names_now, names_below(folder));
  if (names_now != names) return changed("the folder");
  set.digest = digest_of(files);
  for (DataSetFile& file : files) {
    set.size_bytes += file.size_bytes;
    (file.name == kPreprocessName ? set.others : set.samples).push_back(std::move(file));
  }
  return set;
}

Result<DataSet> read_data_set_at(FileSystem& files, const std::filesystem::path& path,
                                 const DataSetOptions& options) {
  const auto folder = files.open_folder(path);
  if (!folder.ok()) return as_build_error(folder.error(), "cannot read data set " + path.string());
  return read_data_set(**folder, options);
}

Result<std::vector<std::byte>> read_data_file(Folder& folder, const DataSetFile& listed) {
  const auto file = open_below(folder, listed.name);
  if (!file.ok() && file.error().reason == Reason::kNotFound) return changed(listed.name);
  if (!file.ok()) return unreadable(file.error(), listed.name);
  const auto info = (*file)->info();
  if (!info.ok()) return unreadable(info.error(), listed.name);
  if (info->kind != FileKind::kRegular || info->size != listed.size_bytes) return changed(listed.name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(listed.size_bytes));
  const auto digest = read_and_hash(**file, bytes);
  if (!digest.ok() && digest.error().reason == Reason::kFileSizeMismatch) return changed(listed.name);
  if (!digest.ok()) return unreadable(digest.error(), listed.name);
  if (*digest != listed.sha256) return changed(listed.name);
  return bytes;
}

}  // namespace skua::calibration
