#include "skua/sha256.h"

#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string Sha256::hex() const {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0x0fU];
  }
  return text;
}

Result<Sha256> Sha256::from_hex(std::string_view hex) {
  Sha256 digest;
  const bool has_right_form =
      hex.size() == digest.bytes.size() * 2 && hex.find_first_not_of(kDigits) == std::string_view::npos;
  if (!has_right_form) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed,
                      "SHA-256 " + quote(hex) + " (" + std::to_string(hex.size()) +
                          " characters); expected exactly 64 lower-case hex digits");
  }
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    digest.bytes[i] = static_cast<std::uint8_t>(kDigits.find(hex[2 * i]) * 16 + kDigits.find(hex[2 * i + 1]));
  }
  return digest;
}

}  // namespace skua
