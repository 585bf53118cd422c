#include "cache/collect_sets.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <tuple>

#include "cache/publish.h"
#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "cache/staged_copy.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

/// What proves that a set, as it was read, will never pass, whatever key, policy or release it is judged by.
/// All other refusals may be cured: a signature or a manifest of a form that is not known here may be
/// a newer one.
constexpr std::array kDamaged = {
    Reason::kSignatureInvalid,  Reason::kManifestNotSigned, Reason::kStatementFilesMismatch,
    Reason::kListedFileMissing, Reason::kFileSizeMismatch,  Reason::kListedFileHashMismatch,
};

bool is_damaged(const Error& error) noexcept {
  return std::find(kDamaged.begin(), kDamaged.end(), error.reason) != kDamaged.end();
}

/// A set, and when it was made, which decides between sets of one sequence.
struct Candidate {
  CollectedSet set;
  std::string created;
};

class Survey {
 public:
  Survey(FileSystem& files, const fs::path& sets_dir, const CollectOptions& options, const Clock& clock)
      : files_(files), sets_dir_(sets_dir), options_(options), clock_(clock), policy_(options.policy) {
    // Where there is no key, no set is signed (check_keys), and being whole is all that can be asked.
    if (policy_.trusted_keys.empty()) policy_.allow_unsigned = true;
  }
  Result<CollectReport> run();

 private:
  Result<std::vector<std::string>> set_names();
  Status check_key(Folder& set) const;
  Result<Candidate> judge(const std::string& id);
  Result<Candidate> judge_current();
  Status judge_other(const std::string& id);
  SetFate fate_of(const Error& refusal) const noexcept;
  CollectReport report(Candidate current);

  FileSystem& files_;
  const fs::path& sets_dir_;
  const CollectOptions& options_;
  const Clock& clock_;
  GatePolicy policy_;
  std::vector<Candidate> whole_;
  std::vector<CollectedSet> others_;
};

/// Without a key a signature cannot be judged, and the set that carries it must not go.
Status Survey::check_key(Folder& set) const {
  if (!policy_.trusted_keys.empty()) return {};
  if (const auto there = set.info(kSignatureName); !there.ok()) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kNoTrustedKey,
                    "set " + set.path().string() +
                        " is signed: expected a public key to judge it by, found none, and nothing was "
                        "removed; give --trust PUBLIC_KEY");
}

/// Folders that are called like sets and hold a manifest, in the order of their names.
Result<std::vector<std::string>> Survey::set_names() {
  SKUA_ASSIGN_OR_RETURN(const auto sets, files_.open_folder(sets_dir_));
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, sets->list());
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const auto info = sets->info(name);
    if (!is_legal_set_id(name) || !info.ok() || info->kind != FileKind::kFolder) continue;
    const auto set = sets->open_folder(name);
    if (set.ok() && !(*set)->info(kManifestName).ok()) continue;
    if (set.ok()) SKUA_RETURN_IF_ERROR(check_key(**set));
    found.push_back(name);
  }
  return found;
}

Result<Candidate> Survey::judge(const std::string& id) {
  options_.on_judging(id);
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_set(files_, sets_dir_ / id, policy_, clock_));
  SKUA_RETURN_IF_ERROR(verify_all_files(set));
  const Manifest& manifest = set.manifest;
  return Candidate{{id, SetFate::kKept, manifest.release_sequence, total_bytes(manifest.files), ""},
                   manifest.created};
}

/// While the set that flies is in doubt, the others are what there is to fall back on.
Result<Candidate> Survey::judge_current() {
  SKUA_ASSIGN_OR_RETURN(const fs::path current, current_set(files_, sets_dir_));
  auto judged = judge(current.filename().string());
  if (judged.ok()) {
    judged->set.fate = SetFate::kCurrent;
    return judged;
  }
  const Error& cause = judged.error();
  return make_error(cause.code, cause.reason,
                    "nothing was removed, because the set that CURRENT names does not pass: " + cause.message,
                    cause.native_code);
}

SetFate Survey::fate_of(const Error& refusal) const noexcept {
  if (!is_damaged(refusal)) return SetFate::kNotJudged;
  return options_.removes_damaged ? SetFate::kRemoved : SetFate::kDamaged;
}

Status Survey::judge_other(const std::string& id) {
  auto judged = judge(id);
  if (judged.ok()) {
    whole_.push_back(*std::move(judged));
    return {};
  }
  if (judged.error().code == ErrorCode::kOutOfMemory) return judged.error();
  others_.push_back({id, fate_of(judged.error()), 0, 0, judged.error().describe()});
  return {};
}

CollectReport Survey::report(Candidate current) {
  std::sort(whole_.begin(), whole_.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.set.release_sequence, a.created, a.set.id) >
           std::tie(b.set.release_sequence, b.created, b.set.id);
  });
  CollectReport report = {std::move(current.set)};
  for (std::size_t i = 0; i < whole_.size(); ++i) {
    report.push_back(std::move(whole_[i].set));
    if (i < options_.keep) continue;
    report.back().fate = SetFate::kRemoved;
    report.back().why = "older than the " + std::to_string(options_.keep) + " that are kept";
  }
  std::move(others_.begin(), others_.end(), std::back_inserter(report));
  return report;
}

Result<CollectReport> Survey::run() {
  const Result<std::vector<std::string>> names = set_names();
  if (!names.ok() && names.error().code == ErrorCode::kInvalidArgument) return names.error();
  if (!names.ok()) return as_build_error(names.error(), "cannot collect in " + sets_dir_.string());
  SKUA_ASSIGN_OR_RETURN(Candidate current, judge_current());
  for (const std::string& name : *names) {
    if (name != current.set.id) SKUA_RETURN_IF_ERROR(judge_other(name));
  }
  return report(std::move(current));
}

/// Sets that go, under their new names, each with its lock. An error on the way leaves none of them behind
/// where that can be had.
class DoomedSets {
 public:
  DoomedSets(Folder& sets, std::size_t most) : sets_(sets) { doomed_.reserve(most); }
  DoomedSets(const DoomedSets&) = delete;
  DoomedSets& operator=(const DoomedSets&) = delete;
  ~DoomedSets();
  Status add(CollectedSet& set);
  Status remove();

 private:
  struct Doomed {
    std::string name;
    std::unique_ptr<Folder> folder;
  };
  Folder& sets_;
  std::vector<Doomed> doomed_;
  bool has_failed_ = false;
};

DoomedSets::~DoomedSets() {
  if (doomed_.empty() || has_failed_) return;
  // The error that brought us here is the one to report; a leftover is removed by the next writer.
  try {
    static_cast<void>(remove());
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as above
  }
}

Status DoomedSets::add(CollectedSet& set) {
  SKUA_ASSIGN_OR_RETURN(std::unique_ptr<Folder> folder, sets_.open_folder(set.id));
  if (const Status locked = folder->lock(); !locked.ok()) {
    if (locked.error().reason != Reason::kFolderBusy) return locked;
    set.fate = SetFate::kInUse;
    set.why = "a reader holds it; collect again when that has ended";
    return {};
  }
  SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kStagingPrefix));
  SKUA_RETURN_IF_ERROR(sets_.rename(set.id, name));
  doomed_.push_back({std::move(name), std::move(folder)});
  return {};
}

Status DoomedSets::remove() {
  // Or a power cut could leave half a set under its old name. A sync that failed is never tried again.
  const Status synced = sets_.sync();
  has_failed_ = !synced.ok();
  if (has_failed_) return synced;
  while (!doomed_.empty()) {
    SKUA_RETURN_IF_ERROR(remove_tree(sets_, doomed_.back().name));
    doomed_.pop_back();
  }
  return {};
}

Status remove_doomed(Folder& sets, CollectReport& report) {
  std::vector<std::string> staying;
  for (const CollectedSet& set : report) {
    if (set.fate == SetFate::kCurrent || set.fate == SetFate::kKept) staying.push_back(set.id);
  }
  SKUA_RETURN_IF_ERROR(settle_sets(sets, staying));
  DoomedSets doomed(sets, report.size());
  for (CollectedSet& set : report) {
    if (set.fate == SetFate::kRemoved) SKUA_RETURN_IF_ERROR(doomed.add(set));
  }
  return doomed.remove();
}

}  // namespace

std::string_view to_string(SetFate fate) noexcept {
  constexpr std::array<std::string_view, 6> kNames = {"current",    "kept",    "in_use",
                                                      "not_judged", "damaged", "removed"};
  return kNames[static_cast<std::size_t>(fate)];
}

Result<CollectReport> collect_sets(FileSystem& files, const fs::path& sets_dir, const CollectOptions& options,
                                   const Clock& clock) {
  if (options.dry_run) return Survey(files, sets_dir, options, clock).run();
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, sets_dir));
  SKUA_ASSIGN_OR_RETURN(CollectReport report, Survey(files, sets_dir, options, clock).run());
  const bool has_doomed = std::any_of(report.begin(), report.end(),
                                      [](const CollectedSet& set) { return set.fate == SetFate::kRemoved; });
  if (!has_doomed) return report;
  const Status removed = remove_doomed(lock.folder(), report);
  if (removed.ok()) return report;
  return make_error(refusal_class(removed.error(), ErrorCode::kEngineBuild), removed.error().reason,
                    "cannot collect in " + sets_dir.string() + ": " + removed.error().message +
                        "; the set that CURRENT names is unchanged: repair this and collect again",
                    removed.error().native_code);
}

}  // namespace skua
