// Doing the same to many things on a few threads.
#pragma once

#include <cstddef>
#include <functional>

namespace skua {

/// Cores that this process may run on, at least 1.
std::size_t usable_cores() noexcept;

/// Calls `work(worker, index)` once for every index below `count`, in rising order of index, on at most
/// `workers` threads of which the caller's is one; returns when all is done. `worker` is below `workers`, and
/// two calls with the same one never overlap. Threads that cannot be had are done without. What `work` throws
/// is thrown here, once all threads have ended; indices not begun by then are left out.
void for_each_index(std::size_t count, std::size_t workers,
                    const std::function<void(std::size_t worker, std::size_t index)>& work);

}  // namespace skua
