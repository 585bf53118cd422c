// Engines of a flight set, verified into private memory one after the other ahead of whoever consumes them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cache/engine_gate.h"
#include "cache/golden.h"
#include "skua/ports.h"

namespace skua {

/// An engine's bytes behind the engine gate, and its golden vectors.
struct PreparedEngine {
  Result<VerifiedEngine> engine;
  Result<GoldenVectors> golden;  ///< empty where the engine was refused
  std::int64_t verify_ns = 0;

  /// The engine's refusal, else the golden file's.
  Status status() const;
};

/// Reads the golden vectors of an engine that was admitted; `start_ns` is when its admission began.
PreparedEngine prepare_engine(Result<VerifiedEngine> engine, Folder& golden, const Clock& clock,
                              std::int64_t start_ns);

/// Hands out engines in the order given, while `workers` threads read and hash the next ones. Besides the one
/// handed out last at most `workers` engines are in memory. Memory that is let go of is used again. Folders,
/// expectations and clock must outlive it; one thread.
class EngineStream {
 public:
  EngineStream(Folder& engines, Folder& golden, const std::vector<EngineExpectation>& expectations,
               const Clock& clock, std::size_t workers = 1);
  /// Waits for what is being read.
  ~EngineStream();
  EngineStream(const EngineStream&) = delete;
  EngineStream& operator=(const EngineStream&) = delete;

  /// The next engine, refused or not. Requires that there is one. Throws std::bad_alloc.
  PreparedEngine next();

 private:
  void start(std::size_t workers);
  void work() noexcept;
  std::optional<std::size_t> claim();
  PreparedEngine prepare(std::size_t index);

  Folder& engines_;
  Folder& golden_;
  const std::vector<EngineExpectation>& expectations_;
  const Clock& clock_;
  const std::size_t ahead_;  ///< engines that may be begun beyond those handed out
  const Reading reading_;
  BufferPool pool_;

  std::mutex mutex_;  ///< guards what follows, but for the threads themselves
  std::condition_variable changed_;
  std::size_t begun_ = 0, handed_out_ = 0;
  bool is_over_ = false;
  std::vector<std::optional<PreparedEngine>> done_;  ///< by index; empty before and after
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;  ///< last: they use all of the above
};

}  // namespace skua
