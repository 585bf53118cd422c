// A SHA-256 digest as a value. Computing one needs bytes or a file: see sidecar.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "skua/result.h"

namespace skua {

/// The 32 bytes.
struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};

  /// 64 lower-case hex digits.
  std::string hex() const;
  /// Reads exactly 64 lower-case hex digits; InvalidArgumentError (malformed) for anything else.
  static Result<Sha256> from_hex(std::string_view hex);
  friend bool operator==(const Sha256&, const Sha256&) = default;
};

}  // namespace skua
