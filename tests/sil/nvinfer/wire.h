// The protobuf wire format as protobuf itself reads it: lenient about what it does not know, so that some
// files that are no model parse as an empty one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sil::infer {

struct WireField {
  std::uint32_t number = 0;
  unsigned type = 0;
  std::uint64_t scalar = 0;
  std::string_view bytes;  ///< length-delimited fields only

  bool is_bytes() const { return type == 2; }
  bool is_varint() const { return type == 0; }
};

class WireReader {
 public:
  /// The outermost message ends without complaint at a zero tag or at the end of a group that never began.
  explicit WireReader(std::string_view message, bool is_outermost = false)
      : rest_(message), is_outermost_(is_outermost) {}

  /// Nothing at the end and after an error.
  std::optional<WireField> next();
  std::optional<std::uint64_t> varint();
  bool is_malformed() const { return is_malformed_; }

 private:
  bool read_value(WireField& field);
  bool skip_group(std::uint32_t number, int depth);
  bool take(std::size_t size, std::string_view& into);

  std::string_view rest_;
  bool is_outermost_;
  bool is_malformed_ = false;
};

class WireWriter {
 public:
  WireWriter& integer(std::uint32_t field, std::int64_t value);
  WireWriter& text(std::uint32_t field, std::string_view value);
  /// A field as it was read.
  WireWriter& copy(const WireField& field);
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  std::string bytes_;
};

}  // namespace sil::infer
