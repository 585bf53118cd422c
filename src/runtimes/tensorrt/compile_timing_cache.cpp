#include "runtimes/tensorrt/compile_timing_cache.h"

#include <algorithm>

#include "core/hash.h"
#include "core/json_strict.h"
#include "core/json_types.h"

namespace skua::tensorrt {
namespace {

constexpr std::string_view kMagic = "skua-timing-cache 1\n";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kHeaderBytes = kMagic.size() + 2 * (kHexDigits + 1);

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Error unusable(Reason reason, const std::string& what) {
  return make_error(ErrorCode::kEngineBuild, reason, "timing cache: " + what);
}

}  // namespace

std::string timing_key(const HostTuple& host, const std::string& sdk_version) {
  return to_json(host).dump() + "\n" + sdk_version;
}

std::vector<std::byte> encode_timing_cache(std::span<const std::byte> blob, const std::string& key) {
  const std::string header =
      std::string(kMagic) + sha256_of(bytes_of(key)).hex() + "\n" + sha256_of(blob).hex() + "\n";
  const auto head = bytes_of(header);
  std::vector<std::byte> file(head.begin(), head.end());
  file.insert(file.end(), blob.begin(), blob.end());
  return file;
}

Result<std::vector<std::byte>> decode_timing_cache(std::span<const std::byte> file, const std::string& key) {
  if (file.size() < kHeaderBytes || text_of(file.first(kMagic.size())) != kMagic)
    return unusable(Reason::kMalformed, "it is no timing cache of this release");
  const auto key_digest = text_of(file.subspan(kMagic.size(), kHexDigits));
  const auto blob_digest = text_of(file.subspan(kMagic.size() + kHexDigits + 1, kHexDigits));
  const auto blob = file.subspan(kHeaderBytes);
  constexpr auto kLineEnd = static_cast<std::byte>('\n');
  if (file[kMagic.size() + kHexDigits] != kLineEnd || file[kHeaderBytes - 1] != kLineEnd)
    return unusable(Reason::kMalformed, "its header is damaged");
  if (sha256_of(blob).hex() != blob_digest) return unusable(Reason::kMalformed, "its bytes are damaged");
  if (sha256_of(bytes_of(key)).hex() != key_digest)
    return unusable(Reason::kHostFactMismatch, "it was measured on another device or by another TensorRT");
  return std::vector<std::byte>(blob.begin(), blob.end());
}

}  // namespace skua::tensorrt
