// A bounded reader of the protobuf wire format: fields one after the other, nothing ever read outside the
// bytes given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace skua {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t scalar = 0;          ///< varint and fixed types
  std::span<const std::byte> bytes;  ///< kBytes only

  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::int64_t integer() const noexcept { return static_cast<std::int64_t>(scalar); }
};

/// Walks over the fields of one message.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message) noexcept : rest_(message) {}

  /// The next field; nothing at the end, or when the bytes are no protobuf: then `is_malformed()`.
  std::optional<WireField> next() noexcept;
  /// The next varint of a packed list.
  std::optional<std::uint64_t> varint() noexcept;
  bool is_malformed() const noexcept { return is_malformed_; }

 private:
  std::optional<std::uint64_t> fixed(std::size_t size) noexcept;
  std::span<const std::byte> rest_;
  bool is_malformed_ = false;
};

}  // namespace skua
