#include "wire.h"

#include <cstring>

namespace sil::infer {
namespace {

constexpr unsigned kGroupStart = 3;
constexpr unsigned kGroupEnd = 4;
constexpr int kMaxDepth = 100;

}  // namespace

std::optional<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7U * i);
    if ((byte & 0x80U) != 0) continue;
    rest_.remove_prefix(i + 1);
    return value;
  }
  is_malformed_ = is_malformed_ || !rest_.empty();
  return std::nullopt;
}

bool WireReader::take(std::size_t size, std::string_view& into) {
  if (size > rest_.size()) return false;
  into = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::read_value(WireField& field) {
  std::string_view raw;
  switch (field.type) {
    case 0:
    case 2: {
      const auto value = varint();
      if (!value) return false;
      field.scalar = *value;
      return field.type == 0 || take(static_cast<std::size_t>(*value), field.bytes);
    }
    case 1:
    case 5:
      if (!take(field.type == 1 ? 8 : 4, raw)) return false;
      std::memcpy(&field.scalar, raw.data(), raw.size());  // little endian, as everywhere here
      return true;
    case kGroupStart:
      return skip_group(field.number, 0);
    default:
      return false;
  }
}

bool WireReader::skip_group(std::uint32_t number, int depth) {
  if (depth > kMaxDepth) return false;
  while (const auto tag = varint()) {
    WireField inner{static_cast<std::uint32_t>(*tag >> 3U), static_cast<unsigned>(*tag & 7U), 0, {}};
    if (inner.type == kGroupEnd) return inner.number == number;
    if (inner.number == 0) return false;
    const bool is_read = inner.type == kGroupStart ? skip_group(inner.number, depth + 1) : read_value(inner);
    if (!is_read) return false;
  }
  return false;
}

std::optional<WireField> WireReader::next() {
  if (rest_.empty() || is_malformed_) return std::nullopt;
  const auto tag = varint();
  is_malformed_ = true;  // until the field is complete
  if (!tag) return std::nullopt;
  WireField field{static_cast<std::uint32_t>(*tag >> 3U), static_cast<unsigned>(*tag & 7U), 0, {}};
  if (*tag == 0 || (field.type == kGroupEnd && field.number != 0)) {
    is_malformed_ = !is_outermost_;
    rest_ = {};
    return std::nullopt;
  }
  if (field.number == 0 || *tag > 0xFFFFFFFFU || !read_value(field)) return std::nullopt;
  is_malformed_ = false;
  return field;
}

void WireWriter::varint(std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
  bytes_ += static_cast<char>(value);
}

WireWriter& WireWriter::integer(std::uint32_t field, std::int64_t value) {
  varint(field << 3U);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

WireWriter& WireWriter::text(std::uint32_t field, std::string_view value) {
  varint(field << 3U | 2U);
  varint(value.size());
  bytes_ += value;
  return *this;
}

WireWriter& WireWriter::copy(const WireField& field) {
  if (field.is_bytes()) return text(field.number, field.bytes);
  if (field.is_varint()) return integer(field.number, static_cast<std::int64_t>(field.scalar));
  if (field.type == kGroupStart) return *this;  // nothing that ONNX knows
  varint(field.number << 3U | field.type);
  bytes_.append(reinterpret_cast<const char*>(&field.scalar), field.type == 1 ? 8 : 4);
  return *this;
}

}  // namespace sil::infer
