// A seccomp filter: system calls that a build has no business with are refused with EPERM.
#pragma once

#include "skua/result.h"

namespace skua::builder {

struct SystemCalls {
  bool may_start_programs =
      false;                    ///< else no other process at all, threads only, and signals to itself only
  bool may_use_device = false;  ///< GPU libraries want local sockets and memory files
};

/// Whether this kernel has system call filters (an emulator may lack them).
bool has_call_filters() noexcept;

/// Filters the calling thread's calls, and those of all that it starts, for good. What is refused, and what
/// that is against, stands in docs/design/builder.md. Requires PR_SET_NO_NEW_PRIVS, and that no other thread
/// runs yet. EngineBuildError (builder_confinement): the system refuses.
Status filter_system_calls(const SystemCalls& calls);

}  // namespace skua::builder
