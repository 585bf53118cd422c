#include "inference/module_loader.h"

#include <dlfcn.h>

#include <cstring>
#include <string>

#include "skua_build_id.h"

namespace skua {
namespace {

Error not_available(Reason reason, std::string message) {
  return make_error(ErrorCode::kRuntimeNotAvailable, reason, std::move(message));
}

/// Opens a module and looks its one function up. The handle is never closed: SDK libraries do not survive
/// dlclose.
Result<void*> open_symbol(const std::filesystem::path& file, const char* symbol) {
  void* module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return not_available(Reason::kModuleMissing, "cannot open the module " + file.string() + ": " +
                                                     loader_text() +
                                                     "; install the package that holds this runtime");
  }
  void* function = ::dlsym(module, symbol);
  if (function == nullptr) {
    return not_available(Reason::kModuleForeign,
                         file.string() + " does not export " + symbol +
                             ": it is no Skua module; reinstall this runtime's package");
  }
  return function;
}

/// `Module` is RuntimeModule, CompilerModule or RawModule. The table's size and build id are its first fields
/// and are compared before anything that depends on the C++ types is touched.
template <typename Module, typename Function>
Result<const Module*> open_module(const std::filesystem::path& file, std::string_view label,
                                  const char* symbol) {
  SKUA_ASSIGN_OR_RETURN(void* address, open_symbol(file, symbol));
  const Module* module = reinterpret_cast<Function>(address)();
  if (module == nullptr || module->struct_size != sizeof(Module) || build_id() != module->build_id) {
    const bool is_readable = module != nullptr && module->struct_size >= 2 * sizeof(const char*);
    return not_available(Reason::kModuleForeign, file.string() +
                                                     " was built for another Skua: expected build id '" +
                                                     std::string(build_id()) + "', found '" +
                                                     (is_readable ? module->build_id : "unknown") +
                                                     "'; install modules and library from one release");
  }
  if (label != module->label) {
    return not_available(Reason::kModuleForeign, file.string() + " holds the runtime '" + module->label +
                                                     "', expected '" + std::string(label) + "'");
  }
  return module;
}

std::string file_name(std::string_view kind, std::string_view label) {
  return "libskua_" + std::string(kind) + "_" + std::string(label) + ".so";
}

}  // namespace

std::string_view build_id() noexcept { return SKUA_BUILD_ID; }

std::string loader_text() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "no reason given";
}

std::filesystem::path library_folder() {
  Dl_info info{};
  // The address of a function of ours lies in libskua.so, or in the program when linked statically.
  if (::dladdr(reinterpret_cast<void*>(&build_id), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto path = std::filesystem::canonical(info.dli_fname, ignored);
  return path.parent_path();
}

Result<const RuntimeModule*> open_runtime_module(const std::filesystem::path& folder,
                                                 std::string_view label) {
  return open_module<RuntimeModule, RuntimeModuleFunction>(folder / file_name("runtime", label), label,
                                                           kRuntimeModuleSymbol);
}

Result<const CompilerModule*> open_compiler_module(const std::filesystem::path& folder,
                                                   std::string_view label) {
  return open_module<CompilerModule, CompilerModuleFunction>(folder / file_name("compiler", label), label,
                                                             kCompilerModuleSymbol);
}

Result<const RawModule*> open_raw_module(const std::filesystem::path& folder, std::string_view label) {
  return open_module<RawModule, RawModuleFunction>(folder / file_name("bench", label), label,
                                                   kRawModuleSymbol);
}

Result<const RuntimeModule*> open_runtime_module(std::string_view label) {
  return open_runtime_module(library_folder(), label);
}

Result<const CompilerModule*> open_compiler_module(std::string_view label) {
  return open_compiler_module(library_folder(), label);
}

Result<const RawModule*> open_raw_module(std::string_view label) {
  return open_raw_module(library_folder(), label);
}

}  // namespace skua
