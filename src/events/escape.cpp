#include "events/escape.h"

#include <cstdint>

namespace skua {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point = kReplacement;
  std::size_t length = 1;  ///< bytes taken; 1 for a byte that is no UTF-8
  bool is_valid = false;
};

std::uint8_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<std::uint8_t>(text[index]);
}

/// The first character of a non-empty text. Overlong forms, surrogates and values above U+10FFFF are not
/// UTF-8.
Decoded decode_one(std::string_view text) {
  const std::uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t length = 0;
  char32_t value = 0;
  char32_t smallest = 0;
  if ((lead & 0xE0U) == 0xC0) {
    length = 2, value = lead & 0x1FU, smallest = 0x80;
  } else if ((lead & 0xF0U) == 0xE0) {
    length = 3, value = lead & 0x0FU, smallest = 0x800;
  } else if ((lead & 0xF8U) == 0xF0) {
    length = 4, value = lead & 0x07U, smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0U) != 0x80) return {};
    value = (value << 6U) | (byte_at(text, i) & 0x3FU);
  }
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || is_surrogate || value > 0x10FFFF) return {};
  return {value, length, true};
}

/// Characters that end lines, steer terminals or reorder what the reader sees.
bool is_unsafe(char32_t c) {
  const bool is_control = c < 0x20 || (c >= 0x7F && c <= 0x9F);
  const bool is_separator = c == 0x2028 || c == 0x2029;
  const bool is_bidi = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
                       c == 0x200F || c == 0x061C;
  return is_control || is_separator || is_bidi;
}

/// Everything that is_unsafe() names lies below U+10000.
void append_unicode_escape(std::string& out, char32_t c) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (unsigned shift = 16; shift > 0; shift -= 4) out += kHex[(c >> (shift - 4)) & 0xFU];
}

enum class Form { kJson, kPlain };

void append_escaped(std::string& out, std::string_view text, std::size_t limit, Form form) {
  std::size_t position = 0;
  while (position < text.size()) {
    const Decoded next = decode_one(text.substr(position));
    if (position + next.length > limit) {
      out += "...";
      return;
    }
    if (!next.is_valid) {
      out += "\\ufffd";
    } else if (is_unsafe(next.code_point)) {
      append_unicode_escape(out, next.code_point);
    } else {
      if (form == Form::kJson && (next.code_point == '"' || next.code_point == '\\')) out += '\\';
      out += text.substr(position, next.length);
    }
    position += next.length;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text, std::size_t limit) {
  out += '"';
  append_escaped(out, text, limit, Form::kJson);
  out += '"';
}

std::string printable_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_escaped(out, text, text.size(), Form::kPlain);
  return out;
}

}  // namespace skua
