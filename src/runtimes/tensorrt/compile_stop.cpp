#include "runtimes/tensorrt/compile_stop.h"

#include <csignal>

#include <atomic>

namespace skua::tensorrt {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);
struct sigaction former_action {};

void note_stop(int) { stop_requested.store(true); }

}  // namespace

StopSignal::StopSignal(std::chrono::seconds limit) : deadline_(std::chrono::steady_clock::now() + limit) {
  stop_requested.store(false);
  struct sigaction action {};
  action.sa_handler = &note_stop;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, &former_action);
}

StopSignal::~StopSignal() { ::sigaction(SIGTERM, &former_action, nullptr); }

Reason StopSignal::reason() const noexcept {
  if (stop_requested.load()) return Reason::kCancelled;
  return std::chrono::steady_clock::now() >= deadline_ ? Reason::kBuilderTimeout : Reason::kNone;
}

}  // namespace skua::tensorrt
