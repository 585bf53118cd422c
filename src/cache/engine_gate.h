// The engine gate: the ordered checks between an engine file and a deserialiser. The order is a contract of
// the flight stack: of several faults, the stage that comes first decides. The gate writes nothing.
//
// clang-format off
//   1 name parses            EngineSchemaMismatchError  engine_name_malformed
//   2 tuple, precision       EngineSchemaMismatchError  host_mismatch, precision_mismatch
//   3 sidecar exists         EngineSidecarMissingError  sidecar_missing (malformed: EngineDeserializeError)
//   - safe file, one read    EngineDeserializeError     engine_missing, not_regular_file, file_owner, file_mode, ...
//   4 sidecar hash           EngineHashMismatchError    sidecar_hash_mismatch (stage sidecar)
//   5 manifest/record hash   EngineHashMismatchError    manifest_hash_mismatch, manifest_entry_missing (stage manifest)
//   6 size, proven, facts    EngineDeserializeError     file_size_mismatch, engine_unproven, host_fact_mismatch
//   7 plan header (.engine)  EngineDeserializeError     plan_header_mismatch
// clang-format on
// Memory budget, deserialising, contract and golden vector follow in the runtime's base (src/inference).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cache/engine_record.h"
#include "cache/verified_engine.h"
#include "core/buffer.h"
#include "core/filesystem.h"
#include "core/hash.h"

namespace skua {

/// What an engine is judged against.
struct EngineExpectation {
  std::string file;                        ///< engine file name inside the folder
  std::optional<EngineRecord> record;      ///< from manifest or build record; absent is refused at stage 5
  Precision precision = Precision::kFp16;  ///< of the manifest or of the entry
  HostTuple host;                          ///< this host (or, for `skua verify --host`, another)
  bool uses_gpu = false;                   ///< decides which finer facts count
};

class EngineGate {
 public:
  /// Judges one engine and hands its bytes over. Reads the file once, into memory from `pool`.
  static Result<VerifiedEngine> admit(Folder& folder, const EngineExpectation& expected, BufferPool& pool,
                                      Reading reading = Reading::kBesideHashing);

  /// Judges one engine by the same stages without keeping its bytes, for those who load nothing: the file is
  /// read once, through `piece`.
  static Status judge(Folder& folder, const EngineExpectation& expected, std::span<std::byte> piece);

 private:
  EngineGate() = delete;
};

/// Names of the stages in their order, for documentation and tests.
std::vector<std::string_view> engine_gate_stages();

}  // namespace skua
