// Programs measured as a whole, from exec to exit.
#pragma once

#include <string>
#include <vector>

#include "skua/result.h"

namespace skua::bench {

/// Runs `command` (a path and its arguments) to its end and answers what it wrote to stdout; its stderr is
/// ours. Errors: it could not be started, or did not end with status 0.
Result<std::string> run_process(const std::vector<std::string>& command);

/// The largest resident set of this process since it was started, in MiB (VmHWM). What wait4 says of a child
/// is of no use: it begins with the peak of whoever spawned it.
Result<double> peak_memory_mib();

}  // namespace skua::bench
