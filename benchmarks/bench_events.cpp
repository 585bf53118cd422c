// What EventPipeline::post() costs the frame loop: with outputs that keep up, with one that stands still, and
// beside a second thread that posts all the time.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "bench/experiment.h"
#include "events/event_pipeline.h"
#include "program.h"

namespace skua::bench {
namespace {

constexpr std::size_t kCallsPerRound =
    1000;  // below the ring's capacity: with outputs that keep up, none drops
constexpr double kBarNs = 500.0;
/// No bar: what two threads that do nothing but post cost each other is not what a frame loop sees.
constexpr const char* kSaturated = "post, beside a thread that never pauses";

/// Stands still from its first record on, until it is released.
class StalledLog final : public LogSink {
 public:
  std::string_view name() const noexcept override { return "stalled"; }
  void write(const Event&, std::string_view) noexcept override {
    is_reached = true;
    is_reached.notify_all();
    is_released.wait(false);
  }
  void flush() noexcept override {}
  std::uint64_t written_count() const noexcept override { return 0; }
  std::uint64_t lost_count() const noexcept override { return 0; }
  std::string last_problem() const override { return {}; }

  std::atomic<bool> is_reached{false}, is_released{false};
};

FrameEvent failure() {
  FrameEvent event;
  event.reason = Reason::kExecutionFailed;
  event.frame = 1;
  event.backbone = {'u', 'l', 't', 'r', 'a', 'v', 'p', 'r'};
  return event;
}

/// A thread that posts while it is switched on, every `pause_ns`.
class Rival {
 public:
  explicit Rival(EventPipeline& pipeline) : thread_([this, &pipeline] { run(pipeline); }) {}
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;
  ~Rival() {
    is_ending_ = true;
    thread_.join();
  }
  std::atomic<bool> is_on{false};
  std::atomic<std::int64_t> pause_ns{0};

 private:
  void run(EventPipeline& pipeline) {
    const FrameEvent event = failure();
    for (std::int64_t next_ns = 0; !is_ending_;) {
      const std::int64_t now = system_clock().monotonic_ns();
      if (!is_on) {
        std::this_thread::yield();
      } else if (now >= next_ns) {
        pipeline.post(event);
        next_ns = now + pause_ns;
      }
    }
  }
  std::atomic<bool> is_ending_{false};
  std::thread thread_;
};

Result<std::unique_ptr<EventPipeline>> pipeline_to(std::shared_ptr<LogSink> log) {
  PipelineOptions options;
  options.log = std::move(log);
  return EventPipeline::start(std::move(options));
}

std::shared_ptr<LogSink> log_to_nowhere() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  LogSinkOptions options;
  options.fd = nowhere;
  auto log = make_log_sink(LogTarget::kStdout, options);
  if (nowhere >= 0) ::close(nowhere);
  return log;
}

/// The value that the share `part` of all calls does not exceed (nearest rank).
double quantile(std::vector<std::int64_t> calls_ns, double part) {
  std::sort(calls_ns.begin(), calls_ns.end());
  const auto rank = static_cast<std::size_t>(part * static_cast<double>(calls_ns.size()));
  return calls_ns.empty() ? 0.0 : static_cast<double>(calls_ns[std::min(rank, calls_ns.size() - 1)]);
}

void add_figures(const SubjectTimes& times, bool has_bar, std::vector<Figure>& figures) {
  const std::string note =
      std::to_string(times.calls_ns.size()) + " calls, timed one by one, wall clock; p99.9 " +
      number_text(quantile(times.calls_ns, 0.999)) + " ns, the timer's own cost included";
  const std::vector<double> all(times.calls_ns.begin(), times.calls_ns.end());
  const Estimate p99 = estimate_percentile(all, 99);
  figures.push_back(
      {"events", times.name + ", median", "ns", estimate_median(all), "", Verdict::kNoBar, note});
  Figure figure{"events", times.name + ", p99", "ns", p99, "", Verdict::kNoBar, note};
  if (has_bar) {
    figure.asked = "<= 500 ns";
    figure.verdict = p99.is_bounded && p99.upper <= kBarNs ? Verdict::kReached : Verdict::kNotReached;
  }
  figures.push_back(figure);
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const auto running, pipeline_to(log_to_nowhere()));
  const auto stalled_log = std::make_shared<StalledLog>();
  SKUA_ASSIGN_OR_RETURN(const auto stalled, pipeline_to(stalled_log));
  stalled->post(failure());
  stalled_log->is_reached.wait(false);
  SKUA_ASSIGN_OR_RETURN(const auto shared, pipeline_to(log_to_nowhere()));
  Rival rival(*shared);
  const FrameEvent event = failure();
  const auto settle = [&](bool has_rival, std::int64_t pause_ns = 0) {
    return [&, has_rival, pause_ns]() -> Status {
      rival.pause_ns = pause_ns;
      rival.is_on = has_rival;
      running->drain(std::chrono::seconds(5));
      return {};
    };
  };
  const auto post_to = [&event](EventPipeline& pipeline) {
    return [&pipeline, &event]() -> Status {
      pipeline.post(event);
      return {};
    };
  };
  const std::vector<Subject> subjects = {
      {"nothing (the harness)", [] { return Status(); }, settle(false)},
      {"post, sinks keep up", post_to(*running), settle(false)},
      {"post, sink stalled", post_to(*stalled), settle(false)},
      {"post, beside 10^5 posts/s", post_to(*shared), settle(true, 10'000)},
      {kSaturated, post_to(*shared), settle(true)},
  };
  ExperimentPlan plan;
  plan.rounds = options.rounds;
  plan.calls_per_round = kCallsPerRound;
  plan.warm_up_calls = kCallsPerRound;
  plan.cancel_requested = &cancel_requested();
  auto times = run_interleaved(subjects, plan);
  stalled_log->is_released = true;
  stalled_log->is_released.notify_all();
  SKUA_RETURN_IF_ERROR(times.ok() ? Status() : Status(times.error()));
  for (const SubjectTimes& subject : *times) {
    add_figures(subject, subject.name.starts_with("post") && subject.name != kSaturated, figures);
  }
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "What posting an event costs the frame loop", [](CLI::App&) {}, skua::bench::run);
}
