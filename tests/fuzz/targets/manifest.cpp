// flight-manifest.json.
#include "cache/manifest.h"

#include "../fuzz.h"

namespace {

void require_bounds(const skua::Manifest& manifest) {
  using skua::fuzz::require;
  require(skua::is_legal_set_id(manifest.set_id), "the set id is legal");
  require(!manifest.artifacts.empty() && manifest.artifacts.size() <= 256, "1 to 256 artifacts");
  require(manifest.files.size() <= 8192, "at most 8192 files");
  std::string_view before;
  for (const skua::ManifestFile& file : manifest.files) {
    require(skua::is_plain_relative(file.name), "plain names", file.name);
    require(before < file.name, "names sorted, none twice", file.name);
    before = file.name;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto manifest = decode_manifest(fuzz::text_of(data, size));
  if (!manifest.ok()) {
    fuzz::require(manifest.error().code == ErrorCode::kManifest, "a ManifestError");
    fuzz::require_refusal(manifest.error(), {Reason::kManifestMalformed, Reason::kManifestSchemaVersion});
    return 0;
  }
  require_bounds(*manifest);
  fuzz::require_round_trip(*manifest, decode_manifest, encode_manifest);
  return 0;
}
