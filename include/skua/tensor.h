// Tensors: element types, shapes, descriptions, views and owners.
// Thread-safety: values; concurrent reads are safe, a write needs the caller's own order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "skua/result.h"

namespace skua {

/// Element types. The numbers are part of the golden-vector file format; never renumber.
enum class DType : std::uint8_t {
  kFloat32 = 1,
  kFloat16 = 2,
  kFloat64 = 3,
  kInt8 = 4,
  kUInt8 = 5,
  kInt16 = 6,
  kUInt16 = 7,
  kInt32 = 8,
  kUInt32 = 9,
  kInt64 = 10,
  kUInt64 = 11,
  kBool = 12,
};

/// Bytes of one element; 0 for a value that is no DType.
std::size_t dtype_size(DType dtype) noexcept;
/// NumPy's name, e.g. "float16".
std::string_view to_string(DType dtype) noexcept;
/// Reads `to_string`'s form; InvalidArgumentError for anything else.
Result<DType> dtype_from_string(std::string_view name);

/// Up to eight dimensions, inline. A dimension of -1 is dynamic and legal in a TensorSpec only.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  Shape() noexcept = default;  ///< rank 0: a scalar
  /// Requires at most eight dimensions; more is a defect (use `from` for foreign data).
  Shape(std::initializer_list<std::int64_t> dims) noexcept;
  /// InvalidArgumentError for more than eight dimensions and for dimensions below -1.
  static Result<Shape> from(std::span<const std::int64_t> dims);

  /// Number of dimensions.
  std::size_t rank() const noexcept { return rank_; }
  std::int64_t operator[](std::size_t axis) const noexcept { return dims_[axis]; }
  /// Changes one dimension. Requires axis < rank().
  void set(std::size_t axis, std::int64_t dim) noexcept { dims_[axis] = dim; }
  /// All dimensions; as long as this shape.
  std::span<const std::int64_t> dims() const noexcept { return {dims_.data(), rank_}; }
  /// Whether no dimension is dynamic.
  bool is_static() const noexcept;
  /// Product of the dimensions; an error when one is dynamic or the product overflows. Success does not
  /// allocate.
  Result<std::size_t> element_count() const;
  /// element_count() * dtype_size; the errors of element_count.
  Result<std::size_t> byte_size(DType dtype) const;
  /// "1x3x640x360"; "-1" for a dynamic dimension; "scalar" for rank 0.
  std::string to_string() const;
  /// Reads `to_string`'s form; InvalidArgumentError for any other spelling.
  static Result<Shape> parse(std::string_view text);

  friend bool operator==(const Shape& a, const Shape& b) noexcept;
  friend bool operator!=(const Shape& a, const Shape& b) noexcept { return !(a == b); }

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

/// Where a tensor's bytes lie.
enum class DeviceType : std::uint8_t { kCpu, kCuda };
/// A processor and, where there are several, its number.
struct Device {
  DeviceType type = DeviceType::kCpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

/// Static description of one input or output of an engine.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;                  ///< -1 where a profile or the data decide
  Shape max_shape;              ///< static; the capacity that lanes reserve
  bool data_dependent = false;  ///< outputs only: the shape is known after a run alone
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

/// Non-owning: row-major, contiguous bytes that somebody else keeps alive. Copying one copies a pointer.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;
  Device device;

  /// Bytes of the view; 0 when its shape is dynamic or overflows. Does not allocate.
  std::size_t size_bytes() const noexcept;
  /// The elements as T. Requires a host view whose dtype has T's size.
  template <typename T>
  std::span<T> as() const noexcept {
    return {static_cast<T*>(data), size_bytes() / sizeof(T)};
  }
};

/// A tensor that owns 64-byte aligned host memory, or borrows a caller's. Movable, cheap to move; not
/// copyable.
class Tensor {
 public:
  Tensor() = default;
  /// Zeroed memory of its own. OutOfMemoryError when there is none, InvalidArgumentError for a dynamic shape.
  static Result<Tensor> allocate(DType dtype, const Shape& shape);
  /// A tensor over memory that the caller keeps alive for as long as this tensor is used.
  static Tensor borrow(const TensorView& view) noexcept;

  /// Its bytes; as long as this tensor.
  const TensorView& view() const noexcept { return view_; }
  /// Whether the memory is its own.
  bool is_owner() const noexcept { return storage_ != nullptr; }
  /// The elements as T; TensorView::as.
  template <typename T>
  std::span<T> as() const noexcept {
    return view_.as<T>();
  }

 private:
  struct Release {
    void operator()(void* memory) const noexcept;
  };
  std::unique_ptr<void, Release> storage_;
  TensorView view_;
};

/// Names to tensors, in the order of insertion. Small: look-up is linear.
class TensorMap {
 public:
  using Entry = std::pair<std::string, Tensor>;

  /// InvalidArgumentError when the name is there already.
  Status insert(std::string name, Tensor tensor);
  /// nullptr when there is none.
  const Tensor* find(std::string_view name) const noexcept;
  /// How many there are, and all of them in their order.
  std::size_t size() const noexcept { return entries_.size(); }
  /// See size.
  std::vector<Entry>::const_iterator begin() const noexcept { return entries_.begin(); }
  /// See size.
  std::vector<Entry>::const_iterator end() const noexcept { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace skua
