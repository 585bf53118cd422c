#include "cache/engine_gate.h"

#include <algorithm>
#include <array>

#include "cache/plan_header.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "core/hash.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

constexpr std::array<std::string_view, 8> kStages = {"name",         "tuple",       "sidecar", "file",
                                                     "sidecar_hash", "record_hash", "facts",   "plan_header"};

/// What one reading of the engine file gave. `buffer` holds the hashed bytes, unless no record asks for that
/// many: such a file is refused at stage 4 or 5 whatever it holds, so it is hashed in passing and never given
/// memory.
struct EngineBytes {
  Buffer buffer;
  std::uint64_t size_bytes = 0;
  Sha256 digest;
};

std::string target_text(int sm, std::string_view jetpack, std::string_view tensorrt, Precision precision) {
  return "(SM " + std::to_string(sm) + ", JP " + std::string(jetpack) + ", TRT " + std::string(tensorrt) +
         ", precision " + std::string(to_string(precision)) + ")";
}

Error tuple_error(Reason reason, const EngineFilenameSchema& name, const EngineExpectation& expected) {
  const HostTuple& host = expected.host;
  return make_error(ErrorCode::kEngineSchemaMismatch, reason,
                    "engine " + expected.file + ": expected " +
                        target_text(host.sm, host.jetpack, host.tensorrt, expected.precision) + ", found " +
                        target_text(name.sm, name.jetpack, name.tensorrt, name.precision) +
                        "; compile the engine on this host with that precision");
}

/// Stage 2: the file name against this host and the recorded precision.
Status check_tuple(const EngineFilenameSchema& name, const EngineExpectation& expected) {
  if (!name.matches_host(expected.host)) return tuple_error(Reason::kHostMismatch, name, expected);
  if (name.precision != expected.precision) return tuple_error(Reason::kPrecisionMismatch, name, expected);
  return {};
}

/// The one reading: exactly the bytes that are handed on are the bytes that were hashed.
Result<EngineBytes> read_once(ReadFile& file, const EngineExpectation& expected, BufferPool& pool,
                              const std::string& where) {
  EngineBytes engine;
  Result<FileInfo> info = file.info();
  if (!info.ok()) return as_load_error(info.error(), where);
  engine.size_bytes = info->size;
  const bool is_wanted =
      expected.record.has_value() && expected.record->size_bytes == info->size && info->size > 0;
  if (is_wanted) {
    SKUA_ASSIGN_OR_RETURN(engine.buffer, pool.take(static_cast<std::size_t>(info->size)));
  }
  const Result<Sha256> digest = is_wanted ? read_and_hash(file, engine.buffer.bytes()) : hash_file(file);
  if (!digest.ok()) return as_load_error(digest.error(), where);
  engine.digest = *digest;
  return engine;
}

Error hash_error(Reason reason, const std::string& where, const std::string& stage, const Sha256& expected,
                 const Sha256& found) {
  return make_error(ErrorCode::kEngineHashMismatch, reason,
                    "engine " + where + " (stage " + stage + "): expected SHA-256 " + expected.hex() +
                        ", found " + found.hex() +
                        "; the file is damaged or was replaced: provision the set, or compile it, again");
}

/// Stage 4.
Status check_sidecar_hash(const Sha256& sidecar, const EngineBytes& engine, const std::string& where) {
  if (sidecar == engine.digest) return {};
  return hash_error(Reason::kSidecarHashMismatch, where, "sidecar", sidecar, engine.digest);
}

/// Stage 5: an absent entry is refused like a wrong one.
Status check_record_hash(const EngineExpectation& expected, const EngineBytes& engine,
                         const std::string& where) {
  if (!expected.record.has_value() || expected.record->file != expected.file) {
    const std::string found = expected.record.has_value() ? "one for " + expected.record->file : "none";
    return make_error(ErrorCode::kEngineHashMismatch, Reason::kManifestEntryMissing,
                      "engine " + where +
                          " (stage manifest): expected an entry for this file in the manifest or build "
                          "record, found " +
                          found + "; provision the set, or compile the engine, again");
  }
  if (expected.record->engine_sha256 == engine.digest) return {};
  return hash_error(Reason::kManifestHashMismatch, where, "manifest", expected.record->engine_sha256,
                    engine.digest);
}

Status check_size(const EngineRecord& record, const EngineBytes& engine, const std::string& where) {
  if (record.size_bytes == engine.size_bytes && engine.size_bytes > 0) return {};
  return make_error(ErrorCode::kEngineDeserialize, Reason::kFileSizeMismatch,
                    "engine " + where + ": expected " + std::to_string(record.size_bytes) + " bytes, found " +
                        std::to_string(engine.size_bytes) +
                        "; provision the set, or compile the engine, again");
}

Status check_host_facts(const EngineRecord& record, const EngineExpectation& expected,
                        const std::string& where) {
  std::vector<HostDifference> differences = finer_differences(record.host, expected.host, expected.uses_gpu);
  if (tuple_text(record.host) != tuple_text(expected.host)) {
    differences.insert(differences.begin(), {"host", tuple_text(record.host), tuple_text(expected.host)});
  }
  if (differences.empty()) return {};
  std::string text;
  for (const HostDifference& difference : differences) {
    text += (text.empty() ? "" : "; ") + difference.field + " expected '" + difference.expected +
            "', found '" + difference.found + "'";
  }
  return make_error(
      ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch,
      "engine " + where + " was built on another kind of host: " + text + "; compile it on this host");
}

/// Stage 6: what the file name cannot say.
Status check_facts(const EngineExpectation& expected, const EngineBytes& engine, const std::string& where) {
  const EngineRecord& record = *expected.record;
  SKUA_RETURN_IF_ERROR(check_size(record, engine, where));
  if (!record.proven) {
    return make_error(
        ErrorCode::kEngineDeserialize, Reason::kEngineUnproven,
        "engine " + where +
            ": expected an engine that was loaded and tried where it was built, found "
            "one compiled with --unproven; compile it again on the target, without that option");
  }
  return check_host_facts(record, expected, where);
}

/// Stage 7: `.engine` files are TensorRT plans; the others have no header that says anything.
Status check_plan(const EngineFilenameSchema& name, const EngineExpectation& expected,
                  const EngineBytes& engine, const std::string& where) {
  if (name.extension != "engine") return {};
  return check_plan_header(engine.buffer.bytes(), expected.host, "engine " + where);
}

}  // namespace

std::vector<std::string_view> engine_gate_stages() { return {kStages.begin(), kStages.end()}; }

// One byte's way from the disk to a VerifiedEngine, from top to bottom. The order is a contract
// (engine_gate.h).
Result<VerifiedEngine> EngineGate::admit(Folder& folder, const EngineExpectation& expected,
                                         BufferPool& pool) {
  const std::string where = file_text(folder, expected.file);
  SKUA_ASSIGN_OR_RETURN(const EngineFilenameSchema name, EngineFilenameSchema::parse(expected.file));
  SKUA_RETURN_IF_ERROR(check_tuple(name, expected));
  SKUA_ASSIGN_OR_RETURN(const Sha256 sidecar, read_sidecar(folder, expected.file));
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(folder, expected.file, Reason::kEngineMissing));
  SKUA_ASSIGN_OR_RETURN(EngineBytes engine, read_once(*file, expected, pool, where));
  SKUA_RETURN_IF_ERROR(check_sidecar_hash(sidecar, engine, where));
  SKUA_RETURN_IF_ERROR(check_record_hash(expected, engine, where));
  SKUA_RETURN_IF_ERROR(check_facts(expected, engine, where));
  SKUA_RETURN_IF_ERROR(check_plan(name, expected, engine, where));
  return VerifiedEngine(std::move(engine.buffer), *expected.record);
}

}  // namespace skua
