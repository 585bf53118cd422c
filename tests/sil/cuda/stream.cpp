#include "sil/cuda/stream.h"

#include <algorithm>
#include <set>
#include <utility>

#include "sil/control/settings.h"

namespace sil {
namespace {

/// Every stream whose thread may still run, those already destroyed by the caller included.
struct AllStreams {
  std::mutex mutex;
  std::set<Stream*> streams;
};

AllStreams& all_streams() {
  static auto* const instance = new AllStreams;
  return *instance;
}

bool is_device_gone() { return settings().lost != cudaSuccess; }

cudaError_t outcome(const Stream::Work& work) {
  try {
    return work();
  } catch (...) {
    return cudaErrorUnknown;
  }
}

}  // namespace

bool Moment::is_reached() const { return stream == nullptr || stream->is_done(number); }

void Moment::wait() const {
  if (stream != nullptr) stream->wait(number);
}

void wake_all_streams() {
  AllStreams& all = all_streams();
  const std::lock_guard lock(all.mutex);
  for (Stream* const stream : all.streams) stream->wake();
}

void abandon_all_work() {
  AllStreams& all = all_streams();
  const std::lock_guard lock(all.mutex);
  for (Stream* const stream : all.streams) stream->abandon();
}

Stream::Stream(bool is_blocking, int priority) : is_blocking_(is_blocking), priority_(priority) {
  AllStreams& all = all_streams();
  const std::lock_guard lock(all.mutex);
  all.streams.insert(this);
}

Stream::~Stream() {
  AllStreams& all = all_streams();
  const std::lock_guard lock(all.mutex);
  all.streams.erase(this);
}

std::shared_ptr<Stream> Stream::open(bool is_blocking, int priority) {
  std::shared_ptr<Stream> stream(new Stream(is_blocking, priority));
  stream->thread_ = std::thread([stream] { stream->run(); });  // it keeps itself alive to its last task
  return stream;
}

void Stream::close() {
  bool is_idle = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closing_) return;
    is_closing_ = true;
    demanded_ = put_;
    is_idle = done_ == put_;
  }
  has_work_.notify_all();
  // CUDA's destruction of a stream does not wait for its work. An idle thread ends at once, and waiting for
  // it keeps the number of threads what it seems to be.
  is_idle ? thread_.join() : thread_.detach();
}

void Stream::wake() {
  { const std::lock_guard lock(mutex_); }
  has_work_.notify_all();
  has_ended_.notify_all();
}

void Stream::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = put_;
}

bool Stream::is_abandoned(const Task& task) const {
  const std::lock_guard lock(mutex_);
  return task.number <= abandoned_;
}

std::uint64_t Stream::put(Work work, std::vector<Moment> after) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back({++put_, std::move(work), std::move(after)});
  has_work_.notify_all();
  return put_;
}

std::uint64_t Stream::last() const {
  const std::lock_guard lock(mutex_);
  return put_;
}

void Stream::demand(std::uint64_t number) {
  if (demanded_ >= number) return;
  demanded_ = number;
  has_work_.notify_all();
}

bool Stream::is_done(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  demand(number);
  return done_ >= number;
}

void Stream::wait(std::uint64_t number) {
  std::unique_lock lock(mutex_);
  demand(number);
  has_ended_.wait(lock, [&] { return done_ >= number || is_device_gone(); });
}

cudaError_t Stream::take_error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, cudaSuccess);
}

bool Stream::next(Task& task) {
  std::unique_lock lock(mutex_);
  has_work_.wait(lock, [this] {
    if (tasks_.empty()) return is_closing_;
    return !settings().are_streams_held || is_device_gone() || tasks_.front().number <= demanded_;
  });
  if (tasks_.empty()) return false;
  task = std::move(tasks_.front());
  tasks_.pop_front();
  return true;
}

void Stream::finish(Task& task, cudaError_t error) {
  task.work = nullptr;  // what it holds goes before anybody hears of its end
  task.after.clear();
  if (is_sticky(error)) lose_device(error);
  const std::lock_guard lock(mutex_);
  if (error_ == cudaSuccess && !is_sticky(error)) error_ = error;
  done_ = task.number;
  has_ended_.notify_all();
}

void Stream::run() {
  Task task;
  while (next(task)) {
    for (const Moment& moment : task.after) moment.wait();
    // A lost device does no more work, but whoever waits for it has to hear so.
    finish(task, is_device_gone() || is_abandoned(task) ? cudaSuccess : outcome(task.work));
  }
}

}  // namespace sil
