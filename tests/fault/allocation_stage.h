// What every entry point of src/cache is called with, and the list of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/digest_cache.h"
#include "cache/dsse_bundle.h"
#include "cache/engine_gate.h"
#include "cache/json_fields.h"
#include "operations.h"

namespace skua::test {

/// A clock long after every file was written.
class LateClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return 0; }
  std::int64_t utc_us() const noexcept override { return std::int64_t{4102444800} * 1'000'000; }
};

/// A world with set 1, signed, and set 2, unsigned, which flies; and everything that is read from it.
struct Stage {
  explicit Stage(const World& place, const EngineRecord& engine);

  std::unique_ptr<Folder> open(const fs::path& folder) const {
    return posix_file_system().open_folder(folder).value();
  }
  fs::path set() const { return world.sets() / set_id_of(1); }
  /// Member by member: where a later member has no memory, GCC 11 loses those that an aggregate has by then
  /// (GCC bug 66139), which would count as a leak of the entry's.
  EngineExpectation expectation() const {
    EngineExpectation expected;
    expected.file = record.file;
    expected.record = record;
    expected.precision = record.precision;
    expected.host = fake_host();
    return expected;
  }
  std::vector<fs::path> files_of_set() const {
    std::vector<fs::path> files;
    files.push_back(set() / record.file);
    files.push_back(set() / kManifestName);
    return files;
  }

  World world;
  EngineRecord record;
  std::string record_text, manifest_text, bundle_text, statement_text, public_pem, private_pem;
  Manifest manifest;
  Sha256 manifest_sha256;
  SetStatement statement;
  DsseBundle bundle;
  GoldenVectors golden;
  std::vector<std::byte> golden_bytes, engine_bytes, piece;
  Json record_json;
  LateClock clock;
  std::unique_ptr<Folder> cache_folder, set_folder;
  std::optional<AdmittedSet> admitted, unsigned_set;
  std::string staging;  ///< with an engine and its golden file, as a build leaves them; the lock is free
};

inline Status as_status(Status status) { return status; }
template <typename T>
Status as_status(const Result<T>& result) {
  if (result.ok()) return {};
  return result.error();
}
/// What answers with something else can fail by an exception only.
template <typename T>
Status as_status(const T&) {
  return {};
}

struct CacheEntry {
  std::string_view name;  ///< "header: function", as tests/python/cache_entries.py finds it
  bool writes;            ///< needs a stage of its own for each call
  Status (*call)(Stage&);
};

/// Every function of the headers of src/cache, and of the public ones that it implements, that can fail.
std::vector<CacheEntry> cache_entries();

}  // namespace skua::test
