#include "runtimes/tensorrt/compile_monitor.h"

#include <algorithm>
#include <iterator>

namespace skua::tensorrt {
namespace {

constexpr std::chrono::milliseconds kBetweenSteps{100};

std::string text_of(char const* name) { return name == nullptr ? "" : name; }

}  // namespace

std::string BuildMonitor::open_phases() const {
  std::string text = "TensorRT";
  for (const Phase& phase : phases_) text += ": " + phase.name;
  return text;
}

// A line that cannot be composed for want of memory is not worth the build.
void BuildMonitor::phaseStart(char const* phaseName, char const*, int32_t nbSteps) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    phases_.push_back({text_of(phaseName), nbSteps});
    tell(open_phases(), phases_.size() > 1);
  } catch (...) {
  }
}

bool BuildMonitor::stepComplete(char const* phaseName, int32_t step) noexcept {
  const std::lock_guard lock(mutex_);
  if (stopped_for_ == Reason::kNone) stopped_for_ = stop_.reason();
  try {
    const std::string name = text_of(phaseName);
    const auto phase = std::find_if(phases_.rbegin(), phases_.rend(),
                                    [&name](const Phase& each) { return each.name == name; });
    if (phase != phases_.rend()) {
      tell(open_phases() + " " + std::to_string(step + 1) + "/" + std::to_string(phase->steps), true);
    }
  } catch (...) {
  }
  return stopped_for_ == Reason::kNone;
}

void BuildMonitor::phaseFinish(char const* phaseName) noexcept {
  const std::lock_guard lock(mutex_);
  const auto phase = std::find_if(phases_.rbegin(), phases_.rend(), [phaseName](const Phase& each) {
    return phaseName != nullptr && each.name == phaseName;
  });
  if (phase != phases_.rend()) phases_.erase(std::next(phase).base());
}

void BuildMonitor::tell(const std::string& text, bool is_step) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (is_step && now - last_told_ < kBetweenSteps) return;
  last_told_ = now;
  progress_.step(text);
}

Reason BuildMonitor::stopped_for() const noexcept {
  const std::lock_guard lock(mutex_);
  return stopped_for_;
}

}  // namespace skua::tensorrt
