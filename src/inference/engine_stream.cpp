#include "inference/engine_stream.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "inference/engine_folder.h"

namespace skua {

Status PreparedEngine::status() const {
  if (!engine.ok()) return engine.error();
  if (!golden.ok()) return golden.error();
  return {};
}

PreparedEngine prepare_engine(Result<VerifiedEngine> engine, Folder& golden, const Clock& clock,
                              std::int64_t start_ns) {
  Result<GoldenVectors> vectors = GoldenVectors();
  if (engine.ok()) {
    BufferPool pool(0);
    vectors = read_golden(golden, engine->record().golden, pool);
  }
  return {std::move(engine), std::move(vectors), clock.monotonic_ns() - start_ns};
}

// One engine alone is read beside its hashing. Where several are read at once every core has one, and a
// thread more for each would only move bytes between the cores. A buffer is made only when the pool has none,
// so keeping one for the consumer, too, makes no more of them; it saves one from being freed that the next
// engine is about to ask for.
EngineStream::EngineStream(Folder& engines, Folder& golden,
                           const std::vector<EngineExpectation>& expectations, const Clock& clock,
                           std::size_t workers)
    : engines_(engines),
      golden_(golden),
      expectations_(expectations),
      clock_(clock),
      ahead_(std::max<std::size_t>(workers, 1)),
      reading_(workers > 1 ? Reading::kInTurn : Reading::kBesideHashing),
      pool_(ahead_ + 1, expectations.size()),
      done_(expectations.size()) {
  start(workers);
}

EngineStream::~EngineStream() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
}

void EngineStream::start(std::size_t workers) {
  threads_.reserve(workers);
  for (std::size_t i = 0; i < std::min(workers, expectations_.size()); ++i) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return;  // slower, not wrong: without any thread next() does the work itself
    }
  }
}

PreparedEngine EngineStream::next() {
  if (threads_.empty()) return prepare(handed_out_++);
  std::unique_lock lock(mutex_);
  std::optional<PreparedEngine>& slot = done_[handed_out_];
  changed_.wait(lock, [&] { return slot.has_value() || failure_ != nullptr; });
  if (!slot.has_value()) std::rethrow_exception(failure_);
  PreparedEngine prepared = *std::exchange(slot, std::nullopt);
  ++handed_out_;
  lock.unlock();
  changed_.notify_all();
  return prepared;
}

std::optional<std::size_t> EngineStream::claim() {
  std::unique_lock lock(mutex_);
  const auto is_ended = [&] { return is_over_ || begun_ == expectations_.size(); };
  changed_.wait(lock, [&] { return is_ended() || begun_ < handed_out_ + ahead_; });
  if (is_ended()) return std::nullopt;
  return begun_++;
}

void EngineStream::work() noexcept {
  try {
    while (const std::optional<std::size_t> index = claim()) {
      PreparedEngine prepared = prepare(*index);
      const std::lock_guard lock(mutex_);
      done_[*index].emplace(std::move(prepared));
      changed_.notify_all();
    }
  } catch (...) {  // no memory even for an error's text: next() throws it on
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    is_over_ = true;
    changed_.notify_all();
  }
}

PreparedEngine EngineStream::prepare(std::size_t index) {
  const std::int64_t start_ns = clock_.monotonic_ns();
  auto engine = EngineGate::admit(engines_, expectations_[index], pool_, reading_);
  return prepare_engine(std::move(engine), golden_, clock_, start_ns);
}

}  // namespace skua
