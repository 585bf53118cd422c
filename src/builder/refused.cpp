#include "builder/refused.h"

#include <cerrno>
#include <cstring>

namespace skua::builder {

Error refused(const std::string& what) {
  const int number = errno;
  return make_error(
      ErrorCode::kEngineBuild, Reason::kBuilderConfinement,
      what + ": " + std::strerror(number) + "; build outside of the sandbox that forbids this, or report it",
      number);
}

}  // namespace skua::builder
