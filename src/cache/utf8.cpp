#include "cache/utf8.h"

#include <cstddef>
#include <cstdint>

namespace skua {
namespace {

struct Sequence {
  std::size_t length = 0;  ///< 0: not the first byte of a sequence
  std::uint32_t bits = 0;
  std::uint32_t smallest = 0;  ///< below it the form is overlong
};

Sequence sequence_of(unsigned char lead) noexcept {
  if (lead < 0x80) return {1, lead, 0};
  if ((lead & 0xe0U) == 0xc0U) return {2, lead & 0x1fU, 0x80};
  if ((lead & 0xf0U) == 0xe0U) return {3, lead & 0x0fU, 0x800};
  if ((lead & 0xf8U) == 0xf0U) return {4, lead & 0x07U, 0x10000};
  return {};
}

bool is_control(std::uint32_t code) noexcept { return code < 0x20 || (code >= 0x7f && code <= 0x9f); }
bool is_surrogate(std::uint32_t code) noexcept { return code >= 0xd800 && code <= 0xdfff; }

}  // namespace

bool is_printable_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = sequence_of(static_cast<unsigned char>(text[at]));
    if (sequence.length == 0 || sequence.length > text.size() - at) return false;
    std::uint32_t code = sequence.bits;
    for (std::size_t i = 1; i < sequence.length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0U) != 0x80U) return false;
      code = (code << 6U) | (next & 0x3fU);
    }
    if (code < sequence.smallest || code > 0x10ffff || is_surrogate(code) || is_control(code)) return false;
    at += sequence.length;
  }
  return true;
}

}  // namespace skua
