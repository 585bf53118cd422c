#include "cache/engine_gate.h"

#include <algorithm>
#include <array>

#include "cache/plan_header.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "core/trace.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

constexpr std::array<std::string_view, 8> kStages = {"name",         "tuple",       "sidecar", "file",
                                                     "sidecar_hash", "record_hash", "facts",   "plan_header"};

/// What one reading of the engine file gave.
struct EngineBytes {
  Buffer buffer;  ///< the hashed bytes, where they are handed on
  std::uint64_t size_bytes = 0;
  Sha256 digest;
  std::array<std::byte, kPlanHeaderBytes> head{};  ///< the first of the hashed bytes
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

/// The one reading: exactly the bytes that are handed on are the bytes that were hashed. A file of another
/// size than recorded is refused at stage 4 or 5 whatever it holds, so it is hashed in passing and never
/// given memory.
Status read_into_memory(ReadFile& file, const EngineExpectation& expected, BufferPool& pool, Reading reading,
                        EngineBytes& engine) {
  const Span span(SpanKind::kReadAndHash);
  const bool is_wanted = expected.record.has_value() && expected.record->size_bytes == engine.size_bytes &&
                         engine.size_bytes > 0;
  if (!is_wanted) {
    SKUA_ASSIGN_OR_RETURN(engine.digest, hash_file(file));
    return {};
  }
  SKUA_ASSIGN_OR_RETURN(engine.buffer, pool.take(static_cast<std::size_t>(engine.size_bytes)));
  SKUA_ASSIGN_OR_RETURN(engine.digest, read_and_hash(file, engine.buffer.bytes(), reading));
  const auto bytes = engine.buffer.bytes();
  std::copy_n(bytes.begin(), std::min(bytes.size(), engine.head.size()), engine.head.begin());
  return {};
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
  const std::size_t there =
      static_cast<std::size_t>(std::min<std::uint64_t>(engine.size_bytes, kPlanHeaderBytes));
  return check_plan_header(std::span(engine.head).first(there), expected.host, "engine " + where);
}

// All stages, from top to bottom; their order is a contract (engine_gate.h). `read` is the one reading: it
// fills in digest, head and, where it keeps them, the bytes.
template <typename Read>
Result<EngineBytes> pass_stages(Folder& folder, const EngineExpectation& expected, Read read) {
  const std::string where = file_text(folder, expected.file);
  SKUA_ASSIGN_OR_RETURN(const EngineFilenameSchema name, EngineFilenameSchema::parse(expected.file));
  SKUA_RETURN_IF_ERROR(check_tuple(name, expected));
  SKUA_ASSIGN_OR_RETURN(const Sha256 sidecar, read_sidecar(folder, expected.file));
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(folder, expected.file, Reason::kEngineMissing));
  const Result<FileInfo> info = file->info();
  if (!info.ok()) return as_load_error(info.error(), where);
  EngineBytes engine;
  engine.size_bytes = info->size;
  if (const Status done = read(*file, engine); !done.ok()) {
    return done.error().code == ErrorCode::kIo ? as_load_error(done.error(), where) : Error(done.error());
  }
  SKUA_RETURN_IF_ERROR(check_sidecar_hash(sidecar, engine, where));
  SKUA_RETURN_IF_ERROR(check_record_hash(expected, engine, where));
  SKUA_RETURN_IF_ERROR(check_facts(expected, engine, where));
  SKUA_RETURN_IF_ERROR(check_plan(name, expected, engine, where));
  return engine;
}

}  // namespace

std::vector<std::string_view> engine_gate_stages() { return {kStages.begin(), kStages.end()}; }

Result<VerifiedEngine> EngineGate::admit(Folder& folder, const EngineExpectation& expected, BufferPool& pool,
                                         Reading reading) {
  Span span(SpanKind::kEngineGate, {expected.record ? expected.record->model : expected.file});
  const auto read = [&](ReadFile& file, EngineBytes& engine) {
    return read_into_memory(file, expected, pool, reading, engine);
  };
  SKUA_ASSIGN_OR_RETURN(EngineBytes engine, pass_stages(folder, expected, read));
  return VerifiedEngine(std::move(engine.buffer), *expected.record, pool);
}

Status EngineGate::judge(Folder& folder, const EngineExpectation& expected, std::span<std::byte> piece) {
  const auto read = [&](ReadFile& file, EngineBytes& engine) -> Status {
    SKUA_ASSIGN_OR_RETURN(engine.digest, hash_file(file, piece, engine.head));
    return {};
  };
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const EngineBytes engine, pass_stages(folder, expected, read));
  return {};
}

}  // namespace skua
