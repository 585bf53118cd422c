// The SIL's own operator new, hidden inside its libraries (hidden_allocation.map): a test program that counts
// or fails the allocations of Skua by replacing the global one does not meet those of the SDK, as with the
// real one. Memory still comes from malloc, so that what crosses the boundary may be released on either side.
#include <cstdlib>
#include <new>

#ifndef __SANITIZE_ADDRESS__  // which has a matching of its own

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#endif
