#include "runtimes/tensorrt/compile_network.h"

#include <algorithm>
#include <optional>

#include "compile/compilation.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_differences.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;

template <typename Get>
std::vector<const nvinfer1::ITensor*> tensors_of(int count, Get get) {
  std::vector<const nvinfer1::ITensor*> tensors;
  for (int i = 0; i < count; ++i) tensors.push_back(get(i));
  return tensors;
}

const nvinfer1::ITensor* find_tensor(const std::vector<const nvinfer1::ITensor*>& tensors,
                                     const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&name](const nvinfer1::ITensor* each) {
    return each != nullptr && name == each->getName();
  });
  return found == tensors.end() ? nullptr : *found;
}

/// Who should be there and who is.
void compare_names(const std::string& side, const std::vector<OnnxValue>& expected,
                   const std::vector<const nvinfer1::ITensor*>& tensors, Differences& differences) {
  std::vector<std::string> missing, extra;
  for (const OnnxValue& value : expected) {
    if (find_tensor(tensors, value.name) == nullptr) missing.push_back(quote(value.name));
  }
  for (const nvinfer1::ITensor* tensor : tensors) {
    const std::string name = tensor == nullptr ? "" : tensor->getName();
    const bool is_known = std::any_of(expected.begin(), expected.end(),
                                      [&name](const OnnxValue& value) { return value.name == name; });
    if (!is_known) extra.push_back(quote(name));
  }
  if (!missing.empty()) differences.add(side + " " + join(missing) + " expected, not found");
  if (!extra.empty()) differences.add(side + " " + join(extra) + " found, not in the model");
}

bool agree(const Shape& declared, const Shape& found) {
  if (declared.rank() != found.rank()) return false;
  for (std::size_t axis = 0; axis < found.rank(); ++axis) {
    if (declared[axis] >= 0 && found[axis] >= 0 && declared[axis] != found[axis]) return false;
  }
  return true;
}

std::string dims_text(const nvinfer1::Dims& dims) {
  const auto shape = shape_of(dims);
  return shape.ok() ? shape->to_string() : "an unknown shape";
}

/// An input of the network beside the file's. Its shape must be the file's to the last dimension.
Result<ModelTensor> check_input(const OnnxValue& value, const nvinfer1::ITensor& tensor,
                                Differences& differences) {
  SKUA_ASSIGN_OR_RETURN(ModelTensor input, input_of(value));
  const std::string where = "input " + quote(value.name);
  const auto expected_type = data_type_of(input.spec.dtype);
  if (!expected_type || *expected_type != tensor.getType()) {
    differences.add(where + ": expected " + std::string(to_string(input.spec.dtype)) + ", found " +
                    name_of(tensor.getType()));
  }
  const auto shape = shape_of(tensor.getDimensions());
  if (!shape.ok() || *shape != input.spec.shape) {
    differences.add(where + ": expected shape " + input.spec.shape.to_string() + ", found " +
                    dims_text(tensor.getDimensions()));
  }
  if (tensor.isShapeTensor()) {
    return build_error(
        Reason::kModelUnsupported,
        where +
            ": its values decide the shape of another tensor, which an optimisation profile of "
            "shapes cannot bound; make it a constant of the model");
  }
  return input;
}

void compare_output(const OnnxValue& value, const ModelTensor& output, nvinfer1::DataType type,
                    Differences& differences) {
  const std::string where = "output " + quote(value.name);
  const auto declared = dtype_of_onnx(value.type);
  if (value.type != 0 && (!declared || data_type_of(*declared) != type)) {
    differences.add(where + ": expected " + onnx_type_name(value.type) + ", found " + name_of(type));
  }
  if (!value.has_shape) return;
  std::vector<std::int64_t> dims;
  for (const OnnxDim& dim : value.dims) dims.push_back(std::max<std::int64_t>(dim.value, -1));
  const auto shape = Shape::from(dims);
  if (shape.ok() && agree(*shape, output.spec.shape)) return;
  differences.add(where + ": expected shape " + (shape.ok() ? shape->to_string() : "of too many dimensions") +
                  ", found " + output.spec.shape.to_string());
}

/// An output: what the file declares of it counts for nothing in TensorRT, so it is compared, and what
/// TensorRT has found out is kept. Names of dynamic dimensions are the file's.
Result<ModelTensor> check_output(const OnnxValue& value, const nvinfer1::ITensor& tensor,
                                 Differences& differences) {
  ModelTensor output;
  output.spec.name = value.name;
  const auto dtype = dtype_of(tensor.getType());
  const auto shape = shape_of(tensor.getDimensions());
  if (!dtype.ok() || !shape.ok()) {
    return build_error(Reason::kModelUnsupported,
                       "output " + quote(value.name) +
                           ": expected a tensor of known rank and of a type that Skua "
                           "has, found " +
                           name_of(tensor.getType()) + " " + dims_text(tensor.getDimensions()) +
                           "; change the model");
  }
  output.spec.dtype = *dtype;
  output.spec.shape = *shape;
  output.symbols.resize(shape->rank());
  compare_output(value, output, tensor.getType(), differences);
  for (std::size_t axis = 0; axis < shape->rank() && axis < value.dims.size(); ++axis) {
    if ((*shape)[axis] < 0) output.symbols[axis] = value.dims[axis].symbol;
  }
  return output;
}

/// An input that is nothing but an output leaves no layer behind.
Status check_passed_through(const OnnxModel& source) {
  for (const OnnxValue& input : source.graph.inputs) {
    for (const OnnxValue& output : source.graph.outputs) {
      if (input.name != output.name) continue;
      return build_error(
          Reason::kContractMismatch,
          quote(input.name) + " is an input and an output of the model: TensorRT renames the input to " +
              quote("__" + input.name) + "; put an Identity node between them and export the network again");
    }
  }
  return {};
}

}  // namespace

Result<ModelTensors> network_contract(const nvinfer1::INetworkDefinition& network, const OnnxModel& source) {
  if (network.getNbLayers() == 0 || network.getNbOutputs() == 0) {
    SKUA_RETURN_IF_ERROR(check_passed_through(source));
    return build_error(Reason::kModelEmpty,
                       "TensorRT's parser found " + std::to_string(network.getNbLayers()) + " layers and " +
                           std::to_string(network.getNbOutputs()) +
                           " outputs in the model; expected at least one of each: export the network again");
  }
  const auto inputs = tensors_of(network.getNbInputs(), [&](int i) { return network.getInput(i); });
  const auto outputs = tensors_of(network.getNbOutputs(), [&](int i) { return network.getOutput(i); });
  Differences differences;
  compare_names("input", source.graph.inputs, inputs, differences);
  compare_names("output", source.graph.outputs, outputs, differences);
  ModelTensors contract;
  for (const OnnxValue& value : source.graph.inputs) {
    const nvinfer1::ITensor* tensor = find_tensor(inputs, value.name);
    if (tensor == nullptr) continue;
    SKUA_ASSIGN_OR_RETURN(contract.inputs.emplace_back(), check_input(value, *tensor, differences));
  }
  for (const OnnxValue& value : source.graph.outputs) {
    const nvinfer1::ITensor* tensor = find_tensor(outputs, value.name);
    if (tensor == nullptr) continue;
    SKUA_ASSIGN_OR_RETURN(contract.outputs.emplace_back(), check_output(value, *tensor, differences));
  }
  SKUA_RETURN_IF_ERROR(differences.finish("TensorRT's network is not what the model says",
                                          "change the model so that both agree"));
  return contract;
}

}  // namespace skua::tensorrt
