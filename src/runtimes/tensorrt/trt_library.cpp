#include "runtimes/tensorrt/trt_library.h"

#include <dlfcn.h>

namespace skua::tensorrt {

std::string version_text(std::int32_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

Status check_version(std::int32_t library, std::int32_t compiled) {
  if (library == compiled) return {};
  return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kSdkForeign,
                    "libnvinfer: expected TensorRT " + version_text(compiled) +
                        ", which Skua was compiled against, found " + version_text(library) +
                        "; install that release, or build Skua for this one");
}

Result<LibraryFacts> library_facts() {
  const std::int32_t version = getInferLibVersion();
  SKUA_RETURN_IF_ERROR(check_version(version));
  LibraryFacts facts;
  facts.version = version_text(version) + (kIsSil ? " sil" : "");
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&getInferLibVersion), &info) != 0 && info.dli_fname != nullptr) {
    facts.path = info.dli_fname;
  }
  return facts;
}

}  // namespace skua::tensorrt
