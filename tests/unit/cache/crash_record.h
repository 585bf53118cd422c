// What is on the disk before a scenario, and the log of what a program then does to it.
#pragma once

#include "crash_scenarios.h"

namespace skua::test {

/// A disk with a cache of one engine and no set.
inline MemoryTree crash_disk() {
  MemoryFileSystem disk;
  const auto root = disk.open_folder("/").value();
  for (const char* name : {"cache", "sets", "state"}) EXPECT_TRUE(accepted(root->make_folder(name)));
  EXPECT_TRUE(accepted(crash_publish_engine(disk, crash_plan(1300))));
  return disk.tree();
}

inline MemoryTree after(const MemoryTree& before, const std::vector<CrashAct>& acts) {
  MemoryFileSystem disk(before);
  for (const CrashAct& act : acts) EXPECT_TRUE(accepted(act(disk)));
  return disk.tree();
}

/// `act`, and what it did; its success is a promise.
inline CrashLog record(const MemoryTree& before, const CrashAct& act) {
  MemoryFileSystem disk(before);
  EXPECT_TRUE(accepted(act(disk)));
  return {before, disk.log(), 0, {disk.log().size()}};
}

enum class Interruption : std::uint8_t { kKill, kFault };

/// `first` interrupted at each of its operations that changes something, then `second`, and the power goes
/// while that runs. What `second` says by its success is a promise.
inline std::vector<CrashLog> record_after(Interruption how, const MemoryTree& before, const CrashAct& first,
                                          const CrashAct& second) {
  std::vector<CrashLog> logs;
  for (std::uint64_t n = 1; n < 1000; ++n) {
    MemoryFileSystem disk(before);
    FaultFileSystem interrupted(disk);
    interrupted.arm({n, Reason::kIo, EIO, how == Interruption::kKill});
    static_cast<void>(first(interrupted));
    if (!interrupted.has_fired()) return logs;
    const std::size_t from = disk.log().size();
    if (!logs.empty() && logs.back().from == from) continue;  // it was only reading
    const Status done = second(disk);
    CrashLog log{before, disk.log(), from, {}};
    if (done.ok()) log.promises = {log.ops.size()};
    logs.push_back(std::move(log));
  }
  ADD_FAILURE() << "the program does not end";
  return logs;
}

inline std::vector<CrashLog> record_after_kills(const MemoryTree& before, const CrashAct& first,
                                                const CrashAct& second) {
  return record_after(Interruption::kKill, before, first, second);
}

}  // namespace skua::test
