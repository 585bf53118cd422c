// Reading a sidecar through the FileSystem port: one reader for the engine gate, the set writer and
// Sha256Sidecar.
#pragma once

#include <string>
#include <string_view>

#include "core/filesystem.h"
#include "skua/sha256.h"

namespace skua {

inline constexpr std::string_view kSidecarSuffix = ".sha256";
inline constexpr std::size_t kSidecarBytes = 64;

/// "<file>.sha256"
std::string sidecar_name(std::string_view file);
/// Exactly 64 lower-case hex digits; `where` is for the message. EngineDeserializeError, sidecar_malformed.
Result<Sha256> parse_sidecar(std::string_view content, const std::string& where);
/// The sidecar of `file`, opened the safe way and read at most one byte beyond its length.
/// EngineSidecarMissingError when there is none; the safe-file refusals; sidecar_malformed.
Result<Sha256> read_sidecar(Folder& folder, std::string_view file);

}  // namespace skua
