#include "cache/engine_verify.h"

#include "cache/build_record.h"
#include "cache/safe_file.h"

namespace skua {
namespace {

/// `gate`, which answers with a Result, under the record on disk.
template <typename Gate>
auto with_record(Folder& cache, EngineExpectation expected, Gate gate) -> decltype(gate(expected)) {
  Result<EngineRecord> record = read_build_record(cache, expected.file);
  expected.record.reset();
  if (record.ok()) expected.record = *record;
  auto answer = gate(expected);
  const bool is_for_want_of_record =
      !answer.ok() && !record.ok() && answer.error().reason == Reason::kManifestEntryMissing;
  if (is_for_want_of_record) return std::move(record).error();
  return answer;
}

}  // namespace

Result<EngineRecord> read_build_record(Folder& folder, std::string_view engine_file) {
  const std::string name = build_record_name(engine_file);
  const std::string where = file_text(folder, name);
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(folder, name, Reason::kBuildRecordMissing));
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_at_most(*file, kBuildRecordMaxBytes + 1, where));
  Result<EngineRecord> record = decode_build_record(text);
  if (record.ok()) return record;
  return make_error(record.error().code, record.error().reason, where + ": " + record.error().message);
}

Result<VerifiedEngine> admit_cached(Folder& cache, EngineExpectation expected, BufferPool& pool) {
  return with_record(cache, std::move(expected),
                     [&](const EngineExpectation& e) { return EngineGate::admit(cache, e, pool); });
}

Status judge_cached(Folder& cache, EngineExpectation expected, std::span<std::byte> piece) {
  return with_record(cache, std::move(expected),
                     [&](const EngineExpectation& e) { return EngineGate::judge(cache, e, piece); });
}

}  // namespace skua
