#include "compile/resident_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace skua::test {
namespace {

static_assert(compile::whole_mib(0) == 0);
static_assert(compile::whole_mib(1) == compile::kMiB);
static_assert(compile::whole_mib(compile::kMiB) == compile::kMiB);
static_assert(compile::whole_mib(compile::kMiB + 1) == 2 * compile::kMiB);

TEST(ResidentMemory, GrowsByWhatIsTouched) {
  constexpr std::size_t kBytes = 32 * compile::kMiB;
  const std::uint64_t before = compile::resident_bytes_trimmed();
  ASSERT_GT(before, 0U);
  const std::vector<char> touched(kBytes, 'x');
  EXPECT_GE(compile::resident_bytes(), before + touched.size() * 15 / 16);
}

}  // namespace
}  // namespace skua::test
