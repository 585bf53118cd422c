// What all fuzz targets share. A target is one file of targets/ with LLVMFuzzerTestOneInput; it reads its
// input as the parser's file would be read, and checks more than that nothing crashes (README.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "bytes_of.h"
#include "cache/utf8.h"
#include "skua/result.h"

namespace skua::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
}
using skua::test::bytes_of;

/// Ends the program: the finding. `found` is shown.
inline void require(bool holds, std::string_view what, std::string_view found = "") {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(found.size()), found.data());
  std::abort();
}

/// A refusal has one of the parser's documented reasons, and a text that an operator's terminal can take.
inline void require_refusal(const Error& error, std::initializer_list<Reason> reasons) {
  constexpr std::size_t kLongest = 16384;  // the longest list of known keys is a small part of it
  require(std::find(reasons.begin(), reasons.end(), error.reason) != reasons.end(), "a documented reason",
          error.describe());
  require(!error.message.empty() && error.message.size() <= kLongest, "a message of 1 to 16384 bytes");
  require(is_printable_utf8(error.message), "a message without control characters", error.message);
}

/// What was decoded is decoded again from its own encoding, and has one encoding.
template <typename T, typename Decode, typename Encode>
void require_round_trip(const T& value, Decode decode, Encode encode) {
  const auto text = encode(value);
  const auto again = decode(text);
  require(again.ok(), "what was encoded is accepted", again.ok() ? "" : again.error().describe());
  require(*again == value, "decode(encode(x)) is x");
  require(encode(*again) == text, "encode(decode(encode(x))) is encode(x)");
}

}  // namespace skua::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
