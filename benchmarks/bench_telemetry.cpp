// What telemetry costs: reading the snapshot as C4 does, on every frame, whatever the writer does; and one
// poll of a Jetson's tree of sensor files (README.md says what a fixture tree can and cannot show).
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>

#include "program.h"
#include "skua/runtime_factory.h"
#include "telemetry/poller.h"
#include "telemetry/snapshot.h"

namespace skua::bench {
namespace {

std::string g_root;
std::int64_t g_reads = 10'000'000;

constexpr std::size_t kBatches = 101;

double ns_between(std::int64_t begun, std::int64_t ended, std::int64_t count) {
  return static_cast<double>(ended - begun) / static_cast<double>(count);
}

/// Nanoseconds per read: the mean of all, which is judged, and the bounds of the batches' median. `sum` keeps
/// the reads from being left out.
template <typename Read>
Estimate time_reads(Read read, std::int64_t& sum) {
  const std::int64_t per_batch = g_reads / static_cast<std::int64_t>(kBatches);
  std::vector<double> means;
  for (std::size_t batch = 0; batch < kBatches; ++batch) {
    const std::int64_t begun = system_clock().monotonic_ns();
    for (std::int64_t i = 0; i < per_batch; ++i) sum += read().measured_at_ns;
    means.push_back(ns_between(begun, system_clock().monotonic_ns(), per_batch));
  }
  const double mean = std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(means.size());
  Estimate estimate = estimate_median(std::move(means));
  estimate.median = mean;
  return estimate;
}

Figure read_figure(const std::string& name, const Estimate& ns, const std::string& asked, double bar,
                   const std::string& note) {
  const Verdict verdict = bar <= 0.0         ? Verdict::kNoBar
                          : ns.median <= bar ? Verdict::kReached
                                             : Verdict::kNotReached;
  return {"telemetry", name, "ns", ns, asked, verdict, note};
}

std::string reads_note() {
  return "mean of " + std::to_string(g_reads) + " reads in " + std::to_string(kBatches) +
         " batches; bounds of the batches' median";
}

/// What C4 calls, of a runtime whose poller polls the tree at the highest rate that a configuration may ask
/// for.
Result<Figure> runtime_reads() {
  RuntimeEnvironment environment;
  environment.role = Role::kGround;
  environment.host = probe_host();
  environment.thermal_root = g_root;
  environment.config.runtime = "onnx_trt_ep";
  environment.config.execution_provider = "cpu";
  environment.config.thermal_poll_hz = 10.0;
  SKUA_ASSIGN_OR_RETURN(const auto runtime, build_inference_runtime(environment));
  SKUA_RETURN_IF_ERROR(runtime->start_telemetry());
  std::int64_t sum = 0;
  const Estimate ns = time_reads([&] { return runtime->thermal_state(); }, sum);
  return read_figure("thermal_state() of a runtime, polled at 10 Hz", ns, "mean <= 10 ns", 10.0,
                     reads_note());
}

/// Reads while a poller polls the tree at `hz`.
Result<Figure> polled_reads(double hz) {
  ThermalPollerOptions options;
  options.source.source = "jetson_sysfs";
  options.source.root = g_root;
  options.poll_hz = hz;
  options.nice = 0;
  SKUA_ASSIGN_OR_RETURN(const auto poller, ThermalPoller::start(options, null_event_sink(), system_clock()));
  if (!poller->state().is_telemetry_available) {
    return make_error(ErrorCode::kInternal, Reason::kInternal, "the tree gives no throttle state");
  }
  std::int64_t sum = 0;
  const Estimate ns = time_reads([&] { return poller->state(); }, sum);
  return read_figure("read of the snapshot, polled at " + number_text(hz) + " Hz", ns, "mean <= 10 ns", 10.0,
                     reads_note());
}

Figure reads_under_a_writer_that_never_pauses() {
  ThermalSnapshot snapshot;
  std::atomic<bool> is_done{false};
  std::atomic<std::int64_t> stores{0};
  std::thread writer([&] {
    for (ThermalState state; !is_done.load(std::memory_order_relaxed); ++state.measured_at_ns) {
      snapshot.store(state);
      stores.store(state.measured_at_ns, std::memory_order_relaxed);
    }
  });
  std::int64_t sum = 0;
  const Estimate ns = time_reads([&] { return snapshot.load(); }, sum);
  is_done = true;
  writer.join();
  return read_figure("read of the snapshot, writer never pauses", ns, "bounded", 0.0,
                     std::to_string(stores.load()) + " stores beside " + std::to_string(g_reads) + " reads");
}

Result<std::vector<Figure>> poll_figures() {
  constexpr std::size_t kPolls = 5001;
  ThermalSourceOptions options;
  options.source = "jetson_sysfs";
  options.root = g_root;
  SKUA_ASSIGN_OR_RETURN(const auto source, open_thermal_source(options));
  std::vector<double> times;
  for (std::size_t i = 0; i < kPolls; ++i) {
    ThermalReading reading;
    const std::int64_t begun = system_clock().monotonic_ns();
    source->read(reading);
    times.push_back(static_cast<double>(system_clock().monotonic_ns() - begun) / 1000.0);
  }
  const std::string note =
      "fixture tree, " + std::to_string(kPolls) + " polls; a Jetson's drivers take their own time";
  const auto figure = [&](const std::string& name, const Estimate& us) {
    const Verdict verdict = us.median <= 100.0 ? Verdict::kReached : Verdict::kNotReached;
    return Figure{"telemetry", name, "us", us, "<= 100 us", verdict, note};
  };
  return std::vector<Figure>{figure("one poll, median", estimate_median(times)),
                             figure("one poll, p99", estimate_percentile(times, 99))};
}

Status run(const ProgramOptions&, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(Figure of_runtime, runtime_reads());
  figures.push_back(std::move(of_runtime));
  SKUA_ASSIGN_OR_RETURN(Figure of_poller, polled_reads(1000.0));  // more than a configuration allows
  figures.push_back(std::move(of_poller));
  SKUA_RETURN_IF_ERROR(check_not_cancelled());
  figures.push_back(reads_under_a_writer_that_never_pauses());
  SKUA_ASSIGN_OR_RETURN(std::vector<Figure> polls, poll_figures());
  figures.insert(figures.end(), polls.begin(), polls.end());
  return {};
}

void add_options(CLI::App& app) {
  app.add_option("--root", g_root, "a folder that looks like a Jetson's /")->required();
  app.add_option("--reads", g_reads, "of the snapshot, in all")->check(CLI::Range(1000, 1'000'000'000));
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(argc, argv, "What telemetry costs", skua::bench::add_options,
                                  skua::bench::run);
}
