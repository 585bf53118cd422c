// What a span costs whoever it measures: while no trace is going on, beside a loop that does nothing, and on.
#include <filesystem>
#include <thread>

#include "core/trace_session.h"
#include "program.h"

namespace skua::bench {
namespace {

constexpr std::int64_t kSpansOff = 1'000'000;
constexpr std::int64_t kSpansOn = 1000;  // fewer than the ring holds
constexpr std::chrono::milliseconds kLook{1};
constexpr int kLooks = 10'000;  // before the writer counts as stuck

std::int64_t g_batches = 101;
std::string g_file;

/// Keeps the compiler from leaving a turn out, and from doing one turn's load for all.
inline void end_turn() noexcept { asm volatile("" ::: "memory"); }

/// Nanoseconds per turn: the median of the batches. `rest` is called between two of them.
template <typename Turn, typename Rest>
Estimate time_turns(std::int64_t count, Turn turn, Rest rest) {
  std::vector<double> means;
  for (std::int64_t batch = 0; batch < g_batches; ++batch) {
    const std::int64_t begun = system_clock().monotonic_ns();
    for (std::int64_t i = 0; i < count; ++i) {
      turn(i);
      end_turn();
    }
    const std::int64_t took_ns = system_clock().monotonic_ns() - begun;
    means.push_back(static_cast<double>(took_ns) / static_cast<double>(count));
    rest();
  }
  return estimate_median(std::move(means));
}

Figure trace_figure(const std::string& name, const Estimate& ns, const std::string& note) {
  return {"telemetry", name, "ns", ns, "", Verdict::kNoBar, note};
}

void run_subject(std::int64_t i) noexcept {
  const Span span(SpanKind::kRun, {"one_node", "default", static_cast<std::uint64_t>(i)});
}

Result<Figure> span_that_is_on() {
  TraceOptions options;
  options.file = g_file;
  SKUA_ASSIGN_OR_RETURN(const auto trace, TraceSession::start(std::move(options)));
  std::uint64_t begun = 0;
  const auto let_it_write = [&] {
    begun += static_cast<std::uint64_t>(kSpansOn);
    for (int i = 0; i < kLooks && trace->counts().written < begun; ++i) std::this_thread::sleep_for(kLook);
  };
  const Estimate ns = time_turns(kSpansOn, run_subject, let_it_write);
  trace->stop();
  std::error_code ignored;
  const std::uintmax_t bytes = std::filesystem::file_size(g_file, ignored);
  const TraceCounts counts = trace->counts();
  if (counts.lost > 0 || counts.written != begun)
    return make_error(ErrorCode::kInternal, Reason::kInternal,
                      "trace: expected every span in the file, found " + std::to_string(counts.written) +
                          " and " + std::to_string(counts.lost) +
                          " lost; write the report to a disk that has room");
  std::filesystem::remove(g_file, ignored);
  return trace_figure("a span while a trace is going on", ns,
                      std::to_string(counts.written) + " spans, none lost, " +
                          std::to_string(bytes / counts.written) + " bytes each in the file");
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  g_file = options.out + ".trace.json";
  const auto at_once = [] {};
  const std::string note =
      "median of " + std::to_string(g_batches) + " batches of " + std::to_string(kSpansOff);
  figures.push_back(trace_figure("one turn of an empty loop",
                                 time_turns(
                                     kSpansOff, [](std::int64_t) {}, at_once),
                                 note));
  figures.push_back(trace_figure("a turn with a span, no trace going on",
                                 time_turns(kSpansOff, run_subject, at_once), note));
  SKUA_RETURN_IF_ERROR(check_not_cancelled());
  SKUA_ASSIGN_OR_RETURN(Figure on, span_that_is_on());
  figures.push_back(std::move(on));
  return {};
}

void add_options(CLI::App& app) {
  app.add_option("--batches", g_batches, "of each figure")->check(CLI::Range(6, 100'000));
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(argc, argv, "What a span of a trace costs", skua::bench::add_options,
                                  skua::bench::run);
}
