#include "telemetry/reader.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

namespace skua {
namespace {

Result<std::unique_ptr<ThermalSource>> open_guarded(const ThermalSourceOptions& options,
                                                    OpenThermalSource open) {
  try {
    return open(options);
  } catch (const std::exception& error) {  // out of memory, or a defect: the flight goes on without telemetry
    return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
                      "the thermal source could not be opened: " + std::string(error.what()));
  }
}

/// Opens the source outside the lock. False: there is none.
bool open_at(ReaderDesk& desk, const ThermalSourceOptions& options, OpenThermalSource open) {
  auto opened = open_guarded(options, open);
  const std::lock_guard lock(desk.mutex);
  if (opened.ok()) {
    desk.source = *std::move(opened);
    desk.phase = ReaderDesk::Phase::kIdle;
  } else {
    desk.open_error = std::move(opened).error();
    desk.phase = ReaderDesk::Phase::kFailed;
  }
  desk.changed.notify_all();
  return desk.phase == ReaderDesk::Phase::kIdle;
}

void read_when_asked(ReaderDesk& desk) {
  std::unique_lock lock(desk.mutex);
  for (;;) {
    desk.changed.wait(lock, [&] { return desk.is_asked || desk.is_stopping; });
    if (desk.is_stopping) return;
    desk.is_asked = false;
    desk.phase = ReaderDesk::Phase::kReading;
    lock.unlock();
    ThermalReading reading;
    desk.source->read(reading);
    lock.lock();
    desk.reading = reading;
    desk.has_reading = true;
    desk.phase = ReaderDesk::Phase::kIdle;
    desk.changed.notify_all();
  }
}

}  // namespace

void place_thread(const ThreadPlacement& placement) noexcept {
  pthread_setname_np(pthread_self(), placement.name.c_str());
  // What the starting thread is bound to, and how urgent it is, must not be inherited.
  constexpr sched_param kNoPriority{};
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &kNoPriority);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  bool is_known = true;
  if (placement.cpu >= 0) {
    CPU_SET(static_cast<std::size_t>(placement.cpu), &cpus);
  } else {
    is_known = sched_getaffinity(getpid(), sizeof(cpus), &cpus) == 0;
  }
  if (is_known) pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
  // Linux has a nice value per thread (setpriority(2), NOTES).
  const auto thread = static_cast<id_t>(gettid());
  errno = 0;
  const int found = getpriority(PRIO_PROCESS, thread);
  if (errno == 0 && found < placement.nice) setpriority(PRIO_PROCESS, thread, placement.nice);
}

void run_reader(const std::shared_ptr<ReaderDesk>& desk, const ThermalSourceOptions& options,
                OpenThermalSource open, const ThreadPlacement& placement) noexcept {
  place_thread(placement);
  if (open_at(*desk, options, open)) read_when_asked(*desk);
  const std::lock_guard lock(desk->mutex);
  desk->has_left = true;
  desk->changed.notify_all();
}

}  // namespace skua
