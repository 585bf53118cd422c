#include "core/trace_session.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "core/blocked_signals.h"
#include "core/output_file.h"
#include "core/trace_writer.h"

namespace skua {
namespace {

std::atomic<TraceRing*> process_ring{nullptr};
std::atomic<std::uint32_t> trace_number{0};
std::atomic<bool> is_trace_taken{false};

Error second_trace(const std::filesystem::path& file) {
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
      "--trace " + file.string() + ": expected no other trace, found one that is going on; end it first");
}

Error no_room(const std::filesystem::path& file, std::string_view missing, int native_code) {
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                    "--trace " + file.string() + ": expected " + std::string(missing) +
                        ", the system gives none; free memory, or do without the trace",
                    native_code);
}

}  // namespace

CurrentTrace current_trace() noexcept {
  return {process_ring.load(std::memory_order_acquire), trace_number.load(std::memory_order_relaxed)};
}

/// The one trace of the process, until it is given back or its owner goes.
class TraceTurn {
 public:
  TraceTurn() noexcept : is_mine_(!is_trace_taken.exchange(true)) {}
  TraceTurn(TraceTurn&& other) noexcept : is_mine_(std::exchange(other.is_mine_, false)) {}
  TraceTurn& operator=(TraceTurn&&) = delete;
  ~TraceTurn() { give_back(); }
  void give_back() noexcept {
    if (std::exchange(is_mine_, false)) is_trace_taken.store(false);
  }
  bool is_mine() const noexcept { return is_mine_; }

 private:
  bool is_mine_;
};

/// What a trace is begun with.
struct TraceParts {
  TraceTurn turn;
  Descriptor file;
};

/// What the session and its writer share. A writer that is left behind has in it all that it still touches:
/// of what others own there is only the sink of events, which it touches no more (TraceWriter::leave_behind).
struct TraceState {
  TraceState(TraceTurn taken, TraceOptions given, Descriptor file, TraceRing& ring)
      : turn(std::move(taken)), options(std::move(given)), writer(std::move(file), ring, options) {}

  TraceTurn turn;  ///< given back by the writer's thread
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
  state->turn.give_back();
  state->has_ended = true;
  state->changed.notify_all();
}

/// Throws std::bad_alloc.
TraceRing& ring_of_process() {
  // Nobody else makes one: whoever is here has the process's turn.
  if (process_ring.load() == nullptr) process_ring.store(new TraceRing(TraceSession::kCapacity));
  return *process_ring.load();
}

}  // namespace

TraceSession::TraceSession(std::shared_ptr<TraceState> state) noexcept : state_(std::move(state)) {}

Result<std::unique_ptr<TraceSession>> TraceSession::start(TraceOptions options) {
  TraceTurn turn;  // before the file is touched: it may be the other trace's
  if (!turn.is_mine()) return second_trace(options.file);
  SKUA_ASSIGN_OR_RETURN(Descriptor file, open_output("--trace", options.file));
  return begin(TraceParts{std::move(turn), std::move(file)}, std::move(options));
}

Result<std::unique_ptr<TraceSession>> TraceSession::start_in(Descriptor file, TraceOptions options) {
  TraceTurn turn;
  if (!turn.is_mine()) return second_trace(options.file);
  return begin(TraceParts{std::move(turn), std::move(file)}, std::move(options));
}

Result<std::unique_ptr<TraceSession>> TraceSession::begin(TraceParts parts, TraceOptions options) {
  const char* missing = "memory for its spans";
  try {
    auto state = std::make_shared<TraceState>(std::move(parts.turn), options, std::move(parts.file),
                                              ring_of_process());
    std::unique_ptr<TraceSession> session(new TraceSession(state));
    missing = "a thread to write it";
    const BlockedSignals inherited;
    session->thread_ = std::thread([shared = std::move(state)] { run_trace_thread(shared); });
    trace_number.fetch_add(1);
    is_trace_on.store(true);  // after what keep() reads behind it
    return session;
  } catch (const std::bad_alloc&) {
    return no_room(options.file, missing, 0);
  } catch (const std::system_error& error) {
    return no_room(options.file, missing, error.code().value());
  }
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
  if (has_ended) {
    thread_.join();
  } else {
    state_->writer.leave_behind();
    thread_.detach();
  }
}

TraceCounts TraceSession::counts() const noexcept { return state_->writer.counts(); }

}  // namespace skua
