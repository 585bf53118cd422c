// What a runtime's two shared modules export: one C function each, returning one of these tables. C++ types
// cross this boundary, so a module is refused unless its build id equals libskua's; the id is compared before
// anything else of the table is touched. Modules are opened with RTLD_LOCAL and never unloaded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "inference/compile_job.h"
#include "skua/inference_runtime.h"

namespace skua {

/// What `skua doctor` says of a runtime's SDK.
struct SdkInfo {
  std::string library_path;
  std::string version;
  std::vector<std::string> providers;  ///< compiled into the library; says nothing of what works here
};

struct RuntimeModule {
  std::uint32_t struct_size;
  const char* build_id;
  const char* label;
  Result<std::unique_ptr<InferenceRuntime>> (*create)(RuntimeEnvironment environment);
  Result<SdkInfo> (*probe)(const RuntimeConfig& config);
  /// Says aloud what the configuration leaves to the runtime. Opens no library.
  void (*resolve)(RuntimeConfig& config);
};

struct CompilerModule {
  std::uint32_t struct_size;
  const char* build_id;
  const char* label;
  /// Compiles into `request.staging_dir` and nowhere else: the artifact and `<artifact>.golden`.
  Result<EngineRecord> (*compile)(const CompileRequest& request, CompileProgress& progress);
};

using RuntimeModuleFunction = const RuntimeModule* (*)();
using CompilerModuleFunction = const CompilerModule* (*)();
inline constexpr char kRuntimeModuleSymbol[] = "skua_runtime_module";
inline constexpr char kCompilerModuleSymbol[] = "skua_compiler_module";

}  // namespace skua
