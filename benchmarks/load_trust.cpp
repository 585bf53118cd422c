// What trust costs: the signed gate over a set beside a loop that only hashes the same files, its checks
// alone, the set cold, and the first engine's verdict.
#include <fcntl.h>
#include <unistd.h>

#include <ctime>

#include <algorithm>

#include "cache/engine_gate.h"
#include "cache/set_files.h"
#include "cache/set_judge.h"
#include "core/buffer.h"
#include "inference/engine_folder.h"
#include "load_evp.h"
#include "load_sets.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kSoftwareGbPerSecond = 0.5;  // below it the processor's SHA-256 instructions were not used
constexpr double kMsOfChecks = 5.0;
constexpr double kVerifyRatio = 1.05;  // of verifying without keeping engines, as load_verify asks it

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

std::string named(const std::string& what, std::size_t workers) {
  return what + ", " + std::to_string(workers) + (workers == 1 ? " worker" : " workers");
}

constexpr const char* kChecks = "checks of the signed set gate alone";
constexpr const char* kFirst = "first engine's verdict";
constexpr const char* kFirstLoop = "EVP loop, first engine";
constexpr const char* kCold = "signed gate, cold";

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

class Times {
 public:
  Status measure(const std::vector<Subject>& subjects, const ExperimentPlan& plan) {
    SKUA_ASSIGN_OR_RETURN(auto more, run_interleaved(subjects, plan));
    for (SubjectTimes& times : more) all_.push_back(std::move(times));
    return {};
  }
  const SubjectTimes& of(const std::string& name) const {
    return *std::find_if(all_.begin(), all_.end(), [&](const auto& times) { return times.name == name; });
  }
  Sides sides(const std::string& subject, const std::string& reference) const {
    return sides_of(of(subject), of(reference));
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
    figures.back().sides = times.sides(gate, loop);
    figures.push_back(figure_of("trust", gate, "s", times.median(gate, 1e-9), "warm page cache"));
  }
  add(kChecks, "ms", times.median(kChecks, 1e-6), kMsOfChecks);
  add(std::string(kFirst) + " / " + kFirstLoop, "ratio", times.ratio(kFirst, kFirstLoop), kVerifyRatio);
  figures.back().sides = times.sides(kFirst, kFirstLoop);
  figures.push_back(
      figure_of("trust", kFirst, "ms", times.median(kFirst, 1e-6), "from the start of the gate"));
  const std::string cold_loop = named("EVP loop, cold", workers);
  figures.push_back(figure_of("trust", std::string(kCold) + " / " + cold_loop, "ratio",
                              times.ratio(kCold, cold_loop), "page cache dropped before each"));
  figures.back().sides = times.sides(kCold, cold_loop);
  figures.push_back(figure_of("trust", kCold, "s", times.median(kCold, 1e-9),
                              "this machine's disk, a hint to the kernel alone"));
  figures.push_back(
      figure_of("trust", "signed gate, one core", "GB/s",
                rate_of(estimate_median(times.of("signed gate, 1 worker").round_ns), set.gigabytes),
                "below 0.5 GB in a second of CPU time this program fails"));
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// By CPU time: a neighbour on the cores is an excuse. A slow core is none: even an old one does more with
/// its SHA-256 instructions.
Status check_rate(const Signed& set, std::size_t workers) {
  for (const std::size_t count : {std::size_t{1}, workers}) {
    std::vector<double> seconds;
    for (int i = 0; i < 3; ++i) {
      const double start = cpu_seconds();
      SKUA_RETURN_IF_ERROR(judge_whole(set, count));
      seconds.push_back(cpu_seconds() - start);
    }
    const double rate = set.gigabytes / estimate_median(seconds).median;
    if (rate >= kSoftwareGbPerSecond) continue;
    return make_error(
        ErrorCode::kInternal, Reason::kInternal,
        "the " + named("signed gate", count) + ", hashes " + number_text(rate) +
            " GB in a second of CPU time, in the median; expected at least 0.5: SHA-256 was done "
            "in software (look at OPENSSL_ia32cap, OPENSSL_armcap and at how OpenSSL was built)");
  }
  return {};
}

Status run(const ProgramOptions& program, std::size_t workers, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const Signed set, open_signed(program));
  SKUA_RETURN_IF_ERROR(check_rate(set, workers));
  Times times;
  SKUA_RETURN_IF_ERROR(times.measure(gate_subjects(set, workers), plan_of(program, 0.6)));
  ExperimentPlan cold = plan_of(program, 0.4);
  cold.rounds = std::max(program.rounds / 4, kFewestRounds);
  SKUA_RETURN_IF_ERROR(times.measure(cold_subjects(set, workers), cold));
  add_gate_figures(times, set, workers, figures);
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  const std::size_t workers = std::max<std::size_t>(skua::default_judge_workers(std::uint64_t{1} << 30U), 2);
  return skua::bench::run_program(
      argc, argv, "What the signed gate costs beside hashing alone", [](CLI::App&) {},
      [&](const auto& program, auto& figures) { return skua::bench::run(program, workers, figures); });
}
