// What the power can go off in the middle of: the scenarios of crash_states_test.cpp, each as logs of a disk,
// a judge of what is on it then, and a next writer who must be able to go on from there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cache/collect_sets.h"
#include "cache/engine_verify.h"
#include "cache/set_signature.h"
#include "cache/staged_copy.h"
#include "cache_fixture.h"
#include "crash_filesystem.h"
#include "fault_filesystem.h"

namespace skua::test {

inline const fs::path kSets = "/sets";
inline const fs::path kCache = "/cache";
inline constexpr std::uint64_t kSetLimit = 1U << 20U;

/// Something a program does. It may end in an error where it was preceded by a killed program.
using CrashAct = std::function<Status(FileSystem&)>;

struct CrashScenario {
  std::string name;
  std::string family;  ///< the code whose syncs it is about
  std::vector<CrashLog> logs;
  CrashJudge judge;                                           ///< by the real gates
  std::function<std::string(MemoryFileSystem&)> next_writer;  ///< works on, then judges; empty: all is well
};

inline const EngineRecord& crash_record() {
  static const EngineRecord record = plan_record("net");
  return record;
}

/// Larger than one block, so that it can be torn.
inline std::string crash_plan(std::size_t size) { return plan_bytes(size); }

/// Another one for every engine, so that a mixture is seen. The build process writes without syncing.
inline Status crash_publish_engine(FileSystem& files, const std::string& engine) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, kCache));
  SKUA_ASSIGN_OR_RETURN(const std::string staging, lock.make_staging());
  SKUA_ASSIGN_OR_RETURN(const auto folder, lock.folder().open_folder(staging));
  const std::string golden = golden_bytes(static_cast<float>(engine.size()));
  for (const auto& [name, bytes] :
       {std::pair(crash_record().file, engine), std::pair(crash_record().golden.file, golden)}) {
    SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(name));
    SKUA_RETURN_IF_ERROR(file->write(bytes_of(bytes)));
  }
  const auto published = publish_engine(lock, staging, crash_record());
  return published.ok() ? Status() : Status(published.error());
}

inline Status crash_publish_set(FileSystem& files, std::uint64_t number, const PrivateKey* key = nullptr) {
  SKUA_ASSIGN_OR_RETURN(const auto cache, files.open_folder(kCache));
  SKUA_ASSIGN_OR_RETURN(const EngineRecord record, read_build_record(*cache, crash_record().file));
  Manifest draft = draft_of({record}, "set-" + std::to_string(number));
  draft.release_sequence = number;
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, kSets));
  SKUA_ASSIGN_OR_RETURN(SetWriter writer, SetWriter::begin(lock));
  SKUA_RETURN_IF_ERROR(writer.add_engine(*cache, record));
  const auto committed = writer.commit(draft, kSetLimit, key);
  return committed.ok() ? Status() : Status(committed.error());
}

/// What provisioning the same once more does: nothing but making sure, where CURRENT names the set already.
inline Status crash_publish_again(FileSystem& files, std::uint64_t number, const PrivateKey* key = nullptr) {
  const std::string id = "set-" + std::to_string(number);
  const auto current = current_set(files, kSets);
  if (!current.ok() || current->filename() != id) return crash_publish_set(files, number, key);
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, kSets));
  return settle_sets(lock.folder(), std::span(&id, 1));
}

inline Status crash_sign(FileSystem& files, std::uint64_t number, const PrivateKey& key) {
  const std::string id = "set-" + std::to_string(number);
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, kSets));
  SKUA_ASSIGN_OR_RETURN(auto folder, lock.folder().open_folder(id));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_whole(std::move(folder), id, kSetLimit));
  SKUA_RETURN_IF_ERROR(verify_all_files(set));
  return add_signature(lock, set, key);
}

inline Status crash_collect(FileSystem& files, const GatePolicy& policy, std::size_t keep) {
  CollectOptions options;
  options.policy = policy;
  options.keep = keep;
  const auto report = collect_sets(files, kSets, options);
  return report.ok() ? Status() : Status(report.error());
}

inline GatePolicy key_policy(const PrivateKey& key) {
  GatePolicy policy;
  policy.trusted_keys = {key.public_key().value()};
  return policy;
}

/// The sets that were published, each by its bytes but for the signature.
using KnownSets = std::map<std::string, Sha256>;

inline KnownSets known_sets(const MemoryTree& tree) {
  KnownSets known;
  for (int i = 1; i <= 4; ++i) {
    const std::string id = "set-" + std::to_string(i);
    const auto digest = tree.digest_below((kSets / id).string(), std::string(kSignatureName));
    if (digest) known.emplace(id, *digest);
  }
  return known;
}

inline bool is_exactly(const MemoryTree& tree, const KnownSets& known, const std::string& id) {
  const auto digest = tree.digest_below((kSets / id).string(), std::string(kSignatureName));
  return digest && known.count(id) != 0 && known.at(id) == *digest;
}

/// Nothing that is called like a set is half of one.
inline std::string judge_visible(MemoryFileSystem& disk, const KnownSets& known) {
  for (const std::string& name : disk.open_folder(kSets).value()->list().value()) {
    if (is_leftover(name) || name == kCurrentName) continue;
    if (!is_exactly(disk.tree(), known, name)) return name + " is not what was published under that name";
  }
  return "";
}

/// What flies: the set that CURRENT names, through the gate and hashed; "" where the gates refuse.
struct Flying {
  std::string id, refusal;
};
inline Flying flying(FileSystem& files, const GatePolicy& policy) {
  const auto current = current_set(files, kSets);
  if (!current.ok()) return {"", current.error().describe()};
  auto set = admit_set(files, *current, policy);
  if (!set.ok()) return {"", set.error().describe()};
  const Status whole = verify_all_files(*set);
  return whole.ok() ? Flying{set->manifest.set_id, ""} : Flying{"", whole.error().describe()};
}

/// One of `allowed` flies and is exactly what was published; "" among them: it may be that none does.
inline std::string judge_flying(MemoryFileSystem& disk, const GatePolicy& policy, const KnownSets& known,
                                const std::set<std::string>& allowed) {
  const Flying found = flying(disk, policy);
  if (allowed.count(found.id) == 0) return "flies '" + found.id + "', not as allowed; " + found.refusal;
  if (!found.id.empty() && !is_exactly(disk.tree(), known, found.id)) return "a bad set is accepted";
  return "";
}

inline std::string judge_no_leftovers(MemoryFileSystem& disk, const fs::path& folder) {
  for (const std::string& name : disk.open_folder(folder).value()->list().value()) {
    if (is_leftover(name)) return name + " was left behind";
  }
  return "";
}

inline std::string text_of(const Status& status) { return status.ok() ? "" : status.error().describe(); }

inline std::string first_of(std::initializer_list<std::string> verdicts) {
  for (const std::string& verdict : verdicts) {
    if (!verdict.empty()) return verdict;
  }
  return "";
}

}  // namespace skua::test
