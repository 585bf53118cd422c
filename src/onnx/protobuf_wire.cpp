#include "onnx/protobuf_wire.h"

namespace skua {

std::optional<std::uint64_t> WireReader::varint() noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
    if (i == 9 && byte > 1) break;  // more than 64 bits
    value |= (byte & 0x7FU) << (7U * i);
    if ((byte & 0x80U) == 0) {
      rest_ = rest_.subspan(i + 1);
      return value;
    }
  }
  is_malformed_ = !rest_.empty();
  return std::nullopt;
}

std::optional<std::uint64_t> WireReader::fixed(std::size_t size) noexcept {
  if (rest_.size() < size) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint64_t>(rest_[i]) << (8U * i);
  rest_ = rest_.subspan(size);
  return value;
}

std::optional<WireField> WireReader::next() noexcept {
  if (rest_.empty() || is_malformed_) return std::nullopt;
  const auto key = varint();
  is_malformed_ = true;  // until the field is complete
  if (!key || *key >> 3U == 0 || *key >> 3U > 0x1FFFFFFFU) return std::nullopt;
  WireField field;
  field.number = static_cast<std::uint32_t>(*key >> 3U);
  field.type = static_cast<WireType>(*key & 7U);
  std::optional<std::uint64_t> value;
  switch (field.type) {
    case WireType::kVarint:
    case WireType::kBytes:
      value = varint();
      break;
    case WireType::kFixed64:
      value = fixed(8);
      break;
    case WireType::kFixed32:
      value = fixed(4);
      break;
    default:  // groups, which no ONNX file has, and numbers that mean nothing
      break;
  }
  is_malformed_ = true;
  if (!value) return std::nullopt;
  field.scalar = *value;
  if (field.type == WireType::kBytes) {
    if (*value > rest_.size()) return std::nullopt;
    field.bytes = rest_.first(static_cast<std::size_t>(*value));
    rest_ = rest_.subspan(static_cast<std::size_t>(*value));
  }
  is_malformed_ = false;
  return field;
}

}  // namespace skua
