// Negative control of the fuzz runs: a parser that believes a length it was told. libFuzzer with the address
// sanitizer must find it, or a run without findings would mean nothing.
#include "fuzz.h"

namespace {

// "SK", a length, then so many bytes: their sum. The length is not compared with what is there.
int sum_of(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || data[0] != 'S' || data[1] != 'K') return 0;
  int sum = 0;
  for (std::size_t i = 0; i < data[2]; ++i) sum += data[3 + i];
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  skua::fuzz::require(sum_of(data, size) >= 0, "a sum of bytes is not negative");
  return 0;
}
