// An engine cache, flight sets and a state folder below one folder, made by the real publisher and signed
// with a key of this process; and the whole gate over the set that flies.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "cache/publish.h"
#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "cache/set_judge.h"
#include "cache/set_signature.h"
#include "cache/staged_copy.h"
#include "temp_folder.h"
#include "tests/unit/inference/fake_cache.h"

namespace skua::test {

namespace fs = std::filesystem;

inline constexpr std::uint64_t kSetLimit = std::uint64_t{1} << 30U;

/// Where files cost no disk, if there is such a place; else, or where TMPDIR says so, with all temporary
/// ones.
inline fs::path memory_folder() {
  const bool is_told = std::getenv("TMPDIR") != nullptr;
  return !is_told && access("/dev/shm", W_OK | X_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path();
}

inline const PrivateKey& signing_key() {
  static const PrivateKey key = PrivateKey::generate().value();
  return key;
}
inline const PublicKey& trusted_key() {
  static const PublicKey key = signing_key().public_key().value();
  return key;
}

inline GatePolicy flight_policy() {
  GatePolicy policy;
  policy.trusted_keys = {trusted_key()};
  policy.expiry = ExpiryRule::kNotJudged;
  return policy;
}

/// The folders below `root`. A value; owns nothing.
struct World {
  fs::path root;
  fs::path cache() const { return root / "cache"; }
  fs::path sets() const { return root / "sets"; }
  fs::path state() const { return root / "state"; }
};

inline std::string set_id_of(std::uint64_t number) { return "set-" + std::to_string(number); }

/// Empty folders and one engine of `size` bytes in the cache.
inline EngineRecord make_world(const World& world, std::size_t size = 4096) {
  for (const fs::path& folder : {world.cache(), world.sets(), world.state()}) fs::create_directories(folder);
  return publish_fake(world.cache(), fake_record("alpha"), size);
}

inline Manifest draft_of(const EngineRecord& record, std::uint64_t number) {
  Manifest manifest;
  manifest.set_id = set_id_of(number);
  manifest.release_sequence = number;
  manifest.created = "2026-01-01T00:00:00Z";
  manifest.runtime_label = "fake";
  manifest.host = fake_host();
  manifest.builder = std::string(build_id());
  manifest.artifacts = {{record.model, 0, record, {}}};
  return manifest;
}

/// Publishes set `number` of that one engine, signed unless `key` is nullptr.
inline Result<Manifest> publish_number(FileSystem& files, const World& world, const EngineRecord& record,
                                       std::uint64_t number, const PrivateKey* key = &signing_key()) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, world.sets()));
  SKUA_ASSIGN_OR_RETURN(SetWriter writer, SetWriter::begin(lock));
  SKUA_ASSIGN_OR_RETURN(const auto cache, files.open_folder(world.cache()));
  SKUA_RETURN_IF_ERROR(writer.add_engine(*cache, record));
  return writer.commit(draft_of(record, number), kSetLimit, key);
}

/// Every file of an admitted set by its whole gate, on this thread alone.
inline Status judge_whole(const AdmittedSet& set) {
  const JudgePlan plan{fake_host(), [](const EngineRecord&) { return false; }, 1};
  for (const FileVerdict& verdict : judge_files(set, plan)) SKUA_RETURN_IF_ERROR(verdict.status);
  return {};
}

/// The number of the set that CURRENT names, once it has passed the whole gate with all hashes.
inline Result<std::uint64_t> flying(FileSystem& files, const World& world,
                                    const GatePolicy& policy = flight_policy()) {
  SKUA_ASSIGN_OR_RETURN(const fs::path folder, current_set(files, world.sets()));
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit_set(files, folder, policy));
  SKUA_RETURN_IF_ERROR(judge_whole(set));
  return set.manifest.release_sequence;
}

/// What a killed writer left, wherever it lies.
inline std::vector<std::string> leftovers(const fs::path& root) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (is_leftover(entry.path().filename().string())) found.push_back(entry.path().string());
  }
  return found;
}

/// A world to start from again and again: copied, not made anew.
class WorldTemplate {
 public:
  /// Sets 1 to `sets`, of which the last one flies.
  explicit WorldTemplate(const fs::path& parent, std::uint64_t sets = 1)
      : temp_(parent), record_(make_world(origin())) {
    for (std::uint64_t number = 1; number <= sets; ++number) {
      publish_number(posix_file_system(), origin(), record_, number).value();
    }
  }
  World origin() const { return {temp_.path() / "origin"}; }
  const EngineRecord& record() const { return record_; }
  /// The copy, in the state of the template; the copy before it is gone.
  World fresh() const {
    const World world{temp_.path() / "copy"};
    fs::remove_all(world.root);
    fs::copy(origin().root, world.root, fs::copy_options::recursive);
    return world;
  }

 private:
  TempFolder temp_;
  EngineRecord record_;
};

}  // namespace skua::test
