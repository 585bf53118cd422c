// expect-error: (nodiscard|unused-result)
// A Result or Status that nobody looks at is a swallowed error: with the project's -Werror it does not
// compile.
#include "skua/sidecar.h"

#pragma GCC diagnostic error "-Wunused-result"

namespace {

[[maybe_unused]] bool forgetful(const std::filesystem::path& file) {
#ifdef SKUA_COMPILE_FAIL_CONTROL
  return skua::Sha256Sidecar::write_atomic(file, {}).ok();
#else
  skua::Sha256Sidecar::write_atomic(file, {});
  return true;
#endif
}

}  // namespace
