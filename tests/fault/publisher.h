// A process that publishes signed set after set until it is killed, one that reads meanwhile, and what they
// tell the test that kills the first one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "child.h"
#include "flight_world.h"

namespace skua::test {

/// In shared memory.
struct Publishing {
  std::atomic<std::uint64_t> begun{0};      ///< number of the set that was begun last
  std::atomic<std::uint64_t> committed{0};  ///< number of the set that was published last
  std::atomic<std::int64_t> last_ns{0};     ///< what the last whole publish took
  std::atomic<std::uint64_t> reads{0};      ///< of the reader: sets that passed the whole gate
  std::atomic<std::uint64_t> misses{0};     ///< of the reader: CURRENT had moved on, and it looked again
  std::atomic<std::uint64_t> bad{0};        ///< of the reader: what must never be seen
  char first_bad[1024] = {};
};

using Publish = std::function<Status(const World&, const EngineRecord&, std::uint64_t number)>;

/// Publishes the sets after `committed`, one after the other, for ever. Exit code 5 when one is refused.
inline void publish_for_ever(const World& world, const EngineRecord& record, Publishing& shared,
                             const Publish& publish) {
  for (;;) {
    const std::uint64_t number = shared.committed + 1;
    shared.begun = number;
    const std::int64_t start_ns = system_clock().monotonic_ns();
    if (!publish(world, record, number).ok()) _exit(5);
    shared.committed = number;
    shared.last_ns = system_clock().monotonic_ns() - start_ns;
  }
}

inline std::string current_text(const World& world) {
  std::ifstream file(world.sets() / kCurrentName);
  std::string text;
  std::getline(file, text);
  return text;
}

/// One look of the reader. A set that went away while it looked is no fault as long as CURRENT names another
/// one by then; a set that passes must be whole, and never older than the one before.
inline void read_once(const World& world, Publishing& shared, std::uint64_t& last) {
  const std::string before = current_text(world);
  const auto number = flying(posix_file_system(), world);
  std::string why;
  if (number.ok() && *number >= last) {
    last = *number;
    ++shared.reads;
    return;
  }
  if (number.ok()) {
    why = "set " + std::to_string(*number) + " after set " + std::to_string(last);
  } else if (before.empty() || current_text(world) == before) {
    why = "CURRENT " + before + ": " + number.error().describe();
  } else {
    ++shared.misses;
    return;
  }
  if (shared.bad++ == 0) why.copy(shared.first_bad, sizeof(shared.first_bad) - 1);
}

}  // namespace skua::test
