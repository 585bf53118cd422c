// The TensorRT library that is mapped: linked, unlike the other SDKs', because the interfaces are C++ classes
// whose virtual tables the library has. So its version must be the one that Skua was compiled against, to the
// third number: the library itself does not check.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <string>

#include "skua/result.h"

namespace skua::tensorrt {

/// Whether the SDK underneath is the software-in-the-loop one, which runs on the CPU and is for tests.
#ifdef SKUA_SIL
inline constexpr bool kIsSil = true;
#else
inline constexpr bool kIsSil = false;
#endif

/// What Skua was compiled against, as getInferLibVersion() counts: 10.3.0 is 100300.
inline constexpr std::int32_t kCompiledVersion =
    NV_TENSORRT_MAJOR * 10000 + NV_TENSORRT_MINOR * 100 + NV_TENSORRT_PATCH;

/// "10.3.0" of 100300.
std::string version_text(std::int32_t version);

struct LibraryFacts {
  std::string path;     ///< the file that is mapped
  std::string version;  ///< "10.3.0"; "10.3.0 sil" for the software-in-the-loop SDK
};

/// RuntimeNotAvailableError (sdk_foreign) unless the library's version is `compiled`. `library` as
/// getInferLibVersion() answers.
Status check_version(std::int32_t library, std::int32_t compiled = kCompiledVersion);

/// The mapped library, after check_version. Touches no device.
Result<LibraryFacts> library_facts();

}  // namespace skua::tensorrt
