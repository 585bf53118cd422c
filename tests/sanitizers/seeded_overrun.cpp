// Reads one element past the end of a buffer: the address sanitizer must say so.
#include <cstddef>
#include <memory>

int main() {
  const volatile std::size_t count = 4;
  const std::unique_ptr<int[]> buffer(new int[count]());
  return buffer[count];
}
