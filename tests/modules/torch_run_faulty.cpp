// Stands between the airborne program and libskua_torch_run.so: everything is the real library's, which lies
// beside it as libskua_torch_run_real.so, but one run of one network goes wrong as SKUA_TEST_FAULT says:
// "<model>:<n>:<what>", its n-th run from 1. Only runs are counted that begin while the file
// SKUA_TEST_FAULT_WHILE exists; a flight's record is such a file, so that golden runs and the map's do not
// count. tests/e2e/test_flight_faults.py puts both in place.
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "runtimes/pytorch/torch_bridge.h"

namespace {

using skua::EngineRecord;
using skua::ErrorCode;
using skua::Execution;
using skua::LoadedEngine;
using skua::Reason;
using skua::Result;
using skua::Shape;
using skua::Status;
using skua::TensorView;
using skua::pytorch::RunBridge;
using skua::pytorch::RunPlan;

constexpr int kIllegalAddress = 700;

struct Fault {
  std::string model, what;
  std::filesystem::path while_exists;
  int nth = 0;
  std::atomic<int> runs{0};
};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Read once; a text that is not understood ends the test.
Fault& fault() {
  static Fault only;
  static const bool is_read = [] {
    only.while_exists = variable("SKUA_TEST_FAULT_WHILE");
    const std::string text = variable("SKUA_TEST_FAULT");
    if (text.empty()) return true;
    const std::size_t first = text.find(':'), second = text.find(':', first + 1);
    if (second == std::string::npos) std::abort();
    only.model = text.substr(0, first);
    only.nth = std::atoi(text.substr(first + 1, second - first - 1).c_str());
    only.what = text.substr(second + 1);
    return true;
  }();
  static_cast<void>(is_read);
  return only;
}

[[noreturn]] void hang() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void sleep_past(std::optional<std::int64_t> deadline_ns) {
  if (!deadline_ns) return;
  using Clock = std::chrono::steady_clock;
  std::this_thread::sleep_until(Clock::time_point(std::chrono::nanoseconds(*deadline_ns)) +
                                std::chrono::milliseconds(20));
}

class FaultyExecution final : public Execution {
 public:
  FaultyExecution(std::unique_ptr<Execution> real, bool is_chosen)
      : real_(std::move(real)), is_chosen_(is_chosen) {}
  TensorView input(std::size_t index) const noexcept override { return real_->input(index); }
  TensorView output(std::size_t index) const noexcept override { return real_->output(index); }
  Status set_input_shape(std::size_t index, const Shape& shape) override {
    return real_->set_input_shape(index, shape);
  }
  Status run(std::optional<std::int64_t> deadline_ns) noexcept override {
    std::error_code ignored;
    const bool counts = is_chosen_ && std::filesystem::exists(fault().while_exists, ignored);
    const int number = counts ? ++fault().runs : 0;
    const bool is_lost = fault().what == "device_lost" && number > fault().nth;  // for ever
    if (!counts || (number != fault().nth && !is_lost)) return real_->run(deadline_ns);
    return go_wrong(deadline_ns);
  }
  Status warm_up(const EngineRecord& record) override { return real_->warm_up(record); }

 private:
  Status go_wrong(std::optional<std::int64_t> deadline_ns) noexcept {
    const std::string& what = fault().what;
    const auto failed = [](Reason reason, int native = 0) {
      return skua::Error{ErrorCode::kInference, reason, native, {}};
    };
    if (what == "device_lost") return failed(Reason::kDeviceLost, kIllegalAddress);
    if (what == "execution_failed") return failed(Reason::kExecutionFailed);
    if (what == "deadline_missed") return failed(Reason::kDeadlineMissed);
    if (what == "out_of_memory") return skua::Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
    if (what == "hang") hang();
    if (what != "slow") std::abort();
    sleep_past(deadline_ns);
    return real_->run(deadline_ns);
  }

  std::unique_ptr<Execution> real_;
  bool is_chosen_;
};

class FaultyEngine final : public LoadedEngine {
 public:
  FaultyEngine(std::unique_ptr<LoadedEngine> real, bool is_chosen)
      : real_(std::move(real)), is_chosen_(is_chosen) {}
  skua::EngineReport report() const override { return real_->report(); }
  Result<std::unique_ptr<Execution>> create_execution() override {
    SKUA_ASSIGN_OR_RETURN(auto real, real_->create_execution());
    return std::unique_ptr<Execution>(std::make_unique<FaultyExecution>(std::move(real), is_chosen_));
  }

 private:
  std::unique_ptr<LoadedEngine> real_;
  bool is_chosen_;
};

const RunBridge* real_bridge() {
  Dl_info self{};
  if (::dladdr(reinterpret_cast<const void*>(&real_bridge), &self) == 0) return nullptr;
  const auto folder = std::filesystem::path(self.dli_fname).parent_path();
  void* const library = ::dlopen((folder / "libskua_torch_run_real.so").c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  void* const function = ::dlsym(library, skua::pytorch::kRunBridgeSymbol);
  return function == nullptr ? nullptr : reinterpret_cast<skua::pytorch::RunBridgeFunction>(function)();
}

const RunBridge* the_real() {
  static const RunBridge* const bridge = real_bridge();
  return bridge;
}

Result<std::unique_ptr<LoadedEngine>> load(std::span<const std::byte> archive, const EngineRecord& record,
                                           const RunPlan& plan) {
  SKUA_ASSIGN_OR_RETURN(auto real, the_real()->load(archive, record, plan));
  return std::unique_ptr<LoadedEngine>(
      std::make_unique<FaultyEngine>(std::move(real), record.model == fault().model));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const RunBridge* skua_torch_run_bridge() {
  if (the_real() == nullptr) return nullptr;
  static const RunBridge bridge = [] {
    RunBridge made = *the_real();
    made.load = &load;
    return made;
  }();
  return &bridge;
}
