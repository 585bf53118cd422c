// Finds and opens a runtime's modules beside libskua.so, never through a search path or the environment.
// Compiler modules are opened by skua-build alone (module_open.h).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "inference/module_abi.h"
#include "inference/raw_session.h"

namespace skua {

/// The folder libskua.so was loaded from.
std::filesystem::path library_folder();
/// Skua's build id: version, interface hash, compiler, ABI.
std::string_view build_id() noexcept;

/// What the dynamic loader says of its last failure in this thread.
std::string loader_text();

/// RuntimeNotAvailableError: module_missing (with the loader's text), module_foreign.
Result<const RuntimeModule*> open_runtime_module(std::string_view label);
/// The raw SDK beside it, for measuring; module_missing where the package or the runtime has none.
Result<const RawModule*> open_raw_module(std::string_view label);
/// The same from a given folder; for tests.
Result<const RuntimeModule*> open_runtime_module(const std::filesystem::path& folder, std::string_view label);
Result<const RawModule*> open_raw_module(const std::filesystem::path& folder, std::string_view label);

}  // namespace skua
