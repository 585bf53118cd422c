#include "core/process_memory.h"

#include <malloc.h>

namespace skua {

// mallopt(3). A threshold for mmap is not enough: glibc allows none above 32 MiB, and activations are larger.
// The top pad also keeps the heaps of other threads than the first, which are 64 MiB long, from being
// unmapped as a whole.
void keep_freed_memory() noexcept {
  constexpr int kNever = 0, kHeapBytes = 64 << 20, kMostBytes = 1 << 30;
  ::mallopt(M_MMAP_MAX, kNever);
  ::mallopt(M_TRIM_THRESHOLD, kMostBytes);
  ::mallopt(M_TOP_PAD, kHeapBytes);
}

}  // namespace skua
