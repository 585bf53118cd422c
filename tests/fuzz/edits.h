// Inputs that say what is done to a good text, for texts that no corpus can hold: signatures and keys are
// made anew by each process, so that no key lies in the tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/base64.h"
#include "fuzz.h"

namespace skua::fuzz {

/// Applies edits of four bytes each: which one, where (two bytes), what.
inline std::string edited(std::string text, std::string_view edits) {
  for (; edits.size() >= 4; edits.remove_prefix(4)) {
    const auto byte = [&](std::size_t i) -> std::size_t { return static_cast<unsigned char>(edits[i]); };
    const std::size_t at = (byte(1) + 256 * byte(2)) % (text.size() + 1);
    switch (byte(0) % 4) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ edits[3]);
        break;
      case 1:
        text.insert(at, 1, edits[3]);
        break;
      case 2:
        text.erase(at, byte(3));
        break;
      default:
        text.insert(at, text.substr(at, byte(3)));
    }
  }
  return text;
}

/// The bytes between the lines of a PEM text, edited, between the same lines.
inline std::string pem_edited(const std::string& pem, std::string_view edits) {
  const std::size_t first = pem.find('\n') + 1;
  const std::size_t last = pem.rfind("\n-----") + 1;
  std::string body = pem.substr(first, last - first);
  std::erase(body, '\n');
  const auto bytes = from_base64(body);
  require(bytes.has_value(), "PEM holds base64");
  const std::string der(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const std::string text = to_base64(bytes_of(edited(der, edits)));
  std::string lines;
  for (std::size_t i = 0; i < text.size(); i += 64) lines += text.substr(i, 64) + "\n";
  return pem.substr(0, first) + lines + pem.substr(last);
}

/// An input for a reader of PEM. Its first byte says whether the rest is the text itself, edits of the text
/// `good`, or edits of the bytes in it.
inline std::string pem_input(std::string_view input, const std::string& good) {
  if (input.empty()) return {};
  const std::string_view rest = input.substr(1);
  switch (static_cast<unsigned char>(input.front()) % 4) {
    case 0:
      return std::string(rest);
    case 1:
      return edited(good, rest);
    default:
      return pem_edited(good, rest);
  }
}

}  // namespace skua::fuzz
