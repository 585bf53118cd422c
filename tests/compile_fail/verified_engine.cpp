// expect-error: (private within this context|calling a private constructor)
// Only the engine gate makes a VerifiedEngine: bytes that nobody hashed cannot be passed off as verified.
#include <type_traits>

#include "cache/engine_gate.h"

namespace {

[[maybe_unused]] skua::Result<skua::VerifiedEngine> unverified(skua::Folder& folder, skua::Buffer buffer,
                                                               skua::BufferPool& pool) {
#ifdef SKUA_COMPILE_FAIL_CONTROL
  pool.give_back(std::move(buffer));
  return skua::EngineGate::admit(folder, {}, pool);
#else
  static_cast<void>(folder);
  return skua::VerifiedEngine(std::move(buffer), {}, pool);
#endif
}

static_assert(!std::is_default_constructible_v<skua::VerifiedEngine>);
static_assert(!std::is_copy_constructible_v<skua::VerifiedEngine>);
static_assert(std::is_move_constructible_v<skua::VerifiedEngine>);

}  // namespace
