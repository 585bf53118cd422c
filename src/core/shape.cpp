#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>

#include "core/text.h"
#include "skua/tensor.h"

namespace skua {
namespace {

Error shape_error(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

// Without an Error, so that the hot path can ask about a bad shape without allocating.
std::optional<std::size_t> count_elements(std::span<const std::int64_t> dims,
                                          std::size_t element_size) noexcept {
  std::size_t count = element_size;
  bool is_empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    is_empty = is_empty || dim == 0;
  }
  if (is_empty) return 0;  // an empty tensor is empty however large its other dimensions are
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(dim), &count)) return std::nullopt;
  }
  // Byte sizes meet ptrdiff_t in pointer arithmetic, which must not overflow either.
  if (count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())) return std::nullopt;
  return count;
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> dims) noexcept : rank_(std::min(dims.size(), kMaxRank)) {
  assert(dims.size() <= kMaxRank);
  std::copy_n(dims.begin(), rank_, dims_.begin());
}

Result<Shape> Shape::from(std::span<const std::int64_t> dims) {
  if (dims.size() > kMaxRank) {
    return shape_error("shape has " + std::to_string(dims.size()) + " dimensions; at most " +
                       std::to_string(kMaxRank) + " are supported");
  }
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] < -1) {
      return shape_error("shape has " + std::to_string(dims[axis]) + " in axis " + std::to_string(axis) +
                         "; expected a dimension >= 0, or -1 for a dynamic one");
    }
  }
  Shape shape;
  shape.rank_ = dims.size();
  std::copy(dims.begin(), dims.end(), shape.dims_.begin());
  return shape;
}

bool Shape::is_static() const noexcept {
  return std::all_of(dims().begin(), dims().end(), [](std::int64_t dim) { return dim >= 0; });
}

Result<std::size_t> Shape::element_count() const {
  const auto count = count_elements(dims(), 1);
  if (count) return *count;
  if (!is_static())
    return shape_error("shape " + to_string() + " has a dynamic dimension; a static one is needed here");
  return shape_error("shape " + to_string() + " has more elements than can be addressed");
}

Result<std::size_t> Shape::byte_size(DType dtype) const {
  const std::size_t element_size = dtype_size(dtype);
  if (element_size == 0) {
    return shape_error("element type " + std::to_string(static_cast<int>(dtype)) + " is unknown");
  }
  SKUA_RETURN_IF_ERROR(element_count());
  const auto bytes = count_elements(dims(), element_size);
  if (bytes) return *bytes;
  return shape_error("shape " + to_string() + " of " + std::string(skua::to_string(dtype)) +
                     " has more bytes than can be addressed");
}

std::string Shape::to_string() const {
  if (rank_ == 0) return "scalar";
  std::string text;
  for (const std::int64_t dim : dims()) {
    if (!text.empty()) text += "x";
    text += std::to_string(dim);
  }
  return text;
}

Result<Shape> Shape::parse(std::string_view text) {
  if (text == "scalar") return Shape();
  std::vector<std::int64_t> dims;
  for (std::string_view rest = text; dims.size() <= kMaxRank;) {
    const auto cut = rest.find('x');
    const auto dim = parse_int64(rest.substr(0, cut));
    if (!dim) break;
    dims.push_back(*dim);
    if (cut == std::string_view::npos) {
      const auto shape = from(dims);
      if (shape.ok() && shape->to_string() == text)
        return *shape;  // else an unusual spelling, such as 01 or -0
      break;
    }
    rest.remove_prefix(cut + 1);
  }
  return shape_error("shape " + quote(text) +
                     " cannot be read; expected at most eight dimensions such as 1x3x640x360, or 'scalar'");
}

bool operator==(const Shape& a, const Shape& b) noexcept {
  return std::equal(a.dims().begin(), a.dims().end(), b.dims().begin(), b.dims().end());
}

std::size_t TensorView::size_bytes() const noexcept {
  const std::size_t element_size = dtype_size(dtype);
  return element_size == 0 ? 0 : count_elements(shape.dims(), element_size).value_or(0);
}

}  // namespace skua
