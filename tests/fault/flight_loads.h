// Loading flight sets in the air, through the public entry and the fake strategy, whose deserialiser counts.
#pragma once

#include <memory>

#include "flight_world.h"

namespace skua::test {

inline std::unique_ptr<FakeRuntime> airborne_runtime(FakeBehaviour& behaviour) {
  RuntimeEnvironment environment;
  environment.role = Role::kAirborne;
  environment.host = fake_host();
  return std::make_unique<FakeRuntime>(environment, behaviour);
}

}  // namespace skua::test
