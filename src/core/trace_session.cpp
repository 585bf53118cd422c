#include "core/trace_session.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "core/blocked_signals.h"
#include "core/trace_writer.h"

namespace skua {
namespace {

std::atomic<TraceRing*> process_ring{nullptr};
std::atomic<std::uint32_t> trace_number{0};
std::atomic<bool> is_trace_taken{false};

Result<int> open_trace(const std::filesystem::path& file) {
  const int fd =
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0644);
  if (fd >= 0) return fd;
  const int problem = errno;
  return make_error(ErrorCode::kInvalidArgument, Reason::kIo,
                    "trace " + file.string() + ": expected a file that can be created or emptied, found '" +
                        std::strerror(problem) + "'; name one that can be written, and no link",
                    problem);
}

Error no_room(const std::filesystem::path& file, std::string_view missing, int native_code) {
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                    "trace " + file.string() + ": expected " + std::string(missing) +
                        ", the system gives none; free memory, or do without the trace",
                    native_code);
}

}  // namespace

CurrentTrace current_trace() noexcept {
  return {process_ring.load(std::memory_order_acquire), trace_number.load(std::memory_order_relaxed)};
}

/// What the session and its writer share; a writer that is left behind has all it still touches.
struct TraceState {
  TraceState(TraceOptions given, int fd, TraceRing& ring)
      : options(std::move(given)), writer(fd, ring, options) {}
  ~TraceState() { is_trace_taken.store(false); }

  const TraceOptions options;
  TraceWriter writer;
  std::mutex mutex;  ///< guards the two below
  std::condition_variable changed;
  bool is_stopping = false, has_ended = false;
};

namespace {

void run_trace_thread(const std::shared_ptr<TraceState>& state) noexcept {
  ::pthread_setname_np(::pthread_self(), "skua-trace");
  state->writer.begin();
  for (bool is_stopping = false; !is_stopping;) {
    {
      std::unique_lock lock(state->mutex);
      is_stopping =
          state->changed.wait_for(lock, state->options.interval, [&] { return state->is_stopping; });
    }
    if (!is_stopping) state->writer.drain();
  }
  state->writer.finish();
  const std::lock_guard lock(state->mutex);
  state->has_ended = true;
  state->changed.notify_all();
}

/// Requires that no other trace is going on.
Result<std::shared_ptr<TraceState>> make_state(TraceOptions options) {
  SKUA_ASSIGN_OR_RETURN(const int fd, open_trace(options.file));
  const std::filesystem::path file = options.file;
  try {
    if (process_ring.load() == nullptr) process_ring.store(new TraceRing(TraceSession::kCapacity));
    return std::make_shared<TraceState>(std::move(options), fd, *process_ring.load());
  } catch (const std::bad_alloc&) {
    ::close(fd);
    return no_room(file, "memory for its spans", 0);
  }
}

}  // namespace

TraceSession::TraceSession(std::shared_ptr<TraceState> state) noexcept : state_(std::move(state)) {}

Result<std::unique_ptr<TraceSession>> TraceSession::start(TraceOptions options) {
  if (is_trace_taken.exchange(true)) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "trace " + options.file.string() +
                          ": expected no other trace, found one that is going on; end it first");
  }
  auto state = make_state(std::move(options));
  if (!state.ok()) {
    is_trace_taken.store(false);
    return std::move(state).error();
  }
  std::unique_ptr<TraceSession> session(new TraceSession(*state));
  try {
    const BlockedSignals inherited;
    session->thread_ = std::thread([shared = *state] { run_trace_thread(shared); });
  } catch (const std::system_error& error) {
    return no_room((*state)->options.file, "a thread to write it", error.code().value());
  }
  trace_number.fetch_add(1);
  is_trace_on.store(true);
  return session;
}

TraceSession::~TraceSession() { stop(); }

void TraceSession::stop() noexcept {
  if (!thread_.joinable()) return;
  is_trace_on.store(false);
  std::unique_lock lock(state_->mutex);
  state_->is_stopping = true;
  state_->changed.notify_all();
  const bool has_ended =
      state_->changed.wait_for(lock, state_->options.end_limit, [this] { return state_->has_ended; });
  lock.unlock();
  has_ended ? thread_.join() : thread_.detach();
}

TraceCounts TraceSession::counts() const noexcept { return state_->writer.counts(); }

}  // namespace skua
