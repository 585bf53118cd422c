// One engine in a folder with what it is judged against, and the faults that each stage of the engine gate
// refuses.
#pragma once

#include <string>
#include <vector>

#include "cache/engine_gate.h"
#include "cache_fixture.h"

namespace skua::test {

struct GateCase {
  TempFolder temp;
  EngineExpectation expected;

  GateCase() {
    const EngineRecord record = plan_record();
    expected = {record.file, record, Precision::kFp16, orin(), true};
    put_engine(plan_bytes());
  }
  /// The file, its sidecar and its record agree.
  void put_engine(const std::string& bytes) {
    temp.write(plan_record().file, bytes);
    put_sidecar(digest_of(bytes).hex());
    expected.record->engine_sha256 = digest_of(bytes);
    expected.record->size_bytes = bytes.size();
  }
  void put_sidecar(const std::string& content) { temp.write(sidecar_name(plan_record().file), content); }
  fs::path engine() const { return temp.path() / plan_record().file; }
  std::unique_ptr<Folder> folder() const { return posix_file_system().open_folder(temp.path()).value(); }
  Result<VerifiedEngine> admit() const {
    BufferPool pool(1);
    auto open = folder();
    return EngineGate::admit(*open, expected, pool);
  }
};

/// A fault of one stage. Faults are applied from the last stage to the first, since a later one may write the
/// file anew.
struct GateFault {
  std::string name;
  int stage;  ///< position in the contract; faults of one stage exclude each other
  ErrorCode code;
  Reason reason;
  void (*spoil)(GateCase&);
};

inline std::vector<GateFault> gate_faults() {
  using enum ErrorCode;
  return {
      {"name", 1, kEngineSchemaMismatch, Reason::kEngineNameMalformed,
       [](GateCase& c) { c.expected.file = "net.engine"; }},
      {"sm", 2, kEngineSchemaMismatch, Reason::kHostMismatch, [](GateCase& c) { c.expected.host.sm = 86; }},
      {"jetpack", 2, kEngineSchemaMismatch, Reason::kHostMismatch,
       [](GateCase& c) { c.expected.host.jetpack = "6.1"; }},
      {"tensorrt", 2, kEngineSchemaMismatch, Reason::kHostMismatch,
       [](GateCase& c) { c.expected.host.tensorrt = "10.4"; }},
      {"precision", 3, kEngineSchemaMismatch, Reason::kPrecisionMismatch,
       [](GateCase& c) { c.expected.precision = Precision::kInt8; }},
      {"sidecar missing", 4, kEngineSidecarMissing, Reason::kSidecarMissing,
       [](GateCase& c) { fs::remove(sidecar_name(c.engine().string())); }},
      {"sidecar malformed", 4, kEngineDeserialize, Reason::kSidecarMalformed,
       [](GateCase& c) { c.put_sidecar(digest_of(plan_bytes()).hex() + "\n"); }},
      {"engine missing", 5, kEngineDeserialize, Reason::kEngineMissing,
       [](GateCase& c) { fs::remove(c.engine()); }},
      {"folder", 5, kEngineDeserialize, Reason::kNotRegularFile,
       [](GateCase& c) { fs::remove(c.engine()), fs::create_directory(c.engine()); }},
      {"link", 5, kEngineDeserialize, Reason::kNotRegularFile,
       [](GateCase& c) {
         c.temp.write("elsewhere", plan_bytes());
         fs::remove(c.engine());
         fs::create_symlink("elsewhere", c.engine());
       }},
      {"mode", 5, kEngineDeserialize, Reason::kFileMode,
       [](GateCase& c) { fs::permissions(c.engine(), fs::perms::group_write, fs::perm_options::add); }},
      {"second name", 5, kEngineDeserialize, Reason::kFileLinks,
       [](GateCase& c) { fs::create_hard_link(c.engine(), c.temp.path() / "second"); }},
      {"sidecar hash", 6, kEngineHashMismatch, Reason::kSidecarHashMismatch,
       [](GateCase& c) { c.put_sidecar(digest_of("other").hex()); }},
      {"no record", 7, kEngineHashMismatch, Reason::kManifestEntryMissing,
       [](GateCase& c) { c.expected.record.reset(); }},
      {"record of another file", 7, kEngineHashMismatch, Reason::kManifestEntryMissing,
       [](GateCase& c) { c.expected.record->file = plan_record("other").file; }},
      {"record hash", 7, kEngineHashMismatch, Reason::kManifestHashMismatch,
       [](GateCase& c) { c.expected.record->engine_sha256 = digest_of("other"); }},
      {"size", 8, kEngineDeserialize, Reason::kFileSizeMismatch,
       [](GateCase& c) { ++c.expected.record->size_bytes; }},
      {"unproven", 9, kEngineDeserialize, Reason::kEngineUnproven,
       [](GateCase& c) { c.expected.record->proven = false; }},
      {"module", 10, kEngineDeserialize, Reason::kHostFactMismatch,
       [](GateCase& c) { c.expected.record->host.module_name = "Orin NX"; }},
      {"recorded tuple", 10, kEngineDeserialize, Reason::kHostFactMismatch,
       [](GateCase& c) { c.expected.record->host.sm = 86; }},
      {"plan header", 11, kEngineDeserialize, Reason::kPlanHeaderMismatch,
       [](GateCase& c) { c.put_engine("v" + plan_bytes().substr(1)); }},
  };
}

}  // namespace skua::test
