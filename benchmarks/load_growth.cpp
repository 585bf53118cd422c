// How the cost of verifying and of loading grows with the number of engines and with their size.
#include "load_sets.h"

#include "bootstrap/verify_set.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kBar =
    1.05;  ///< an exponent of 1 is linear; the rest is for caches that the small ones fit into

struct GrowthOptions {
  std::vector<std::string> by_count, by_size;
};

/// One way to use a set, and what it is called in the table.
struct Use {
  std::string name;
  std::function<Status(const fs::path&)> call;
};

Status verify(const fs::path& set_dir, const HostTuple& host) {
  SKUA_ASSIGN_OR_RETURN(const SetVerdict verdict,
                        verify_set(posix_file_system(), set_dir, bench_policy(), host, system_clock(), 1));
  return verdict.overall();
}

Status load(const fs::path& set_dir) {
  std::unique_ptr<InferenceRuntime> runtime;
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const EngineSet set, load_whole(set_dir, runtime));
  return {};
}

enum class Axis { kCount, kSize };

Result<double> size_of(const fs::path& set_dir, Axis axis) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit_set(posix_file_system(), set_dir, bench_policy()));
  const auto& artifacts = set.manifest.artifacts;
  return axis == Axis::kCount ? static_cast<double>(artifacts.size())
                              : static_cast<double>(artifacts.front().engine.size_bytes);
}

/// The exponent of every round by itself: a slow moment then spoils one value and not the slope.
Estimate exponent_of(const std::vector<double>& sizes, const std::vector<SubjectTimes>& times) {
  std::vector<double> exponents;
  for (std::size_t round = 0; round < times.front().round_ns.size(); ++round) {
    std::vector<double> costs;
    for (const SubjectTimes& subject : times) costs.push_back(subject.round_ns[round]);
    exponents.push_back(estimate_growth(sizes, costs).median);
  }
  return estimate_median(std::move(exponents));
}

Status measure(const Use& use, Axis axis, const std::vector<std::string>& folders,
               const ProgramOptions& program, std::vector<Figure>& figures) {
  std::vector<double> sizes;
  std::vector<Subject> subjects;
  for (const std::string& folder : folders) {
    const fs::path set_dir = fs::absolute(folder);
    SKUA_ASSIGN_OR_RETURN(const double size, size_of(set_dir, axis));
    sizes.push_back(size);
    subjects.push_back({folder, [&use, set_dir] { return use.call(set_dir); }, {}});
  }
  ExperimentPlan plan;
  plan.rounds = program.rounds;
  plan.cancel_requested = &cancel_requested();
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved(subjects, plan));
  std::string note;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double ms = estimate_median(times[i].round_ns).median * 1e-6;
    const auto amount = static_cast<std::uint64_t>(axis == Axis::kCount ? sizes[i] : sizes[i] / (1U << 20U));
    note += (note.empty() ? "" : ", ") + std::to_string(amount) + (axis == Axis::kCount ? ": " : " MiB: ") +
            std::to_string(static_cast<std::uint64_t>(ms * 1000.0)) + " us";
  }
  figures.push_back(
      figure_of("growth", use.name + (axis == Axis::kCount ? ", by number of engines" : ", by engine size"),
                "exponent", exponent_of(sizes, times), kBar, note));
  return {};
}

Status run(const ProgramOptions& program, const GrowthOptions& options, std::vector<Figure>& figures) {
  const HostTuple host = probe_host();  // once: a constant would only hide growth
  const auto verify_here = [&host](const fs::path& set_dir) { return verify(set_dir, host); };
  for (const Use& use : {Use{"verifying", verify_here}, Use{"loading", load}}) {
    SKUA_RETURN_IF_ERROR(measure(use, Axis::kCount, options.by_count, program, figures));
    SKUA_RETURN_IF_ERROR(measure(use, Axis::kSize, options.by_size, program, figures));
  }
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  auto options = skua::bench::GrowthOptions();
  return skua::bench::run_program(
      argc, argv, "How the cost of a set grows with its engines",
      [&](CLI::App& app) {
        app.add_option("--by-count", options.by_count, "sets of rising numbers of equal engines")->required();
        app.add_option("--by-size", options.by_size, "sets of one engine of rising size")->required();
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
