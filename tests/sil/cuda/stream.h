// One stream: a thread that does what was put on it, in order. Waiting is by sequence number, so that an
// event is no more than a number of a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sil {

class Stream;

/// A point in a stream's work: reached when the task of that number has ended. No stream: always reached.
struct Moment {
  std::shared_ptr<Stream> stream;
  std::uint64_t number = 0;

  bool is_reached() const;
  void wait() const;  ///< until it is reached or the device is lost
};

class Stream {
 public:
  using Work = std::function<cudaError_t()>;

  /// Starts the thread.
  static std::shared_ptr<Stream> open(bool is_blocking, int priority);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Puts `work` behind everything that is there; it begins when all of `after` is reached as well.
  std::uint64_t put(Work work, std::vector<Moment> after = {});
  std::uint64_t last() const;  ///< the number of the newest task
  bool is_done(std::uint64_t number);
  void wait(std::uint64_t number);
  /// The first error of its work that was no sticky one, handed out once.
  cudaError_t take_error();
  /// No more work comes; the thread ends after what is there. Waits for that end only if it is idle.
  void close();
  void wake();
  void abandon();  ///< what has not begun is left undone

  bool is_blocking() const { return is_blocking_; }  ///< ordered against the default stream
  int priority() const { return priority_; }

 private:
  struct Task {
    std::uint64_t number = 0;
    Work work;
    std::vector<Moment> after;
  };

  Stream(bool is_blocking, int priority);
  void run();
  bool next(Task& task);
  void finish(Task& task, cudaError_t error);
  void demand(std::uint64_t number);
  bool is_abandoned(const Task& task) const;

  const bool is_blocking_;
  const int priority_;
  mutable std::mutex mutex_;
  std::condition_variable has_work_;
  std::condition_variable has_ended_;
  std::deque<Task> tasks_;
  std::uint64_t put_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t demanded_ = 0;  ///< while streams are held, work up to here may run
  cudaError_t error_ = cudaSuccess;
  std::uint64_t abandoned_ = 0;  ///< work up to here is left undone
  bool is_closing_ = false;
  std::thread thread_;
};

/// Nothing that was put on any stream so far is begun any more.
void abandon_all_work();

/// After a setting changed that streams or those who wait for them look at.
void wake_all_streams();

}  // namespace sil
