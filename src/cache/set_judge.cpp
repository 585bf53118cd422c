#include "cache/set_judge.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "cache/engine_gate.h"
#include "cache/set_files.h"
#include "core/buffer.h"
#include "core/parallel.h"

namespace skua {
namespace {

constexpr std::size_t kMostWorkers = 4;
constexpr std::uint64_t kWorkerWorthwhile = std::uint64_t{8} << 20U;  // below, starting it costs more
constexpr std::string_view kEngineKind = "engine";

/// The largest file first, so that no worker begins one when the others are done.
std::vector<std::size_t> largest_first(const std::vector<ManifestFile>& files) {
  std::vector<std::size_t> order(files.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return files[a].size_bytes > files[b].size_bytes; });
  return order;
}

std::map<std::string_view, const EngineRecord*> engines_of(const Manifest& manifest) {
  std::map<std::string_view, const EngineRecord*> engines;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    engines.emplace(artifact.engine.file, &artifact.engine);
  }
  return engines;
}

/// `record`: of the engine that `file` is; nullptr for any other file. A manifest that was decoded lists its
/// engines under the digests of their records (manifest_check.h), so the gate's word is enough.
FileVerdict judge_one(Folder& folder, const ManifestFile& file, const EngineRecord* record,
                      const JudgePlan& plan, Buffer& piece) {
  FileVerdict verdict{file.name, std::string(record != nullptr ? kEngineKind : "file"), file.size_bytes, {}};
  if (piece.bytes().empty()) {
    auto made = Buffer::allocate(kHashPieceBytes);
    if (!made.ok()) {
      verdict.status = std::move(made).error();
      return verdict;
    }
    piece = *std::move(made);
  }
  if (record == nullptr) {
    verdict.status = judge_listed_file(folder, file, piece.bytes());
    return verdict;
  }
  const EngineExpectation expected{file.name, *record, record->precision, plan.host, plan.uses_gpu(*record)};
  verdict.status = EngineGate::judge(folder, expected, piece.bytes());
  return verdict;
}

}  // namespace

std::size_t default_judge_workers(std::uint64_t set_bytes) noexcept {
  const auto worthwhile = std::clamp<std::uint64_t>(set_bytes / kWorkerWorthwhile, 1, kMostWorkers);
  return std::min(usable_cores(), static_cast<std::size_t>(worthwhile));
}

std::vector<FileVerdict> judge_files(const AdmittedSet& set, const JudgePlan& plan) {
  const std::vector<ManifestFile>& files = set.manifest.files;
  const auto engines = engines_of(set.manifest);
  const std::vector<std::size_t> order = largest_first(files);
  std::vector<FileVerdict> verdicts(files.size());
  std::vector<Buffer> pieces(std::max<std::size_t>(plan.workers, 1));
  for_each_index(files.size(), pieces.size(), [&](std::size_t worker, std::size_t index) {
    const std::size_t at = order[index];
    const auto engine = engines.find(files[at].name);
    const EngineRecord* const record = engine == engines.end() ? nullptr : engine->second;
    verdicts[at] = judge_one(*set.folder, files[at], record, plan, pieces[worker]);
  });
  std::stable_partition(verdicts.begin(), verdicts.end(),
                        [](const FileVerdict& verdict) { return verdict.kind == kEngineKind; });
  return verdicts;
}

}  // namespace skua
