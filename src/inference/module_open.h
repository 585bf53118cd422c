// The steps of opening a module of one kind, for those who open it: runtimes and raw SDKs in
// module_loader.cpp, compiler modules in skua-build alone, so that libskua.so, which flies, cannot open one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "inference/module_loader.h"

namespace skua {

/// "libskua_<kind>_<label>.so" in `folder`.
std::filesystem::path module_file(const std::filesystem::path& folder, std::string_view kind,
                                  std::string_view label);

/// Opens a module and looks its one function up. The handle is never closed: SDK libraries do not survive
/// dlclose. RuntimeNotAvailableError: module_missing, module_foreign.
Result<void*> open_module_symbol(const std::filesystem::path& file, const char* symbol);

/// RuntimeNotAvailableError (module_foreign): `found`, its build id, is not libskua's.
Error other_build_error(const std::filesystem::path& file, std::string_view found);
/// The same: the module is of another runtime.
Error other_label_error(const std::filesystem::path& file, std::string_view found, std::string_view expected);

/// `Module` is RuntimeModule, CompilerModule or RawModule. The table's size and build id are its first fields
/// and are compared before anything that depends on the C++ types is touched.
template <typename Module, typename Function>
Result<const Module*> open_module(const std::filesystem::path& file, std::string_view label,
                                  const char* symbol) {
  SKUA_ASSIGN_OR_RETURN(void* address, open_module_symbol(file, symbol));
  const Module* module = reinterpret_cast<Function>(address)();
  if (module == nullptr || module->struct_size != sizeof(Module) || build_id() != module->build_id) {
    const bool is_readable = module != nullptr && module->struct_size >= 2 * sizeof(const char*);
    return other_build_error(file, is_readable ? module->build_id : "unknown");
  }
  if (label != module->label) return other_label_error(file, module->label, label);
  return module;
}

}  // namespace skua
