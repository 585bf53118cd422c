// What a strategy implements beside InferenceRuntime's protected functions: an engine, and its executions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "skua/tensor.h"

namespace skua {

struct EngineRecord;

/// Memory placed once for (engine, lane), and the call that runs it. One thread at a time; the base sees to
/// that.
class Execution {
 public:
  virtual ~Execution() = default;
  virtual TensorView input(std::size_t index) const noexcept = 0;
  virtual TensorView output(std::size_t index) const noexcept = 0;
  /// The base has checked `shape` against the profile.
  virtual Status set_input_shape(std::size_t index, const Shape& shape) = 0;
  /// Runs synchronously. A device runtime returns at `deadline_ns` (monotonic) at the latest; a CPU runtime
  /// may ignore it, the base judges it before and after. No message on a failure: reason and native code
  /// only.
  virtual Status run(std::optional<std::int64_t> deadline_ns) noexcept = 0;
  /// Called once, before anything but a golden run: runs at every shape that may come until later runs are as
  /// quick as they get (warm_runs.h), and leaves every input at its profile's `opt`. This one only does the
  /// latter. An error: the device is lost or hangs, memory ran out, or no run has a result that should have.
  virtual Status warm_up(const EngineRecord& record);
};

/// What the SDK says of an engine it has loaded; the base compares it with the record.
struct EngineReport {
  std::vector<TensorSpec> inputs, outputs;  ///< name, dtype, shape as the SDK reports them
  std::string device, provider, arithmetic, sdk_version;
};

/// Several may be made and given executions at once, by several threads; one engine belongs to one of them.
class LoadedEngine {
 public:
  virtual ~LoadedEngine() = default;
  virtual EngineReport report() const = 0;
  /// Inputs at their profile's `opt` shape (static ones at their own), outputs at their capacity.
  virtual Result<std::unique_ptr<Execution>> create_execution() = 0;
};

}  // namespace skua
