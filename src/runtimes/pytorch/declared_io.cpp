#include "runtimes/pytorch/declared_io.h"

#include <set>

#include "core/json_strict.h"
#include "core/text.h"

namespace skua::pytorch {
namespace {

constexpr std::size_t kMostTensors = 256;
constexpr JsonLimits kLimits{64U << 10U, 6};

Error malformed(const std::string& text) {
  return make_error(ErrorCode::kEngineBuild, Reason::kModelMalformed,
                    "the model's extra file skua.io: " + text + "; export the model again");
}

Result<Shape> shape_of(const std::vector<const Json*>& numbers, const std::string& path) {
  std::vector<std::int64_t> dims;
  for (const Json* number : numbers) {
    if (!number->is_number_integer()) return malformed(path + ": expected whole numbers");
    dims.push_back(number->get<std::int64_t>());
  }
  auto shape = Shape::from(dims);
  if (!shape.ok()) return malformed(path + ": " + shape.error().message);
  return shape;
}

Result<DeclaredInput> input_of(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  DeclaredInput input;
  input.name = reader.text("name", 256);
  const std::string dtype = reader.text("dtype", 16);
  const auto dims = reader.array("shape", Shape::kMaxRank);
  if (const Status status = reader.finish(); !status.ok()) return malformed(status.error().message);
  const auto type = dtype_from_string(dtype);
  if (!type.ok()) return malformed(path + ".dtype: " + type.error().message);
  input.dtype = *type;
  const bool is_unknown =
      *type == DType::kUInt16 || *type == DType::kUInt32 || *type == DType::kUInt64;  // to libtorch
  if (is_unknown) return malformed(path + ".dtype: expected one that libtorch computes in, found " + dtype);
  SKUA_ASSIGN_OR_RETURN(input.shape, shape_of(dims, path + ".shape"));
  if (!input.shape.is_static()) return input;
  const auto bytes = input.shape.byte_size(input.dtype);
  if (!bytes.ok()) return malformed(path + ".shape: " + bytes.error().message);
  return input;
}

}  // namespace

Result<DeclaredIo> parse_declared_io(std::string_view text) {
  const auto json = parse_json(text, kLimits);
  if (!json.ok()) return malformed(json.error().message);
  ObjectReader reader(*json, "");
  DeclaredIo io;
  for (const Json* element : reader.array("inputs", kMostTensors)) {
    SKUA_ASSIGN_OR_RETURN(DeclaredInput input,
                          input_of(*element, "inputs[" + std::to_string(io.inputs.size()) + "]"));
    io.inputs.push_back(std::move(input));
  }
  std::set<std::string> names;
  for (const Json* element : reader.array("outputs", kMostTensors)) {
    const bool is_name = element->is_string() && !element->get<std::string>().empty();
    if (!is_name || !names.insert(element->get<std::string>()).second) {
      return malformed("outputs[" + std::to_string(io.outputs.size()) + "]: expected a name of its own");
    }
    io.outputs.push_back(element->get<std::string>());
  }
  if (const Status status = reader.finish(); !status.ok()) return malformed(status.error().message);
  if (io.outputs.empty()) return malformed("outputs: expected a name for each, found none");
  return io;
}

}  // namespace skua::pytorch
