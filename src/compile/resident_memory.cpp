#include "compile/resident_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace skua::compile {

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  std::uint64_t file_pages = 0;  // of libraries: not the engine's, and shared
  if (!(statm >> total_pages >> resident_pages >> file_pages)) return 0;
  return (resident_pages - file_pages) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t resident_bytes_trimmed() {
  // Without this, a session would move into memory that earlier steps have freed, and seem to need none.
  malloc_trim(0);
  return resident_bytes();
}

}  // namespace skua::compile
