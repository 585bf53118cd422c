// A file system that fails on command: it counts every operation and fails the n-th, so that a test can sweep
// a fault through all of them until the code under test succeeds.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/filesystem.h"

namespace skua::test {

struct FaultPlan {
  std::uint64_t fail_at = 0;  ///< which operation fails, counted from 1; 0: none
  Reason reason = Reason::kIo;
  int error_number = EIO;
  bool crash = false;      ///< every later operation fails as well, as if the program had been killed there
  bool torn_write = true;  ///< a write that fails has put the first half of its bytes into the file
  ErrorCode code = ErrorCode::kIo;
  std::function<void(std::uint64_t operation)> before = {};  ///< called in front of each operation, from 1 on
};

/// Operation `fail_at` has no memory, as the system says it.
inline FaultPlan without_memory(std::uint64_t fail_at) {
  FaultPlan plan;
  plan.fail_at = fail_at;
  plan.code = ErrorCode::kOutOfMemory;
  plan.reason = Reason::kOutOfMemory;
  plan.error_number = ENOMEM;
  return plan;
}

/// Wraps another file system. Counted: every call that reaches the operating system, reads and lists
/// included. Thread-safe, since hashing reads in a thread of its own. Keep it alive as long as what it
/// opened.
class FaultFileSystem final : public FileSystem {
 public:
  explicit FaultFileSystem(FileSystem& real = posix_file_system());
  ~FaultFileSystem() override;

  /// Starts counting from zero under a new plan.
  void arm(const FaultPlan& plan);
  std::uint64_t operations() const;
  /// Whether the plan's operation was reached. A sweep ends when it was not.
  bool has_fired() const;
  /// "write engine.tmp", in order, the failed one included: for the message of a failed expectation.
  std::vector<std::string> journal() const;

  Result<std::unique_ptr<Folder>> open_folder(const std::filesystem::path& path) override;

  struct State;

 private:
  FileSystem& real_;
  std::shared_ptr<State> state_;
};

}  // namespace skua::test
