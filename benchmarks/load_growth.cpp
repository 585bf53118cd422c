// How the cost of verifying and of loading grows with the number of engines and with their size.
#include "load_sets.h"

#include <algorithm>

#include "bootstrap/verify_set.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

// An exponent of 1 is linear; the rest is for caches that the small ones fit into.
constexpr double kBar = 1.05;

struct GrowthOptions {
  std::vector<std::string> by_count, by_size;
};

/// One way to use a set, and what it is called in the table. The environment is made once per set, before
/// anything is timed: asking the host takes as long for one engine as for a hundred, and would hide growth.
struct Use {
  std::string name;
  std::function<Status(const fs::path&, const RuntimeEnvironment&)> call;
};

Status verify(const fs::path& set_dir, const RuntimeEnvironment& environment) {
  SKUA_ASSIGN_OR_RETURN(const GatePolicy policy, bench_policy());
  SKUA_ASSIGN_OR_RETURN(const SetVerdict verdict, verify_set(posix_file_system(), set_dir, policy,
                                                             environment.host, system_clock(), 1));
  return verdict.overall();
}

Status load(const fs::path& set_dir, const RuntimeEnvironment& environment) {
  std::unique_ptr<InferenceRuntime> runtime;
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const EngineSet set, load_whole(set_dir, environment, runtime));
  return {};
}

enum class Axis { kCount, kSize };

Result<double> size_of(const fs::path& set_dir, Axis axis) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  const auto& artifacts = set.manifest.artifacts;
  return axis == Axis::kCount ? static_cast<double>(artifacts.size())
                              : static_cast<double>(artifacts.front().engine.size_bytes);
}

/// Times of each set, as a list that a reader can check the exponents by.
std::string times_text(Axis axis, const std::vector<double>& sizes,
                       const std::vector<std::vector<double>>& costs) {
  std::string text;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto amount = static_cast<std::uint64_t>(axis == Axis::kCount ? sizes[i] : sizes[i] / (1U << 20U));
    text += (text.empty() ? "" : ", ") + std::to_string(amount) + (axis == Axis::kCount ? ": " : " MiB: ") +
            std::to_string(static_cast<std::uint64_t>(estimate_median(costs[i]).median * 1e-3)) + " us";
  }
  return text;
}

/// The slope over all sizes, and the last one by itself: what grows faster and faster shows there, while the
/// median of all slopes may still be tame.
void add_figures(const std::string& name, const std::vector<double>& sizes,
                 const std::vector<std::vector<double>>& costs, const std::string& note,
                 std::vector<Figure>& figures) {
  const Estimate whole = estimate_median(exponents_by_round(sizes, costs));
  figures.push_back(figure_of("growth", name, "exponent", whole, kBar, note));
  const std::size_t skipped = sizes.size() - std::min<std::size_t>(sizes.size(), 2);
  const Estimate last = estimate_median(
      exponents_by_round(std::span(sizes).subspan(skipped), std::span(costs).subspan(skipped)));
  figures.push_back(figure_of("growth", name + ", last step", "exponent", last, kBar, note));
}

Status measure(const Use& use, Axis axis, const std::vector<std::string>& folders,
               const ProgramOptions& program, std::vector<Figure>& figures) {
  std::vector<double> sizes;
  std::vector<Subject> subjects;
  for (const std::string& folder : folders) {
    const fs::path set_dir = fs::absolute(folder);
    SKUA_ASSIGN_OR_RETURN(const double size, size_of(set_dir, axis));
    sizes.push_back(size);
    SKUA_ASSIGN_OR_RETURN(const RuntimeEnvironment environment, bench_environment(set_dir));
    subjects.push_back({folder, [&use, set_dir, environment] { return use.call(set_dir, environment); }, {}});
  }
  const ExperimentPlan plan = plan_of(program, 0.25);
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved(subjects, plan));
  std::vector<std::vector<double>> costs;
  for (const SubjectTimes& subject : times) costs.push_back(subject.round_ns);
  add_figures(use.name + (axis == Axis::kCount ? ", by number of engines" : ", by engine size"), sizes, costs,
              times_text(axis, sizes, costs), figures);
  return {};
}

Status run(const ProgramOptions& program, const GrowthOptions& options, std::vector<Figure>& figures) {
  for (const Use& use : {Use{"verifying", verify}, Use{"loading", load}}) {
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
