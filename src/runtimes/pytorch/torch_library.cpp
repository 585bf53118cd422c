#include "runtimes/pytorch/torch_library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>

#include "inference/module_loader.h"
#include "skua_build_id.h"
#include "skua_sdk_paths.h"

namespace skua::pytorch {
namespace {

namespace fs = std::filesystem;

Error not_available(Reason reason, std::string message) {
  return make_error(ErrorCode::kRuntimeNotAvailable, reason, std::move(message));
}

/// What this process has mapped of libtorch and of the libraries that call it for us.
struct Mapped {
  fs::path libtorch;
  bool has_bridge = false;
};

int look_at(dl_phdr_info* info, std::size_t, void* into) {
  auto& mapped = *static_cast<Mapped*>(into);
  const fs::path file(info->dlpi_name != nullptr ? info->dlpi_name : "");
  const std::string name = file.filename().string();
  if (name.rfind("libtorch_cpu.so", 0) == 0) mapped.libtorch = file;
  if (name.rfind("libskua_torch_", 0) == 0) mapped.has_bridge = true;
  return 0;
}

/// A libtorch that was there before any library of ours came behind it is somebody else's.
Status check_process(const fs::path& library) {
  Mapped mapped;
  ::dl_iterate_phdr(look_at, &mapped);
  if (mapped.libtorch.empty()) return {};
  std::error_code ignored;
  const bool is_ours =
      mapped.has_bridge && fs::equivalent(mapped.libtorch.parent_path(), library.parent_path(), ignored);
  if (is_ours) return {};
  return not_available(Reason::kSdkForeign,
                       "expected no other libtorch in this process than " + library.string() + ", found " +
                           mapped.libtorch.string() +
                           " mapped already (import torch?); two in one process crash: run Skua "
                           "in a process of its own");
}

/// oneDNN inside libtorch 2.13.0 did not come back within minutes from making a depthwise half convolution on
/// a CPU with AVX512_FP16. With this, half is computed as on CPUs without it. oneDNN reads it once, at its
/// first use; a value that is there already is somebody's own remedy, and stays.
void keep_from_half_instructions() { ::setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", 0); }

Status open_library(const fs::path& library) {
  SKUA_RETURN_IF_ERROR(check_process(library));
  keep_from_half_instructions();
  // Lazy: binding every function of a library of hundreds of megabytes at once costs more than loading a
  // network.
  if (::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr) return {};
  return not_available(Reason::kSdkMissing, "cannot open libtorch at " + library.string() + ": " +
                                                loader_text() +
                                                "; install it, or set torch_library to its libtorch.so");
}

Status check_version(const RunBridge& bridge, const fs::path& library) {
  SKUA_ASSIGN_OR_RETURN(const TorchFacts facts, bridge.facts());
  // "2.13.0+cpu" and "2.13.0" are one release.
  if (facts.version.substr(0, facts.version.find('+')) == bridge.compiled_for) return {};
  return not_available(Reason::kSdkForeign, library.string() + ": expected libtorch " + bridge.compiled_for +
                                                " (its C++ interface changes with every release), found " +
                                                facts.version +
                                                "; install that one, or build Skua against this one");
}

}  // namespace

fs::path library_path(const RuntimeConfig& config) {
  return config.torch_library.empty() ? fs::path(SKUA_TORCH_LIBRARY) : config.torch_library;
}

std::string device_of(const RuntimeConfig& config) {
  return config.device.empty() ? std::string(SKUA_TORCH_DEVICE) : config.device;
}

Result<void*> open_bridge_symbol(const RuntimeConfig& config, const char* file, const char* symbol) {
  const fs::path library = library_path(config);
  SKUA_RETURN_IF_ERROR(open_library(library));
  const fs::path path = library_folder() / file;
  void* handle = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    return not_available(Reason::kModuleMissing,
                         "cannot open " + path.string() + " behind " + library.string() + ": " +
                             loader_text() +
                             "; install the package that holds this runtime, or set torch_library to a "
                             "libtorch.so");
  }
  return ::dlsym(handle, symbol);
}

Status check_bridge(const RunBridge* bridge, const RuntimeConfig& config, const char* file) {
  const bool is_ours = bridge != nullptr && bridge->struct_size == sizeof(RunBridge) &&
                       std::string_view(SKUA_BUILD_ID) == bridge->build_id;
  if (!is_ours) {
    return not_available(Reason::kModuleForeign,
                         (library_folder() / file).string() +
                             " was built for another Skua; install modules and library from "
                             "one release");
  }
  return check_version(*bridge, library_path(config));
}

Result<const RunBridge*> open_run_bridge(const RuntimeConfig& config) {
  constexpr char kFile[] = "libskua_torch_run.so";
  SKUA_ASSIGN_OR_RETURN(void* address, open_bridge_symbol(config, kFile, kRunBridgeSymbol));
  const RunBridge* bridge = address != nullptr ? reinterpret_cast<RunBridgeFunction>(address)() : nullptr;
  SKUA_RETURN_IF_ERROR(check_bridge(bridge, config, kFile));
  return bridge;
}

Status check_device(const TorchFacts& facts, const std::string& device) {
  if (device == "cpu") return {};
  if (facts.has_cuda && facts.cuda_devices > 0) return {};
  const std::string found = facts.has_cuda ? "no CUDA device that it can use" : "a build without CUDA";
  return not_available(Reason::kProviderNotAvailable, "device: cuda: expected a CUDA device for libtorch " +
                                                          facts.version + ", found " + found +
                                                          "; to run on the CPU, say so with device: cpu");
}

}  // namespace skua::pytorch
