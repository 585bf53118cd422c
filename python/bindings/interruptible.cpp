#include "interruptible.h"

#include <chrono>

namespace skua::python {
namespace {

namespace nb = nanobind;

/// One piece of work and its end.
class Watched {
 public:
  explicit Watched(const std::function<void()>& work) {
    const BlockedSignals blocked;  // they are the program's threads'
    thread_ = std::thread([this, &work] { run(work); });
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { thread_.join(); }

  bool wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, limit, [&] { return has_ended_; });
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  void run(const std::function<void()>& work) {
    try {
      work();
    } catch (...) {
      thrown_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    ended_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::exception_ptr thrown_;
  std::thread thread_;
};

}  // namespace

nb::object run_watched(const std::function<void()>& work, const std::function<void()>& interrupt) {
  constexpr std::chrono::milliseconds kLook{50};
  nb::object raised;
  Watched watched(work);
  for (bool has_ended = false; !has_ended;) {
    has_ended = without_gil([&] { return watched.wait(kLook); });
    if (raised.is_valid() || PyErr_CheckSignals() == 0) continue;
    const nb::python_error error;  // takes what the handler raised
    raised = nb::borrow(error.value());
    if (!has_ended) interrupt();
  }
  if (!raised.is_valid()) watched.rethrow();
  return raised;
}

}  // namespace skua::python
