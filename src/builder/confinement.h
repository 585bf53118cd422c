// What the build process may do once it looks at somebody else's network. docs/design/builder.md says what
// each part is against, and what all of them do not protect against.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "inference/compile_job.h"
#include "skua/result.h"

namespace skua::builder {

struct Confinement {
  std::filesystem::path staging;  ///< the one folder that may be written to
  std::uint64_t memory_bytes = 0;
  int cpu_seconds = 0;  ///< of all threads together
  bool may_start_programs = false;
  bool may_use_device = false;
};

/// What this build needs, and nothing more.
Confinement confinement_for(const CompileRequest& request);

/// What the running system can hold a process to.
struct Means {
  int landlock_abi = 0;
  bool has_call_filters = false;
};
Means means_of_this_system() noexcept;

/// Confines this process, and all that it starts, for good: limits, capabilities, Landlock, system calls.
/// What `means` lacks is left out; the answer says what was had, "landlock 7, seccomp, limits" or less.
/// Call it before the first thread starts and before anything of the model is read.
/// EngineBuildError (builder_confinement): the system has the means, and refuses.
Result<std::string> confine(const Confinement& confinement, const Means& means);

}  // namespace skua::builder
