#include "telemetry/poller.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <optional>
#include <system_error>
#include <thread>

#include "core/blocked_signals.h"
#include "telemetry/reader.h"

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Phase = ReaderDesk::Phase;

constexpr milliseconds kOpeningLimit{100};
constexpr milliseconds kLeavingLimit{50};
constexpr double kLongestPeriodNs =
    3.6e12;  // an hour: what is slower is no telemetry, and three of them still fit

std::string usable_cores(const cpu_set_t& cpus) {
  std::string text;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &cpus)) text += (text.empty() ? "" : ", ") + std::to_string(i);
  }
  return text;
}

Status check_core(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  // Of the process: the calling thread may itself be bound to one core.
  if (cpu < 0 || sched_getaffinity(getpid(), sizeof(cpus), &cpus) != 0) return {};
  if (cpu < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(cpu), &cpus)) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "thermal_cpu is " + std::to_string(cpu) + "; this process may use the cores " +
                        usable_cores(cpus) + ": name one of them, or -1 for any");
}

void tell_unavailable(EventSink& events, const ThermalSourceOptions& source, const Error& error) {
  events.emit({Level::kWarn,
               "c7.telemetry_unavailable",
               "C7 thermal telemetry unavailable: " + error.message,
               {{"source", source.source}, {"cause", error.message}}});
}

/// The next moment of the schedule that began at `due`: no drift, and no burst after a pause.
std::int64_t next_due(std::int64_t due, std::int64_t now, std::int64_t period_ns) {
  return now - due < period_ns ? due + period_ns : now + period_ns;
}

}  // namespace

class ThermalPoller::Impl {
 public:
  Impl(const ThermalPollerOptions& options, EventSink& events, const Clock& clock)
      : options_(options),
        events_(events),
        clock_(clock),
        period_ns_(std::llround(std::min(1e9 / options.poll_hz, kLongestPeriodNs))),
        monitor_(events, clock, period_ns_) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  /// std::system_error when the system gives no thread.
  void start(OpenThermalSource open) {
    const BlockedSignals blocked;  // the program's handlers must not run on these threads
    reader_ = std::thread(run_reader, desk_, options_.source, open, placement("skua-sensors"));
    poller_ = std::thread([this] { run(); });
  }

  /// Waits for the first reading, within the limit; the error of a source that cannot be opened.
  Status wait_for_first() {
    std::unique_lock lock(desk_->mutex);
    desk_->changed.wait_for(lock, kOpeningLimit, [&] { return desk_->open_error || has_published_; });
    return desk_->open_error ? Status(*desk_->open_error) : Status();
  }

  const ThermalMonitor& monitor() const noexcept { return monitor_; }

  std::optional<Error> open_error() const {
    const std::lock_guard lock(desk_->mutex);
    return desk_->open_error;
  }

  const ThermalSource* source() const {
    const std::lock_guard lock(desk_->mutex);
    return desk_->source.get();
  }

 private:
  ThreadPlacement placement(std::string name) const { return {std::move(name), options_.cpu, options_.nice}; }

  void stop() noexcept {
    {
      const std::lock_guard lock(desk_->mutex);
      desk_->is_stopping = true;
      desk_->changed.notify_all();
    }
    if (poller_.joinable()) poller_.join();  // it never waits for a source
    if (!reader_.joinable()) return;
    std::unique_lock lock(desk_->mutex);
    const bool has_left = desk_->changed.wait_for(lock, kLeavingLimit, [&] { return desk_->has_left; });
    lock.unlock();
    if (has_left) {
      reader_.join();
    } else {
      reader_.detach();
    }
  }

  void run() {
    place_thread(placement("skua-thermal"));
    std::unique_lock lock(desk_->mutex);
    // A source that is open by now is read at the first moment of the schedule, and not again for its
    // opening.
    is_opening_ = desk_->phase == Phase::kOpening;
    std::int64_t due = clock_.monotonic_ns();
    while (!desk_->is_stopping && desk_->phase != Phase::kFailed) {
      const std::int64_t now = clock_.monotonic_ns();
      if (now >= due) due = tick(due, now);
      unlocked(lock, [&] { monitor_.check(); });
      const std::int64_t wake = std::min(due, monitor_.strikes_at_ns());
      wait_for_news(lock, nanoseconds(std::max<std::int64_t>(wake - clock_.monotonic_ns(), 0)));
      if (desk_->has_reading) take(lock);
      if (has_just_opened()) due = now;  // the first reading at once
      is_opening_ = desk_->phase == Phase::kOpening;
    }
    if (desk_->phase == Phase::kFailed) tell_failure(lock);
  }

  bool has_just_opened() const { return is_opening_ && desk_->phase != Phase::kOpening; }

  /// A moment of the schedule: asks for a reading, unless the last one is still under way.
  std::int64_t tick(std::int64_t due, std::int64_t now) {
    if (desk_->phase == Phase::kIdle && !desk_->has_reading) {
      desk_->is_asked = true;
      desk_->asked_at_ns = now;
      desk_->changed.notify_all();
    }
    return next_due(due, now, period_ns_);
  }

  void wait_for_news(std::unique_lock<std::mutex>& lock, nanoseconds limit) {
    desk_->changed.wait_for(lock, limit,
                            [&] { return desk_->is_stopping || desk_->has_reading || has_just_opened(); });
  }

  void take(std::unique_lock<std::mutex>& lock) {
    const ThermalReading reading = desk_->reading;
    const std::int64_t asked_at_ns = desk_->asked_at_ns;
    desk_->has_reading = false;
    // `source` is set once, and its names do not change.
    unlocked(lock, [&] { monitor_.take(reading, asked_at_ns, *desk_->source); });
    has_published_ = true;
    desk_->changed.notify_all();
  }

  void tell_failure(std::unique_lock<std::mutex>& lock) {
    const Error error = *desk_->open_error;
    unlocked(lock, [&] { tell_unavailable(events_, options_.source, error); });
  }

  /// Without the desk's lock: what may take a while, or makes texts. Memory may run out there; the next poll
  /// tries again, and the flight goes on.
  template <typename Work>
  static void unlocked(std::unique_lock<std::mutex>& lock, Work work) {
    lock.unlock();
    try {
      work();
    } catch (const std::bad_alloc&) {
    }
    lock.lock();
  }

  const ThermalPollerOptions options_;
  EventSink& events_;
  const Clock& clock_;
  const std::int64_t period_ns_;
  ThermalMonitor monitor_;
  const std::shared_ptr<ReaderDesk> desk_ = std::make_shared<ReaderDesk>();
  bool has_published_ = false;  // guarded by the desk's mutex
  bool is_opening_ = false;     // as the poller thread last saw it
  std::thread poller_;
  std::thread reader_;
};

ThermalPoller::ThermalPoller(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ThermalPoller::~ThermalPoller() = default;

Result<std::unique_ptr<ThermalPoller>> ThermalPoller::start(const ThermalPollerOptions& options,
                                                            EventSink& events, const Clock& clock) {
  return start(options, events, clock, open_thermal_source);
}

Result<std::unique_ptr<ThermalPoller>> ThermalPoller::start(const ThermalPollerOptions& options,
                                                            EventSink& events, const Clock& clock,
                                                            OpenSource open) {
  SKUA_RETURN_IF_ERROR(check_core(options.cpu));
  auto impl = std::make_unique<Impl>(options, events, clock);
  try {
    impl->start(open);
  } catch (const std::system_error& error) {
    const Error failure =
        make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
                   "telemetry threads: expected two new threads, the system gives none (" +
                       std::string(error.what()) + "); raise the limit on threads (ulimit -u, TasksMax)",
                   error.code().value());
    tell_unavailable(events, options.source, failure);
    return failure;
  }
  SKUA_RETURN_IF_ERROR(impl->wait_for_first());
  return std::unique_ptr<ThermalPoller>(new ThermalPoller(std::move(impl)));
}

ThermalState ThermalPoller::state() const noexcept { return impl_->monitor().state(); }
const ThermalSource* ThermalPoller::source() const { return impl_->source(); }
std::string ThermalPoller::source_name() const {
  const ThermalSource* const open = source();
  return open == nullptr ? "opening" : std::string(open->name());
}
std::optional<Error> ThermalPoller::open_error() const { return impl_->open_error(); }
ThermalReport ThermalPoller::report() const { return impl_->monitor().report(); }

}  // namespace skua
