// What the gates cost beside a loop that only hashes the same files: `skua verify` and `skua provision` as
// whole processes, and the load's own verification into private memory.
#include <sys/resource.h>

#include <algorithm>
#include <map>

#include "cache/set_judge.h"
#include "core/buffer.h"
#include "load_evp.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

struct VerifyOptions {
  std::string skua, set_yaml, cache_dir;  ///< the last two: no provisioning without them
  std::size_t workers = 2;                ///< compared beside one worker
};

std::string named(const std::string& what, std::size_t workers) {
  return what + ", " + std::to_string(workers) + (workers == 1 ? " worker" : " workers");
}

/// CPU time of this process and of its children that have ended, in seconds.
double cpu_seconds() {
  double total = 0.0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& part : {usage.ru_utime, usage.ru_stime}) {
      total += static_cast<double>(part.tv_sec) + static_cast<double>(part.tv_usec) * 1e-6;
    }
  }
  return total;
}

/// The same subjects, which note the CPU time of each call beside. A neighbour on the cores lengthens the
/// wall clock's times by what the scheduler makes of it; this is what the work itself takes.
using CpuTimes = std::map<std::string, std::vector<double>>;
void note_cpu_time(std::vector<Subject>& subjects, CpuTimes& times) {
  for (Subject& subject : subjects) {
    subject.call = [call = subject.call, &noted = times[subject.name]]() -> Status {
      const double start = cpu_seconds();
      SKUA_RETURN_IF_ERROR(call());
      noted.push_back(cpu_seconds() - start);
      return {};
    };
  }
}

Status run_skua(const std::vector<std::string>& command) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::string text, run_process(command));
  return {};
}

Subject evp_subject(const std::vector<fs::path>& files, std::size_t workers) {
  return {named("EVP loop", workers),
          [&files, workers]() -> Status {
            const std::string failed = evp_loop(files, workers);
            if (failed.empty()) return {};
            return make_error(ErrorCode::kIo, Reason::kIo, failed + " cannot be read");
          },
          {}};
}

Subject verify_subject(const VerifyOptions& options, const fs::path& set_dir, std::size_t workers) {
  const std::vector<std::string> command = {options.skua,
                                            "verify",
                                            set_dir.string(),
                                            "--trust",
                                            trusted_key_file(),
                                            "--workers",
                                            std::to_string(workers),
                                            "--set",
                                            "flight_set_limit_bytes=1099511627776"};
  return {named("skua verify", workers), [command] { return run_skua(command); }, {}};
}

constexpr const char* kIntoMemory = "verified into private memory";
constexpr const char* kIntoColdMemory = "verified into cold private memory";

Subject memory_subject(const char* what, const fs::path& set_dir, std::size_t workers) {
  return {named(what, workers), [set_dir, workers] { return verify_into_memory(set_dir, workers); }, {}};
}

/// A virtual machine's host takes back what its guest has freed, and the guest pays for faulting it in again:
/// seconds after it was freed, memory costs several times what it costs at once. That is the host's price,
/// not the loader's and not an aircraft's, so the memory about to be used is touched first. The cold subject
/// goes without, and is held against the same bar.
std::function<Status()> touching(std::size_t bytes) {
  return [bytes]() -> Status {
    constexpr std::size_t kPage = 4096;
    SKUA_ASSIGN_OR_RETURN(Buffer memory, Buffer::allocate(bytes));
    for (std::size_t at = 0; at < bytes; at += kPage) memory.bytes()[at] = std::byte{1};
    return {};
  };
}

/// The check that there was nothing to do is part of the subject: one that publishes measures something else.
Subject provision_subject(const VerifyOptions& options, const fs::path& set_dir) {
  const std::vector<std::string> command = {options.skua,
                                            "provision",
                                            options.set_yaml,
                                            "--out",
                                            set_dir.parent_path().string(),
                                            "--cache",
                                            options.cache_dir,
                                            "--set",
                                            "flight_set_limit_bytes=1099511627776",
                                            "--json"};
  return {"skua provision",
          [command]() -> Status {
            SKUA_ASSIGN_OR_RETURN(const std::string report, run_process(command));
            if (report.find("\"is_published\": false") != std::string::npos ||
                report.find("\"is_published\":false") != std::string::npos) {
              return {};
            }
            return make_error(ErrorCode::kInternal, Reason::kInternal, "provisioning had something to do");
          },
          {}};
}

const SubjectTimes& times_of(const std::vector<SubjectTimes>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const SubjectTimes& times) { return times.name == name; });
}

/// What was measured; the first CPU time of each subject is its warm-up.
struct Measured {
  std::vector<SubjectTimes> wall;
  CpuTimes cpu;
};

void add_ratio(const Measured& measured, const std::string& subject, std::size_t workers, double bar,
               const std::string& note, std::vector<Figure>& figures) {
  const std::string reference = named("EVP loop", workers), name = subject + " / " + reference;
  const Comparison found = compare(times_of(measured.wall, subject), times_of(measured.wall, reference));
  figures.push_back(figure_of("verify", name, "ratio", found.ratio, bar, note));
  figures.back().sides = sides_of(times_of(measured.wall, subject), times_of(measured.wall, reference));
  const auto cpu_of = [&](const std::string& of) { return std::span(measured.cpu.at(of)).subspan(1); };
  figures.push_back(figure_of("verify", name + ", CPU time", "ratio",
                              estimate_ratio(cpu_of(subject), cpu_of(reference)), note));
}

/// Page faults of one more run, which is not timed.
Result<long> faults_of(const fs::path& set_dir, std::size_t workers) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  SKUA_RETURN_IF_ERROR(verify_into_memory(set_dir, workers));
  getrusage(RUSAGE_SELF, &after);
  return after.ru_minflt - before.ru_minflt;
}

Status add_ratios(const Measured& measured, const VerifyOptions& options, const fs::path& set_dir,
                  std::vector<Figure>& figures) {
  for (const std::size_t workers : {std::size_t{1}, options.workers}) {
    add_ratio(measured, named("skua verify", workers), workers, 1.05, "whole process", figures);
    SKUA_ASSIGN_OR_RETURN(const long faults, faults_of(set_dir, workers));
    // One bar for both states of the memory: a program's first load meets the cold one.
    const double bar = workers == 1 ? 1.10 : 1.25;
    const std::string note = std::to_string(faults) + " page faults; no deserialising" +
                             (workers == 1 ? "" : "; load_flight_set uses one worker today, not these");
    add_ratio(measured, named(kIntoMemory, workers), workers, bar, note, figures);
    add_ratio(measured, named(kIntoColdMemory, workers), workers, bar, note, figures);
  }
  if (!options.set_yaml.empty()) {
    add_ratio(measured, "skua provision", options.workers, 1.15,
              "whole process, nothing to do, model digests remembered", figures);
  }
  return {};
}

Status run(const ProgramOptions& program, const VerifyOptions& options, std::vector<Figure>& figures) {
  const fs::path set_dir = fs::absolute(program.set_dir);
  SKUA_ASSIGN_OR_RETURN(const std::vector<fs::path> files, files_of(set_dir));
  std::size_t largest = 0;
  for (const fs::path& file : files) largest = std::max<std::size_t>(largest, fs::file_size(file));
  std::vector<Subject> subjects;
  for (const std::size_t workers : {std::size_t{1}, options.workers}) {
    subjects.push_back(evp_subject(files, workers));
    subjects.push_back(verify_subject(options, set_dir, workers));
    subjects.push_back(memory_subject(kIntoMemory, set_dir, workers));
    subjects.back().before_round = touching((workers + 1) * largest);
    subjects.push_back(memory_subject(kIntoColdMemory, set_dir, workers));
  }
  if (!options.set_yaml.empty()) subjects.push_back(provision_subject(options, set_dir));
  const ExperimentPlan plan = plan_of(program);
  Measured measured;
  note_cpu_time(subjects, measured.cpu);
  SKUA_ASSIGN_OR_RETURN(measured.wall, run_interleaved(subjects, plan));
  for (const SubjectTimes& subject : measured.wall) {
    const Estimate seconds = scaled(estimate_median(subject.round_ns), 1e-9);
    figures.push_back(
        figure_of("verify", subject.name, "s", seconds, std::to_string(files.size()) + " files"));
  }
  return add_ratios(measured, options, set_dir, figures);
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  auto options = skua::bench::VerifyOptions();
  options.workers = std::max<std::size_t>(skua::default_judge_workers(std::uint64_t{1} << 30U), 2);
  return skua::bench::run_program(
      argc, argv, "What the gates cost beside hashing alone",
      [&](CLI::App& app) {
        app.add_option("--skua", options.skua, "the ground tool to measure")->required();
        app.add_option("--set-yaml", options.set_yaml, "what --set-dir was provisioned from");
        app.add_option("--cache", options.cache_dir, "the engine cache it was provisioned with");
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
