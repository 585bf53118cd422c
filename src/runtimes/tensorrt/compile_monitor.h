// TensorRT's progress as lines for the terminal, and the way to end a build from outside.
#pragma once

#include <NvInfer.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "inference/compile_job.h"
#include "runtimes/tensorrt/compile_stop.h"

namespace skua::tensorrt {

/// Phases nest, may end early or start twice, and come from several threads: what is shown are the names of
/// the open phases and the step of the inner one, not a share of the whole.
class BuildMonitor final : public nvinfer1::IProgressMonitor {
 public:
  BuildMonitor(CompileProgress& progress, const StopSignal& stop) : progress_(progress), stop_(stop) {}

  void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept override;
  bool stepComplete(char const* phaseName, int32_t step) noexcept override;
  void phaseFinish(char const* phaseName) noexcept override;

  /// Why the build was ended by this monitor; kNone: it was not.
  Reason stopped_for() const noexcept;

 private:
  struct Phase {
    std::string name;
    int steps;
  };
  void tell(const std::string& text, bool is_step) noexcept;
  std::string open_phases() const;

  CompileProgress& progress_;
  const StopSignal& stop_;
  mutable std::mutex mutex_;
  std::vector<Phase> phases_;
  std::chrono::steady_clock::time_point last_told_{};
  Reason stopped_for_ = Reason::kNone;
};

}  // namespace skua::tensorrt
