#include "skua/tensor.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/text.h"

namespace skua {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

constexpr std::array kDTypes = {
    DTypeRow{DType::kFloat32, "float32", 4}, DTypeRow{DType::kFloat16, "float16", 2},
    DTypeRow{DType::kFloat64, "float64", 8}, DTypeRow{DType::kInt8, "int8", 1},
    DTypeRow{DType::kUInt8, "uint8", 1},     DTypeRow{DType::kInt16, "int16", 2},
    DTypeRow{DType::kUInt16, "uint16", 2},   DTypeRow{DType::kInt32, "int32", 4},
    DTypeRow{DType::kUInt32, "uint32", 4},   DTypeRow{DType::kInt64, "int64", 8},
    DTypeRow{DType::kUInt64, "uint64", 8},   DTypeRow{DType::kBool, "bool", 1},
};

const DTypeRow* row_of(DType dtype) noexcept {
  const auto* row =
      std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeRow& r) { return r.dtype == dtype; });
  return row == kDTypes.end() ? nullptr : row;
}

constexpr std::size_t kAlignment = 64;

}  // namespace

std::size_t dtype_size(DType dtype) noexcept {
  const DTypeRow* row = row_of(dtype);
  return row ? row->size : 0;
}

std::string_view to_string(DType dtype) noexcept {
  const DTypeRow* row = row_of(dtype);
  return row ? row->name : "unknown";
}

Result<DType> dtype_from_string(std::string_view name) {
  std::vector<std::string_view> known;
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
    known.push_back(row.name);
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "element type " + quote(name) + " is unknown; expected one of " + join(known));
}

Result<Tensor> Tensor::allocate(DType dtype, const Shape& shape) {
  SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, shape.byte_size(dtype));
  // aligned_alloc wants a multiple of the alignment; an empty tensor still gets an address that SDKs accept.
  const std::size_t padded = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, padded);
  if (memory == nullptr) {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                      "tensor " + shape.to_string() + " of " + std::string(to_string(dtype)) + " needs " +
                          std::to_string(bytes) + " bytes of host memory, which are not there");
  }
  std::memset(memory, 0, padded);
  Tensor tensor;
  tensor.storage_.reset(memory);
  tensor.view_ = TensorView{memory, dtype, shape, Device{}};
  return tensor;
}

Tensor Tensor::borrow(const TensorView& view) noexcept {
  Tensor tensor;
  tensor.view_ = view;
  return tensor;
}

void Tensor::Release::operator()(void* memory) const noexcept { std::free(memory); }

Status TensorMap::insert(std::string name, Tensor tensor) {
  if (find(name) != nullptr) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "tensor " + quote(name) + " is in the map already; give each name once");
  }
  entries_.emplace_back(std::move(name), std::move(tensor));
  return {};
}

const Tensor* TensorMap::find(std::string_view name) const noexcept {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.first == name; });
  return entry == entries_.end() ? nullptr : &entry->second;
}

}  // namespace skua
