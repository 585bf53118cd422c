// A module for the loader's tests, built several times: as it should be, and wrong in one way each.
#include "inference/module_abi.h"
#include "skua_build_id.h"

#ifndef TEST_MODULE_ID
#define TEST_MODULE_ID SKUA_BUILD_ID
#endif
#ifndef TEST_MODULE_SIZE
#define TEST_MODULE_SIZE sizeof(skua::RuntimeModule)
#endif

extern "C" const skua::RuntimeModule* TEST_MODULE_SYMBOL() {
  static const skua::RuntimeModule module{TEST_MODULE_SIZE, TEST_MODULE_ID, TEST_MODULE_LABEL,
                                          nullptr,          nullptr,        nullptr};
  return &module;
}
