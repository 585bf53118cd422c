// All processes of a session, as /proc shows them: what a build process has started, in whatever groups. A
// process can leave its session only by making one of its own, which a confined build cannot. Stateless.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace skua {

struct SessionUse {
  std::size_t processes = 0;       ///< that still run
  std::uint64_t memory_bytes = 0;  ///< resident and theirs: anonymous and shared memory, no mapped files
};

/// Cost: some 10 microseconds for every process of the machine.
SessionUse use_of_session(pid_t session);

/// Kills all of a session, again and again until none is left that runs, ten seconds at most. The session's
/// leader must not have been reaped yet: its number could be somebody else's. False: some are left, or nobody
/// can say (/proc cannot be read).
bool end_session(pid_t session);

}  // namespace skua
