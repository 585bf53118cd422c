#include "inference/module_loader.h"

#include <dlfcn.h>

#include <string>

#include "inference/module_open.h"
#include "skua_build_id.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

Error not_available(Reason reason, std::string message) {
  return make_error(ErrorCode::kRuntimeNotAvailable, reason, std::move(message));
}

}  // namespace

fs::path module_file(const fs::path& folder, std::string_view kind, std::string_view label) {
  return folder / ("libskua_" + std::string(kind) + "_" + std::string(label) + ".so");
}

Result<void*> open_module_symbol(const fs::path& file, const char* symbol) {
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

Error other_build_error(const fs::path& file, std::string_view found) {
  return not_available(Reason::kModuleForeign,
                       file.string() + " was built for another Skua: expected build id '" +
                           std::string(build_id()) + "', found '" + std::string(found) +
                           "'; install modules and library from one release");
}

Error other_label_error(const fs::path& file, std::string_view found, std::string_view expected) {
  return not_available(Reason::kModuleForeign, file.string() + " holds the runtime '" + std::string(found) +
                                                   "', expected '" + std::string(expected) + "'");
}

std::string_view build_id() noexcept { return SKUA_BUILD_ID; }

std::string loader_text() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "no reason given";
}

fs::path library_folder() {
  Dl_info info{};
  // The address of a function of ours lies in libskua.so, or in the program when linked statically.
  if (::dladdr(reinterpret_cast<void*>(&build_id), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto path = fs::canonical(info.dli_fname, ignored);
  return path.parent_path();
}

Result<const RuntimeModule*> open_runtime_module(const fs::path& folder, std::string_view label) {
  return open_module<RuntimeModule, RuntimeModuleFunction>(module_file(folder, "runtime", label), label,
                                                           kRuntimeModuleSymbol);
}

Result<const RawModule*> open_raw_module(const fs::path& folder, std::string_view label) {
  return open_module<RawModule, RawModuleFunction>(module_file(folder, "bench", label), label,
                                                   kRawModuleSymbol);
}

Result<const RuntimeModule*> open_runtime_module(std::string_view label) {
  return open_runtime_module(library_folder(), label);
}

Result<const RawModule*> open_raw_module(std::string_view label) {
  return open_raw_module(library_folder(), label);
}

}  // namespace skua
