// The golden file format: docs/formats/golden.md. The generator in models/ implements the same text.
#include <array>
#include <cstring>

#include "cache/golden.h"
#include "cache/utf8.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kMagic = "SKUAGLD1";
constexpr std::size_t kMaxTensors = 64;
constexpr std::size_t kMaxNameBytes = 255;
enum Role : std::uint8_t { kInput = 0, kExpectedOutput = 1 };

Error malformed(std::size_t offset, const std::string& what) {
  return make_error(
      ErrorCode::kEngineDeserialize, Reason::kGoldenMalformed,
      "golden file, offset " + std::to_string(offset) + ": " + what + "; compile the engine again");
}

/// Never reads past the end; remembers where it is for the message.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  std::size_t offset() const noexcept { return offset_; }
  std::size_t left() const noexcept { return bytes_.size() - offset_; }

  Result<std::span<const std::byte>> take(std::size_t count, std::string_view what) {
    if (count > left()) {
      return malformed(offset_, "expected " + std::to_string(count) + " bytes of " + std::string(what) +
                                    ", found " + std::to_string(left()));
    }
    offset_ += count;
    return bytes_.subspan(offset_ - count, count);
  }

  /// Little-endian, whatever this machine is.
  template <typename T>
  Result<T> number(std::string_view what) {
    SKUA_ASSIGN_OR_RETURN(const auto bytes, take(sizeof(T), what));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return static_cast<T>(value);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

struct GoldenTensor {
  std::uint8_t role = kInput;
  std::string name;
  Tensor tensor;
};

Result<std::string> read_name(Cursor& cursor) {
  const std::size_t at = cursor.offset();
  SKUA_ASSIGN_OR_RETURN(const auto length, cursor.number<std::uint32_t>("name length"));
  if (length == 0 || length > kMaxNameBytes) {
    return malformed(at, "expected a name of 1 to 255 bytes, found " + std::to_string(length));
  }
  SKUA_ASSIGN_OR_RETURN(const auto bytes, cursor.take(length, "name"));
  std::string name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (is_printable_utf8(name)) return name;
  return malformed(at, "expected a name in UTF-8 without control characters, found " + quote(name));
}

Result<Shape> read_shape(Cursor& cursor, std::size_t rank) {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::size_t at = cursor.offset();
    SKUA_ASSIGN_OR_RETURN(dims[axis], cursor.number<std::int64_t>("dimension"));
    if (dims[axis] < 0)
      return malformed(at, "expected a dimension of at least 0, found " + std::to_string(dims[axis]));
  }
  return Shape::from(std::span(dims).first(rank));
}

/// The stated length must be the shape's and must be there before any memory is taken for it.
Result<Tensor> read_payload(Cursor& cursor, DType dtype, const Shape& shape, const std::string& name) {
  const std::size_t at = cursor.offset();
  SKUA_ASSIGN_OR_RETURN(const auto stated, cursor.number<std::uint64_t>("byte length"));
  const Result<std::size_t> expected = shape.byte_size(dtype);
  if (!expected.ok() || *expected != stated) {
    return malformed(at, "tensor " + quote(name) + ": expected " +
                             (expected.ok() ? std::to_string(*expected) : std::string("fewer")) +
                             " bytes for " + shape.to_string() + ", found " + std::to_string(stated));
  }
  SKUA_ASSIGN_OR_RETURN(const auto bytes, cursor.take(*expected, "payload"));
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(dtype, shape));
  if (!bytes.empty()) std::memcpy(tensor.view().data, bytes.data(), bytes.size());
  return tensor;
}

Result<GoldenTensor> read_tensor(Cursor& cursor) {
  GoldenTensor golden;
  const std::size_t at = cursor.offset();
  SKUA_ASSIGN_OR_RETURN(golden.role, cursor.number<std::uint8_t>("role"));
  SKUA_ASSIGN_OR_RETURN(const auto code, cursor.number<std::uint8_t>("dtype code"));
  SKUA_ASSIGN_OR_RETURN(const auto rank, cursor.number<std::uint8_t>("rank"));
  SKUA_ASSIGN_OR_RETURN(const auto reserved, cursor.number<std::uint8_t>("reserved byte"));
  if (golden.role > kExpectedOutput)
    return malformed(at, "expected role 0 or 1, found " + std::to_string(golden.role));
  const auto dtype = static_cast<DType>(code);
  if (dtype_size(dtype) == 0)
    return malformed(at + 1, "expected a dtype code, found " + std::to_string(code));
  if (rank > Shape::kMaxRank)
    return malformed(at + 2, "expected a rank up to 8, found " + std::to_string(rank));
  if (reserved != 0)
    return malformed(at + 3, "expected 0 in the reserved byte, found " + std::to_string(reserved));
  SKUA_ASSIGN_OR_RETURN(golden.name, read_name(cursor));
  SKUA_ASSIGN_OR_RETURN(const Shape shape, read_shape(cursor, rank));
  SKUA_ASSIGN_OR_RETURN(golden.tensor, read_payload(cursor, dtype, shape, golden.name));
  return golden;
}

Result<std::uint32_t> read_head(Cursor& cursor) {
  SKUA_ASSIGN_OR_RETURN(const auto magic, cursor.take(kMagic.size(), "magic"));
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0)
    return malformed(0, "expected SKUAGLD1, found another magic");
  SKUA_ASSIGN_OR_RETURN(const auto count, cursor.number<std::uint32_t>("tensor count"));
  if (count == 0 || count > kMaxTensors)
    return malformed(8, "expected 1 to 64 tensors, found " + std::to_string(count));
  SKUA_ASSIGN_OR_RETURN(const auto reserved, cursor.number<std::uint32_t>("reserved field"));
  if (reserved != 0)
    return malformed(12, "expected 0 in the reserved field, found " + std::to_string(reserved));
  return count;
}

template <typename T>
void append_number(std::vector<std::byte>& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes.push_back(static_cast<std::byte>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xffU));
  }
}

template <typename Bytes>
void append_bytes(std::vector<std::byte>& bytes, const Bytes& more) {
  const auto view = std::as_bytes(std::span(more));
  bytes.insert(bytes.end(), view.begin(), view.end());
}

Status append_tensor(std::vector<std::byte>& bytes, Role role, const std::string& name,
                     const TensorView& view) {
  const Result<std::size_t> size = view.shape.byte_size(view.dtype);
  const bool is_name_legal = !name.empty() && name.size() <= kMaxNameBytes && is_printable_utf8(name);
  if (!is_name_legal || !size.ok() || view.device.type != DeviceType::kCpu) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "golden tensor " + quote(name) +
                          ": expected a host tensor with a static shape under a name of 1 to "
                          "255 bytes of UTF-8 without control characters; rename or copy it");
  }
  append_number<std::uint8_t>(bytes, role);
  append_number<std::uint8_t>(bytes, static_cast<std::uint8_t>(view.dtype));
  append_number<std::uint8_t>(bytes, static_cast<std::uint8_t>(view.shape.rank()));
  append_number<std::uint8_t>(bytes, 0);
  append_number<std::uint32_t>(bytes, static_cast<std::uint32_t>(name.size()));
  append_bytes(bytes, name);
  for (const std::int64_t dim : view.shape.dims()) append_number<std::int64_t>(bytes, dim);
  append_number<std::uint64_t>(bytes, *size);
  append_bytes(bytes, std::span(static_cast<const std::byte*>(view.data), *size));
  return {};
}

}  // namespace

Result<GoldenVectors> decode_golden(std::span<const std::byte> bytes) {
  Cursor cursor(bytes);
  SKUA_ASSIGN_OR_RETURN(const std::uint32_t count, read_head(cursor));
  GoldenVectors golden;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t at = cursor.offset();
    SKUA_ASSIGN_OR_RETURN(GoldenTensor next, read_tensor(cursor));
    if (next.role == kInput && golden.outputs.size() > 0)
      return malformed(at, "expected inputs before outputs, found an input after one");
    TensorMap& map = next.role == kInput ? golden.inputs : golden.outputs;
    if (map.find(next.name) != nullptr)
      return malformed(at, "expected different names, found " + quote(next.name) + " twice");
    SKUA_RETURN_IF_ERROR(map.insert(std::move(next.name), std::move(next.tensor)));
  }
  if (cursor.left() != 0) {
    return malformed(cursor.offset(),
                     "expected the end of the file, found " + std::to_string(cursor.left()) + " more bytes");
  }
  return golden;
}

Result<std::vector<std::byte>> encode_golden(const TensorMap& inputs, const TensorMap& outputs) {
  const std::size_t count = inputs.size() + outputs.size();
  if (count == 0 || count > kMaxTensors) {
    return make_error(
        ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
        "golden vectors: expected 1 to 64 tensors, found " + std::to_string(count) + "; leave some out");
  }
  std::vector<std::byte> bytes;
  append_bytes(bytes, kMagic);
  append_number<std::uint32_t>(bytes, static_cast<std::uint32_t>(count));
  append_number<std::uint32_t>(bytes, 0);
  for (const auto& [name, tensor] : inputs)
    SKUA_RETURN_IF_ERROR(append_tensor(bytes, kInput, name, tensor.view()));
  for (const auto& [name, tensor] : outputs)
    SKUA_RETURN_IF_ERROR(append_tensor(bytes, kExpectedOutput, name, tensor.view()));
  return bytes;
}

}  // namespace skua
