#include "runtimes/onnxruntime/ort_tensors.h"

#include <array>
#include <utility>

#include "runtimes/onnxruntime/ort_errors.h"
#include "runtimes/onnxruntime/ort_handles.h"

namespace skua::ort {
namespace {

constexpr std::array<std::pair<ONNXTensorElementDataType, DType>, 12> kTypes = {{
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, DType::kFloat32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, DType::kFloat16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, DType::kFloat64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, DType::kInt8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, DType::kUInt8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, DType::kInt16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, DType::kUInt16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, DType::kInt32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, DType::kUInt32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, DType::kInt64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, DType::kUInt64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, DType::kBool},
}};

// The calls that differ between inputs and outputs.
struct Side {
  decltype(&OrtApi::SessionGetInputCount) count;
  decltype(&OrtApi::SessionGetInputName) name;
  decltype(&OrtApi::SessionGetInputTypeInfo) type;
};
constexpr Side kInputs = {&OrtApi::SessionGetInputCount, &OrtApi::SessionGetInputName,
                          &OrtApi::SessionGetInputTypeInfo};
constexpr Side kOutputs = {&OrtApi::SessionGetOutputCount, &OrtApi::SessionGetOutputName,
                           &OrtApi::SessionGetOutputTypeInfo};

class Reader {
 public:
  Reader(const OrtApi& api, const OrtSession* session, ErrorCode refusal_code)
      : api_(api), session_(session), refusal_code_(refusal_code) {}

  Result<std::vector<SessionTensor>> read(const Side& side) const {
    std::size_t count = 0;
    SKUA_RETURN_IF_ERROR(ok((api_.*side.count)(session_, &count)));
    std::vector<SessionTensor> tensors(count);
    for (std::size_t i = 0; i < count; ++i) {
      SKUA_ASSIGN_OR_RETURN(tensors[i].spec.name, read_name(side, i));
      SKUA_RETURN_IF_ERROR(read_type(side, i, tensors[i]));
    }
    return tensors;
  }

 private:
  Status ok(OrtStatus* status) const {
    return check(api_, status,
                 refusal_code_ == ErrorCode::kEngineBuild ? OrtContext::kCompile : OrtContext::kLoad,
                 "inputs and outputs");
  }
  Error unsupported(const std::string& name, const std::string& found) const {
    return make_error(refusal_code_, Reason::kModelUnsupported,
                      "'" + name + "': expected a dense tensor of a numeric or bool type with at most " +
                          std::to_string(Shape::kMaxRank) + " dimensions, found " + found +
                          "; change the model");
  }

  Result<std::string> read_name(const Side& side, std::size_t index) const {
    OrtAllocator* allocator = nullptr;
    SKUA_RETURN_IF_ERROR(ok(api_.GetAllocatorWithDefaultOptions(&allocator)));
    char* text = nullptr;
    SKUA_RETURN_IF_ERROR(ok((api_.*side.name)(session_, index, allocator, &text)));
    std::string name(text);
    SKUA_RETURN_IF_ERROR(ok(api_.AllocatorFree(allocator, text)));
    return name;
  }

  Status read_type(const Side& side, std::size_t index, SessionTensor& into) const {
    TypeInfoHandle type(api_);
    SKUA_RETURN_IF_ERROR(ok((api_.*side.type)(session_, index, type.out())));
    const OrtTensorTypeAndShapeInfo* info =
        nullptr;  // owned by `type`; null for sequences, maps and optionals
    SKUA_RETURN_IF_ERROR(ok(api_.CastTypeInfoToTensorInfo(type.get(), &info)));
    if (info == nullptr) return unsupported(into.spec.name, "a value that is not a dense tensor");
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    SKUA_RETURN_IF_ERROR(ok(api_.GetTensorElementType(info, &element)));
    const auto dtype = dtype_of(element);
    if (!dtype)
      return unsupported(into.spec.name, "ONNX element type " + std::to_string(static_cast<int>(element)));
    into.spec.dtype = *dtype;
    return read_shape(info, into);
  }

  Status read_shape(const OrtTensorTypeAndShapeInfo* info, SessionTensor& into) const {
    std::size_t rank = 0;
    SKUA_RETURN_IF_ERROR(ok(api_.GetDimensionsCount(info, &rank)));
    if (rank > Shape::kMaxRank) return unsupported(into.spec.name, std::to_string(rank) + " dimensions");
    std::array<std::int64_t, Shape::kMaxRank> dims{};
    std::array<const char*, Shape::kMaxRank> symbols{};
    SKUA_RETURN_IF_ERROR(ok(api_.GetDimensions(info, dims.data(), rank)));
    SKUA_RETURN_IF_ERROR(ok(api_.GetSymbolicDimensions(info, symbols.data(), rank)));
    SKUA_ASSIGN_OR_RETURN(into.spec.shape, Shape::from({dims.data(), rank}));
    for (std::size_t axis = 0; axis < rank; ++axis) {
      into.symbols.emplace_back(dims[axis] < 0 && symbols[axis] != nullptr ? symbols[axis] : "");
    }
    return {};
  }

  const OrtApi& api_;
  const OrtSession* session_;
  ErrorCode refusal_code_;
};

}  // namespace

std::optional<DType> dtype_of(ONNXTensorElementDataType type) noexcept {
  for (const auto& [element, dtype] : kTypes) {
    if (element == type) return dtype;
  }
  return std::nullopt;
}

ONNXTensorElementDataType element_type_of(DType dtype) noexcept {
  for (const auto& [element, known] : kTypes) {
    if (known == dtype) return element;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<SessionTensors> tensors_of(const OrtLibrary& library, const OrtSession* session,
                                  ErrorCode refusal_code) {
  const Reader reader(library.api(), session, refusal_code);
  SessionTensors tensors;
  SKUA_ASSIGN_OR_RETURN(tensors.inputs, reader.read(kInputs));
  SKUA_ASSIGN_OR_RETURN(tensors.outputs, reader.read(kOutputs));
  return tensors;
}

}  // namespace skua::ort
