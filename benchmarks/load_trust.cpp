// What trust costs: the signed gate over a set beside a loop that only hashes the same files, its checks
// alone, the set cold, the first engine's verdict, and the public tool on the same folder.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "cache/engine_gate.h"
#include "cache/set_files.h"
#include "cache/set_judge.h"
#include "core/buffer.h"
#include "inference/engine_folder.h"
#include "load_evp.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kSoftwareGbPerSecond = 0.5;  // below it the processor's SHA-256 instructions were not used
constexpr double kMsOfChecks = 5.0;
constexpr double kVerifyRatio = 1.05;  // of verifying without keeping engines, as load_verify asks it

struct TrustOptions {
  std::string skua, python;  ///< `python`: with the public tool; empty: it is not measured
  std::size_t workers = 2;
};

/// What a take-off asks of a set, but for any size of it.
struct Signed {
  fs::path set_dir;
  GatePolicy policy;
  HostTuple host;
  std::vector<fs::path> files, first_engine;
  double gigabytes = 0.0;
};

Result<Signed> open_signed(const ProgramOptions& program) {
  Signed set;
  set.set_dir = fs::absolute(program.set_dir);
  SKUA_ASSIGN_OR_RETURN(set.policy, bench_policy());
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet admitted, admit_set(posix_file_system(), set.set_dir, set.policy));
  if (admitted.is_unsigned) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kUnsignedSet,
                      set.set_dir.string() + " is not signed; give a signed set and its key by --trust");
  }
  set.host = admitted.manifest.host;
  set.first_engine = {set.set_dir / admitted.manifest.artifacts.front().engine.file};
  for (const ManifestFile& file : admitted.manifest.files) set.files.push_back(set.set_dir / file.name);
  set.gigabytes = static_cast<double>(total_bytes(admitted.manifest.files)) * 1e-9;
  return set;
}

/// Signature, manifest, sequence, expiry, list of files: everything but the hashes of the files.
Status check_alone(const Signed& set) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const AdmittedSet admitted,
                        admit_set(posix_file_system(), set.set_dir, set.policy));
  return {};
}

/// Both gates over every byte, as `skua verify` does it.
Status judge_whole(const Signed& set, std::size_t workers) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet admitted, admit_set(posix_file_system(), set.set_dir, set.policy));
  for (FileVerdict& verdict : judge_files(admitted, {set.host, &uses_gpu, workers})) {
    SKUA_RETURN_IF_ERROR(std::move(verdict.status));
  }
  return {};
}

/// Up to the verdict on the engine that a take-off begins with: what an operator waits for to hear of a
/// fault.
Status judge_first(const Signed& set) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet admitted, admit_set(posix_file_system(), set.set_dir, set.policy));
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
  const EngineRecord& record = admitted.manifest.artifacts.front().engine;
  const EngineExpectation expected{record.file, record, record.precision, set.host, uses_gpu(record)};
  return EngineGate::judge(*admitted.folder, expected, piece.bytes());
}

/// Asks the kernel to forget the files; it keeps what is being written, so they are synced first. Only a
/// hint.
Status drop_from_cache(const Signed& set) {
  for (const fs::path& file : set.files) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return make_error(ErrorCode::kIo, Reason::kIo, file.string() + " cannot be opened");
    static_cast<void>(::fdatasync(fd));
    static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    ::close(fd);
  }
  return {};
}

Status run_quietly(const std::vector<std::string>& command) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::string text, run_process(command));
  return {};
}

std::string named(const std::string& what, std::size_t workers) {
  return what + ", " + std::to_string(workers) + (workers == 1 ? " worker" : " workers");
}

constexpr const char* kChecks = "checks of the signed set gate alone";
constexpr const char* kFirst = "first engine's verdict";
constexpr const char* kFirstLoop = "EVP loop, first engine";
constexpr const char* kCold = "signed gate, cold";
constexpr const char* kTool = "model_signing verify";
constexpr const char* kVerify = "skua verify --trust";

Status hash_alone(const std::vector<fs::path>& files, std::size_t workers) {
  const std::string failed = evp_loop(files, workers);
  if (failed.empty()) return {};
  return make_error(ErrorCode::kIo, Reason::kIo, failed + " cannot be read");
}

std::vector<Subject> gate_subjects(const Signed& set, std::size_t workers) {
  std::vector<Subject> subjects;
  for (const std::size_t count : {std::size_t{1}, workers}) {
    subjects.push_back(
        {named("EVP loop", count), [&set, count] { return hash_alone(set.files, count); }, {}});
    subjects.push_back({named("signed gate", count), [&set, count] { return judge_whole(set, count); }, {}});
  }
  subjects.push_back({kChecks, [&set] { return check_alone(set); }, {}});
  subjects.push_back({kFirst, [&set] { return judge_first(set); }, {}});
  subjects.push_back({kFirstLoop, [&set] { return hash_alone(set.first_engine, 1); }, {}});
  return subjects;
}

/// Last in a round of its own experiment: it leaves the page cache cold for whoever comes next.
std::vector<Subject> cold_subjects(const Signed& set, std::size_t workers) {
  const auto forget = [&set] { return drop_from_cache(set); };
  return {
      {kCold, [&set, workers] { return judge_whole(set, workers); }, forget},
      {named("EVP loop, cold", workers), [&set, workers] { return hash_alone(set.files, workers); }, forget}};
}

std::vector<Subject> tool_subjects(const Signed& set, const TrustOptions& options) {
  const std::string folder = set.set_dir.string(), signature = folder + "/model.sig";
  const std::vector<std::string> tool = {options.python,
                                         "-m",
                                         "model_signing",
                                         "verify",
                                         "key",
                                         folder,
                                         "--signature",
                                         signature,
                                         "--public_key",
                                         trusted_key_file(),
                                         "--no-ignore-git-paths"};
  const std::vector<std::string> ours = {options.skua,
                                         "verify",
                                         folder,
                                         "--trust",
                                         trusted_key_file(),
                                         "--set",
                                         "flight_set_limit_bytes=1099511627776"};
  return {{kTool, [tool] { return run_quietly(tool); }, {}},
          {kVerify, [ours] { return run_quietly(ours); }, {}}};
}

class Times {
 public:
  Status measure(const std::vector<Subject>& subjects, std::size_t rounds) {
    ExperimentPlan plan;
    plan.rounds = rounds;
    plan.cancel_requested = &cancel_requested();
    SKUA_ASSIGN_OR_RETURN(auto more, run_interleaved(subjects, plan));
    for (SubjectTimes& times : more) all_.push_back(std::move(times));
    return {};
  }
  const SubjectTimes& of(const std::string& name) const {
    return *std::find_if(all_.begin(), all_.end(), [&](const auto& times) { return times.name == name; });
  }
  Estimate ratio(const std::string& subject, const std::string& reference) const {
    return compare(of(subject), of(reference)).ratio;
  }
  Estimate median(const std::string& name, double factor) const {
    return scaled(estimate_median(of(name).round_ns), factor);
  }

 private:
  std::vector<SubjectTimes> all_;
};

/// GB/s of one core, from the loop and the gate on one worker. Rates turn the bounds round.
Estimate rate_of(const Estimate& ns, double gigabytes) {
  const auto rate = [&](double time_ns) { return gigabytes / (time_ns * 1e-9); };
  return {rate(ns.median), rate(ns.upper), rate(ns.lower), ns.count, ns.is_bounded};
}

void add_gate_figures(const Times& times, const Signed& set, std::size_t workers,
                      std::vector<Figure>& figures) {
  const auto add = [&](std::string name, std::string unit, const Estimate& value, double bar) {
    figures.push_back(figure_of("trust", std::move(name), std::move(unit), value, bar, "in one process"));
  };
  for (const std::size_t count : {std::size_t{1}, workers}) {
    const std::string gate = named("signed gate", count), loop = named("EVP loop", count);
    add(gate + " / " + loop, "ratio", times.ratio(gate, loop), kVerifyRatio);
    figures.push_back(figure_of("trust", gate, "s", times.median(gate, 1e-9), "warm page cache"));
  }
  add(kChecks, "ms", times.median(kChecks, 1e-6), kMsOfChecks);
  add(std::string(kFirst) + " / " + kFirstLoop, "ratio", times.ratio(kFirst, kFirstLoop), kVerifyRatio);
  figures.push_back(
      figure_of("trust", kFirst, "ms", times.median(kFirst, 1e-6), "from the start of the gate"));
  const std::string cold_loop = named("EVP loop, cold", workers);
  figures.push_back(figure_of("trust", std::string(kCold) + " / " + cold_loop, "ratio",
                              times.ratio(kCold, cold_loop), "page cache dropped before each"));
  figures.push_back(figure_of("trust", kCold, "s", times.median(kCold, 1e-9),
                              "this machine's disk, a hint to the kernel alone"));
  figures.push_back(
      figure_of("trust", "signed gate, one core", "GB/s",
                rate_of(estimate_median(times.of("signed gate, 1 worker").round_ns), set.gigabytes),
                "below 0.5 this program fails"));
}

/// A slow core is no excuse: even an old one does more with its SHA-256 instructions.
Status check_rate(const Times& times, const Signed& set, std::size_t workers) {
  for (const std::size_t count : {std::size_t{1}, workers}) {
    const double seconds = times.median(named("signed gate", count), 1e-9).median;
    const double rate = set.gigabytes / seconds / static_cast<double>(count);
    if (rate >= kSoftwareGbPerSecond) continue;
    return make_error(ErrorCode::kInternal, Reason::kInternal,
                      "the " + named("signed gate", count) + ", hashes " + number_text(rate) +
                          " GB/s on a core, in the median; expected at least 0.5: SHA-256 was done in "
                          "software (look at OPENSSL_ia32cap, OPENSSL_armcap and at how OpenSSL was built)");
  }
  return {};
}

Status run(const ProgramOptions& program, const TrustOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const Signed set, open_signed(program));
  Times times;
  SKUA_RETURN_IF_ERROR(times.measure(gate_subjects(set, options.workers), program.rounds));
  SKUA_RETURN_IF_ERROR(check_rate(times, set, options.workers));
  SKUA_RETURN_IF_ERROR(
      times.measure(cold_subjects(set, options.workers), std::max<std::size_t>(program.rounds / 4, 6)));
  add_gate_figures(times, set, options.workers, figures);
  if (options.python.empty()) return {};
  SKUA_RETURN_IF_ERROR(
      times.measure(tool_subjects(set, options), std::max<std::size_t>(program.rounds / 3, 6)));
  figures.push_back(figure_of("trust", std::string(kTool) + " / " + kVerify, "ratio",
                              times.ratio(kTool, kVerify), "whole processes; the tool loads nothing"));
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  auto options = skua::bench::TrustOptions();
  options.workers = std::max<std::size_t>(skua::default_judge_workers(std::uint64_t{1} << 30U), 2);
  return skua::bench::run_program(
      argc, argv, "What the signed gate costs beside hashing alone",
      [&](CLI::App& app) {
        app.add_option("--skua", options.skua, "the ground tool to measure")->required();
        app.add_option("--python", options.python, "an interpreter that has model_signing");
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
