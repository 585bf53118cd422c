#include "sil/control/faults.h"

#include <cuda_runtime_api.h>

#include <string_view>

#include "sil/control/function_names.h"
#include "sil/control/orders_pipe.h"
#include "sil/control/orders_text.h"
#include "sil/control/settings.h"
#include "sil/control/sil_control.h"

namespace sil {
namespace {

thread_local std::optional<WorkOrder> t_work_order;
thread_local std::optional<int> t_report;

bool is_cuda(std::string_view function) { return function.rfind("cuda", 0) == 0; }

Faults* make_faults() {
  auto* const made = new Faults;
  follow_environment(*made);
  follow_pipe(*made);
  return made;
}

}  // namespace

Faults& faults() {
  static Faults* const instance = make_faults();
  return *instance;
}

void Faults::add(Order order) {
  const std::lock_guard lock(mutex_);
  orders_.push_back(std::move(order));
}

std::optional<Order> Faults::next_order(const char* function) {
  const std::lock_guard lock(mutex_);
  auto counted = calls_.find(std::string_view(function));
  if (counted == calls_.end()) counted = calls_.emplace(function, 0).first;
  ++counted->second;
  if (has_failed_ && since_failure_.find(std::string_view(function)) == since_failure_.end())
    since_failure_.emplace(function);
  std::optional<Order> due;
  for (auto order = orders_.begin(); order != orders_.end();) {
    const bool is_meant = order->function == function;
    if (is_meant) ++order->seen;
    const bool is_due = is_meant && !due && (order->nth == kEveryCall || order->nth == order->seen);
    if (is_due) due = *order;
    order = is_due && order->nth != kEveryCall ? orders_.erase(order) : order + 1;
  }
  if (due && due->effect == Effect::fail_call) has_failed_ = true, since_failure_.clear();
  return due;
}

std::optional<int> Faults::ask(const char* function) {
  const std::optional<Order> order = next_order(function);
  if (!order) return std::nullopt;
  std::uint64_t release = 0;
  {
    const std::lock_guard lock(mutex_);
    release = releases_;
  }
  switch (order->effect) {
    case Effect::fail_call:
      if (order->is_sticky) {
        lose_device(is_cuda(function) ? static_cast<cudaError_t>(order->code) : cudaErrorLaunchFailure);
      }
      return order->code;
    case Effect::hang_call:
      wait_for_release(release);
      return std::nullopt;
    case Effect::report:
      t_report = order->code;
      return std::nullopt;
    case Effect::hang_work:
    case Effect::fail_work:
      t_work_order = WorkOrder{order->effect == Effect::hang_work, order->code, release};
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<WorkOrder> Faults::take_work_order() {
  const std::optional<WorkOrder> taken = t_work_order;
  t_work_order.reset();
  return taken;
}

std::optional<int> Faults::take_report() {
  const std::optional<int> taken = t_report;
  t_report.reset();
  return taken;
}

void Faults::wait_for_release(std::uint64_t release) {
  std::unique_lock lock(mutex_);
  released_.wait(lock, [this, release] { return releases_ != release; });
}

void Faults::release() {
  {
    const std::lock_guard lock(mutex_);
    ++releases_;
  }
  released_.notify_all();
}

void Faults::clear() {
  release();
  t_work_order.reset();
  const std::lock_guard lock(mutex_);
  orders_.clear();
  calls_.clear();
  has_failed_ = false;
  since_failure_.clear();
}

int Faults::calls(const std::string& function) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(function);
  return found == calls_.end() ? 0 : found->second;
}

std::string Faults::unknown_function() {
  const std::lock_guard lock(mutex_);
  for (const Order& order : orders_) {
    if (!is_known_function(order.function)) return order.function;
  }
  return {};
}

std::vector<std::string> Faults::functions() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, count] : calls_) names.push_back(name);
  return names;
}

std::vector<std::string> Faults::functions_since_failure() {
  const std::lock_guard lock(mutex_);
  return {since_failure_.begin(), since_failure_.end()};
}

}  // namespace sil
