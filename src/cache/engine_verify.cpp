#include "cache/engine_verify.h"

#include "cache/build_record.h"
#include "cache/safe_file.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

bool has_engine_extension(std::string_view name) noexcept {
  return name.ends_with(".engine") || name.ends_with(".onnx") || name.ends_with(".pt");
}

EngineVerdict verdict_of(Result<VerifiedEngine> admitted, std::string file, BufferPool& pool) {
  EngineVerdict verdict;
  verdict.file = std::move(file);
  if (!admitted.ok()) {
    verdict.status = std::move(admitted).error();
    return verdict;
  }
  verdict.size_bytes = admitted->bytes().size();
  pool.give_back(admitted->release_buffer());
  return verdict;
}

template <typename Admit>
EngineVerdict timed(const Clock& clock, const std::string& file, BufferPool& pool, Admit admit) {
  const std::int64_t start_ns = clock.monotonic_ns();
  EngineVerdict verdict = verdict_of(admit(), file, pool);
  verdict.elapsed_ns = clock.monotonic_ns() - start_ns;
  return verdict;
}

/// A cache has no manifest: an entry is held to the precision that its name states.
EngineExpectation cache_expectation(std::string file, const HostTuple& host) {
  EngineExpectation expected;
  const Result<EngineFilenameSchema> name = EngineFilenameSchema::parse(file);
  if (name.ok()) expected.precision = name->precision;
  expected.file = std::move(file);
  expected.host = host;
  return expected;
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
  Result<EngineRecord> record = read_build_record(cache, expected.file);
  expected.record.reset();
  if (record.ok()) expected.record = *record;
  Result<VerifiedEngine> admitted = EngineGate::admit(cache, expected, pool);
  const bool is_for_want_of_record =
      !admitted.ok() && !record.ok() && admitted.error().reason == Reason::kManifestEntryMissing;
  if (is_for_want_of_record) return std::move(record).error();
  return admitted;
}

std::vector<EngineExpectation> expectations_of(const Manifest& manifest, const HostTuple& host,
                                               const UsesGpu& uses_gpu) {
  std::vector<EngineExpectation> expectations;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const EngineRecord& engine = artifact.engine;
    expectations.push_back({engine.file, engine, engine.precision, host, uses_gpu(engine)});
  }
  return expectations;
}

std::vector<EngineVerdict> judge_engines(Folder& folder, const std::vector<EngineExpectation>& expectations,
                                         BufferPool& pool, const Clock& clock) {
  std::vector<EngineVerdict> verdicts;
  for (const EngineExpectation& expected : expectations) {
    verdicts.push_back(
        timed(clock, expected.file, pool, [&] { return EngineGate::admit(folder, expected, pool); }));
  }
  return verdicts;
}

Result<std::vector<EngineVerdict>> judge_cache(Folder& cache, const HostTuple& host, const UsesGpu& uses_gpu,
                                               BufferPool& pool, const Clock& clock) {
  const Result<std::vector<std::string>> names = cache.list();
  if (!names.ok()) return as_load_error(names.error(), cache.path().string());
  std::vector<EngineVerdict> verdicts;
  for (const std::string& name : *names) {
    if (!has_engine_extension(name)) continue;
    EngineExpectation expected = cache_expectation(name, host);
    if (const Result<EngineRecord> record = read_build_record(cache, name); record.ok()) {
      expected.uses_gpu = uses_gpu(*record);
    }
    verdicts.push_back(timed(clock, name, pool, [&] { return admit_cached(cache, expected, pool); }));
  }
  return verdicts;
}

}  // namespace skua
