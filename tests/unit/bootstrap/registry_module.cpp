// A runtime's module for the registry's tests: it builds a runtime that does nothing. Compiled once for every
// label, beside a libskua of the tests' own, so that any combination of build flags finds all three.
#include "inference/module_abi.h"
#include "skua_build_id.h"
#include "tests/unit/inference/fake_runtime.h"

namespace {

skua::Result<std::unique_ptr<skua::InferenceRuntime>> create(skua::RuntimeEnvironment environment) {
  static skua::test::FakeBehaviour behaviour;
  return std::unique_ptr<skua::InferenceRuntime>(
      std::make_unique<skua::test::FakeRuntime>(std::move(environment), behaviour));
}

skua::Result<skua::SdkInfo> probe(const skua::RuntimeConfig&) { return skua::SdkInfo{"none", "0", {}}; }

void resolve(skua::RuntimeConfig&) {}

}  // namespace

extern "C" const skua::RuntimeModule* skua_runtime_module() {
  static const skua::RuntimeModule module{
      sizeof(skua::RuntimeModule), SKUA_BUILD_ID, TEST_MODULE_LABEL, create, probe, resolve};
  return &module;
}
