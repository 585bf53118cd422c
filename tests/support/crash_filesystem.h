// What a disk may hold after the power went: every prefix of what was done, under three models of what had
// reached the disk by then.
//   A  everything that was done
//   B  only what was synced: a file's bytes by the file's sync, an entry by its folder's
//   C  what was synced, and any choice of the rest: each entry by itself, in no order; of a file a length and
//      any choice of its 512-byte blocks, the others read as zeros
// A rename, also one between folders, happens as a whole or not at all; it is on the disk for certain once
// every folder that it changed was synced.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "memory_filesystem.h"

namespace skua::test {

/// One run of a program over a MemoryFileSystem.
struct CrashLog {
  MemoryTree before;                  ///< all of it on the disk
  std::vector<DiskOp> ops;            ///< what was done then
  std::size_t from = 0;               ///< the power goes after this many operations at the earliest
  std::vector<std::size_t> promises;  ///< after so many operations the program said that something will last
};

/// What a state is judged by: empty, or what is wrong with it. `promises` have been given when the power
/// goes. The judge may change the disk.
using CrashJudge = std::function<std::string(MemoryFileSystem& disk, std::size_t promises)>;

/// Judges states of one or more logs, each state once.
class CrashExplorer {
 public:
  explicit CrashExplorer(CrashJudge judge) : judge_(std::move(judge)) {}

  /// Models A and B of every prefix, and of C what keeps or loses one thing.
  void explore_edges(const CrashLog& log);
  /// States of model C by chance, until there are `wanted` distinct ones, or no new ones come any more.
  void explore_by_chance(const CrashLog& log, std::size_t wanted, std::uint64_t seed);

  /// Of all trees that were judged; names of temporaries do not make a difference.
  const std::set<std::string>& states() const noexcept { return states_; }
  std::size_t judged() const noexcept { return judged_.size(); }
  /// The first few.
  const std::vector<std::string>& violations() const noexcept { return violations_; }
  /// Nothing more is judged once there is a violation.
  void stop_at_first() noexcept { stops_ = true; }

 private:
  class Moment;
  bool is_over() const noexcept { return stops_ && !violations_.empty(); }
  void judge(const MemoryTree& tree, const Moment& moment, const std::string& what);

  CrashJudge judge_;
  std::set<std::string> states_;  // digests, in hex
  std::set<std::pair<std::string, std::size_t>> judged_;
  std::vector<std::string> violations_;
  bool stops_ = false;
};

}  // namespace skua::test
