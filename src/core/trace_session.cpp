#include "core/trace_session.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
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

Error standing_disk(const TraceOptions& options) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kIo,
                    "--trace " + options.file.string() + ": expected a disk that opens it within " +
                        std::to_string(options.begin_limit.count()) +
                        " ms, found one that stands still; name a file on another one");
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

/// What the session and its writer share. A writer that is left behind has in it all that it still touches:
/// of what others own there is only the sink of events, which it touches no more (TraceWriter::leave_behind).
struct TraceState {
  TraceState(TraceTurn taken, TraceOptions given, TraceRing& ring)
      : turn(std::move(taken)), options(std::move(given)), writer(ring, options) {}

  TraceTurn turn;  ///< given back by the writer's thread
  const TraceOptions options;
  TraceWriter writer;
  std::mutex mutex;  ///< guards what is below
  std::condition_variable changed;
  std::optional<Status> opened;  ///< the disk's answer; none: it stands still
  bool is_stopping = false, has_ended = false;
};

namespace {

using OpenFile = std::function<Result<Descriptor>()>;

Result<Descriptor> open_file(const TraceOptions& options, const OpenFile& open) noexcept {
  try {
    return open ? open() : open_output("--trace", options.file);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  }
}

/// Whether there is a file to write to, and somebody who still wants it.
bool begin_writing(TraceState& state, OpenFile open) noexcept {
  Result<Descriptor> answer = open_file(state.options, open);
  open = nullptr;  // it may hold much
  std::optional<Descriptor> file;
  Status opened;
  if (answer.ok()) {
    file.emplace(*std::move(answer));
  } else {
    opened = std::move(answer).error();
  }
  {
    const std::lock_guard lock(state.mutex);
    if (state.is_stopping) return false;
    state.opened = std::move(opened);
  }
  state.changed.notify_all();
  if (!file) return false;
  state.writer.begin(*std::move(file));
  return true;
}

void write_to_the_end(TraceState& state) noexcept {
  for (bool is_stopping = false; !is_stopping;) {
    {
      std::unique_lock lock(state.mutex);
      is_stopping = state.changed.wait_for(lock, state.options.interval, [&] { return state.is_stopping; });
    }
    if (!is_stopping) state.writer.drain();
  }
  state.writer.finish();
}

void run_trace_thread(const std::shared_ptr<TraceState>& state, OpenFile open) noexcept {
  ::pthread_setname_np(::pthread_self(), "skua-trace");
  if (begin_writing(*state, std::move(open))) write_to_the_end(*state);
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
  OpenFile open = std::exchange(options.open, nullptr);
  const char* missing = "memory for its spans";
  try {
    auto state = std::make_shared<TraceState>(std::move(turn), options, ring_of_process());
    std::unique_ptr<TraceSession> session(new TraceSession(state));
    missing = "a thread to write it";
    {
      const BlockedSignals inherited;
      session->thread_ = std::thread([shared = std::move(state), open = std::move(open)]() mutable {
        run_trace_thread(shared, std::move(open));
      });
    }
    missing = "memory to open it";
    SKUA_RETURN_IF_ERROR(session->await_file());
    trace_number.fetch_add(1);
    is_trace_on.store(true);  // after what keep() reads behind it
    return session;
  } catch (const std::bad_alloc&) {
    return no_room(options.file, missing, 0);
  } catch (const std::system_error& error) {
    return no_room(options.file, missing, error.code().value());
  }
}

/// Who gives up leaves the thread behind, with what it stands in: a file that is opened after all is closed
/// as it is.
Status TraceSession::await_file() {
  std::unique_lock lock(state_->mutex);
  const bool has_answer = state_->changed.wait_for(lock, state_->options.begin_limit,
                                                   [this] { return state_->opened.has_value(); });
  if (has_answer && state_->opened->ok()) return {};
  state_->is_stopping = true;
  lock.unlock();
  if (!has_answer) {
    thread_.detach();
    return standing_disk(state_->options);
  }
  thread_.join();
  Error refused = std::move(*state_->opened).error();
  if (refused.code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
  return refused;
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
