// An orderly end of a build: the parent process asks with SIGTERM (Ctrl-C, or its own time limit), the build
// looks at every step, and after `trtexec_timeout_s` it ends by itself.
#pragma once

#include <chrono>

#include "skua/reason.h"

namespace skua::tensorrt {

/// While one lives, SIGTERM is noted instead of ending the process. One at a time.
class StopSignal {
 public:
  explicit StopSignal(std::chrono::seconds limit);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// kCancelled, kBuilderTimeout, or kNone: go on. Any thread.
  Reason reason() const noexcept;
  std::chrono::steady_clock::time_point deadline() const noexcept { return deadline_; }

 private:
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace skua::tensorrt
