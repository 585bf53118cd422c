#include "bootstrap/verify_set.h"

#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "inference/engine_folder.h"

namespace skua {

Status SetVerdict::overall() const {
  for (const FileVerdict& verdict : files) {
    if (!verdict.status.ok()) return verdict.status;
  }
  return {};
}

namespace {

SetVerdict judge(AdmittedSet admitted, const HostTuple& host, const Clock& clock, std::size_t workers) {
  SetVerdict verdict;
  verdict.is_unsigned = admitted.is_unsigned;
  verdict.is_expired = admitted.is_expired;
  verdict.signer = admitted.signer;
  verdict.bytes_hashed = total_bytes(admitted.manifest.files);
  verdict.workers = workers > 0 ? workers : default_judge_workers(verdict.bytes_hashed);
  const std::int64_t start_ns = clock.monotonic_ns();
  verdict.files = judge_files(admitted, {host, &uses_gpu, verdict.workers});
  verdict.elapsed_ns = clock.monotonic_ns() - start_ns;
  verdict.manifest = std::move(admitted.manifest);
  return verdict;
}

}  // namespace

Result<SetVerdict> verify_set(FileSystem& files, const std::filesystem::path& set_dir,
                              const GatePolicy& policy, const HostTuple& host, const Clock& clock,
                              std::size_t workers) {
  SKUA_ASSIGN_OR_RETURN(AdmittedSet admitted, admit_set(files, set_dir, policy, clock));
  return judge(std::move(admitted), host, clock, workers);
}

Result<AdmittedSet> verify_whole_set(FileSystem& files, const std::filesystem::path& set_dir,
                                     std::uint64_t limit_bytes) {
  SKUA_ASSIGN_OR_RETURN(auto folder, files.open_folder(set_dir));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet admitted,
                        admit_whole(std::move(folder), set_dir.filename().string(), limit_bytes));
  const std::size_t workers = default_judge_workers(total_bytes(admitted.manifest.files));
  for (const FileVerdict& verdict : judge_files(admitted, {admitted.manifest.host, &uses_gpu, workers})) {
    SKUA_RETURN_IF_ERROR(verdict.status);
  }
  return admitted;
}

}  // namespace skua
