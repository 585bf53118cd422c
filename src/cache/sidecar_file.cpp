#include "cache/sidecar_file.h"

#include <array>

#include "cache/safe_file.h"

namespace skua {

std::string sidecar_name(std::string_view file) { return std::string(file) + std::string(kSidecarSuffix); }

Result<Sha256> parse_sidecar(std::string_view content, const std::string& where) {
  Result<Sha256> digest = Sha256::from_hex(content);
  if (digest.ok()) return digest;
  const std::string found = content.size() > kSidecarBytes ? "more than 64 bytes (a line end counts)"
                            : content.size() < kSidecarBytes
                                ? std::to_string(content.size()) + " bytes"
                                : std::string("a character that is no lower-case hex digit");
  return make_error(ErrorCode::kEngineDeserialize, Reason::kSidecarMalformed,
                    "sidecar " + where +
                        ": expected exactly 64 lower-case hex digits and nothing else, found " + found +
                        "; provision the set, or compile the engine, again");
}

Result<Sha256> read_sidecar(Folder& folder, std::string_view file) {
  const std::string name = sidecar_name(file);
  SKUA_ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> sidecar,
                        open_safe(folder, name, Reason::kSidecarMissing));
  SKUA_ASSIGN_OR_RETURN(const std::string content,
                        read_at_most(*sidecar, kSidecarBytes + 1, file_text(folder, name)));
  return parse_sidecar(content, file_text(folder, name));
}

}  // namespace skua
