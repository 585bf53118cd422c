#include "onnx/onnx_model.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "onnx/protobuf_wire.h"

namespace skua {
namespace {

constexpr int kMaxDepth = 32;
using Bytes = std::span<const std::byte>;

// Each function below reads one message and answers whether it was well formed: each known field has its wire
// type, each message ends where it says. Unknown fields are skipped, as protobuf does.
#define SKUA_ONNX_REQUIRE(condition) \
  do {                               \
    if (!(condition)) return false;  \
  } while (false)

bool is_text(const WireField& field) { return field.type == WireType::kBytes; }
bool is_integer(const WireField& field) { return field.type == WireType::kVarint; }

// protobuf cuts such a field to 32 bits, so that a longer one would mean something else there than here.
bool read_int32(const WireField& field, std::int32_t& into) {
  SKUA_ONNX_REQUIRE(is_integer(field));
  into = static_cast<std::int32_t>(field.integer());
  return into == field.integer();
}

bool read_text(const WireField& field, std::string& into) {
  SKUA_ONNX_REQUIRE(is_text(field));
  into = field.text();
  return true;
}

bool read_pair(Bytes bytes, std::map<std::string, std::string>& into) {
  WireReader reader(bytes);
  std::string key, value;
  while (const auto field = reader.next()) {
    if (field->number == 1) SKUA_ONNX_REQUIRE(read_text(*field, key));
    if (field->number == 2) SKUA_ONNX_REQUIRE(read_text(*field, value));
  }
  into[key] = value;
  return !reader.is_malformed();
}

bool read_dims(const WireField& field, std::vector<std::int64_t>& dims) {
  if (is_integer(field)) {
    dims.push_back(field.integer());
    return true;
  }
  SKUA_ONNX_REQUIRE(is_text(field));
  WireReader packed(field.bytes);
  while (const auto value = packed.varint()) dims.push_back(static_cast<std::int64_t>(*value));
  return !packed.is_malformed();
}

bool read_tensor(Bytes bytes, OnnxTensor& tensor) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    switch (field->number) {
      case 1:
        SKUA_ONNX_REQUIRE(read_dims(*field, tensor.dims));
        break;
      case 2:
        SKUA_ONNX_REQUIRE(read_int32(*field, tensor.type));
        break;
      case 8:
        SKUA_ONNX_REQUIRE(read_text(*field, tensor.name));
        break;
      case 13:
        SKUA_ONNX_REQUIRE(is_text(*field) && read_pair(field->bytes, tensor.external));
        break;
      case 14:
        SKUA_ONNX_REQUIRE(is_integer(*field));
        tensor.is_external = field->scalar != 0;  // also what protobuf would cut to 1
        break;
      default:  // the values themselves, in one of several fields
        tensor.payload_bytes += field->bytes.size();
        break;
    }
  }
  return !reader.is_malformed();
}

bool read_sparse_tensor(Bytes bytes, std::vector<OnnxTensor>& tensors) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number != 1 && field->number != 2) continue;
    SKUA_ONNX_REQUIRE(is_text(*field));
    SKUA_ONNX_REQUIRE(read_tensor(field->bytes, tensors.emplace_back()));
  }
  return !reader.is_malformed();
}

bool read_dim(Bytes bytes, OnnxDim& dim) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) {
      SKUA_ONNX_REQUIRE(is_integer(*field));
      dim.value = field->integer();
    }
    if (field->number == 2) SKUA_ONNX_REQUIRE(read_text(*field, dim.symbol));
  }
  return !reader.is_malformed();
}

bool read_shape(Bytes bytes, std::vector<OnnxDim>& dims) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number != 1) continue;
    SKUA_ONNX_REQUIRE(is_text(*field) && read_dim(field->bytes, dims.emplace_back()));
  }
  return !reader.is_malformed();
}

bool read_tensor_type(Bytes bytes, OnnxValue& value) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) {
      SKUA_ONNX_REQUIRE(read_int32(*field, value.type));
    }
    if (field->number == 2) {
      value.has_shape = true;
      SKUA_ONNX_REQUIRE(is_text(*field) && read_shape(field->bytes, value.dims));
    }
  }
  return !reader.is_malformed();
}

bool read_type(Bytes bytes, OnnxValue& value) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) SKUA_ONNX_REQUIRE(is_text(*field) && read_tensor_type(field->bytes, value));
  }
  return !reader.is_malformed();
}

bool read_value(Bytes bytes, OnnxValue& value) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) SKUA_ONNX_REQUIRE(read_text(*field, value.name));
    if (field->number == 2) SKUA_ONNX_REQUIRE(is_text(*field) && read_type(field->bytes, value));
  }
  return !reader.is_malformed();
}

bool read_graph(Bytes bytes, OnnxGraph& graph, int depth);

bool read_attribute_field(const WireField& field, OnnxAttribute& attribute, int depth) {
  switch (field.number) {
    case 1:
      return read_text(field, attribute.name);
    case 2:
      attribute.has_floats = true;
      return field.type == WireType::kFixed32;
    case 3:
      attribute.integer = field.integer();
      return is_integer(field);
    case 4:
      return is_text(field);  // not kept: an embedded engine may have hundreds of MB
    case 5:
    case 10:
      return is_text(field) && read_tensor(field.bytes, attribute.tensors.emplace_back());
    case 6:
    case 11:
      return is_text(field) && read_graph(field.bytes, attribute.graphs.emplace_back(), depth + 1);
    case 7:
      attribute.has_floats = true;
      attribute.float_list_size += field.type == WireType::kFixed32 ? 1 : field.bytes.size() / 4;
      return field.type == WireType::kFixed32 || is_text(field);
    case 20:
      return read_int32(field, attribute.type);
    case 22:
    case 23:
      return is_text(field) && read_sparse_tensor(field.bytes, attribute.tensors);
    default:
      return true;
  }
}

bool read_attribute(Bytes bytes, OnnxAttribute& attribute, int depth) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) SKUA_ONNX_REQUIRE(read_attribute_field(*field, attribute, depth));
  return !reader.is_malformed();
}

// Of two attributes with one name ONNX Runtime may take the one that was not checked here.
bool has_unique_attributes(const OnnxNode& node) {
  std::set<std::string_view> names;
  for (const OnnxAttribute& attribute : node.attributes) names.insert(attribute.name);
  return names.size() == node.attributes.size();
}

bool read_node(Bytes bytes, OnnxNode& node, int depth) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number > 7 || field->number == 6) continue;
    SKUA_ONNX_REQUIRE(is_text(*field));
    if (field->number == 1) node.inputs.emplace_back(field->text());
    if (field->number == 2) node.outputs.emplace_back(field->text());
    if (field->number == 3) node.name = field->text();
    if (field->number == 4) node.op_type = field->text();
    SKUA_ONNX_REQUIRE(field->number != 5 ||
                      read_attribute(field->bytes, node.attributes.emplace_back(), depth));
    if (field->number == 7) node.domain = field->text();
  }
  return !reader.is_malformed() && has_unique_attributes(node);
}

// Before IR version 4 every initializer had to be listed as an input too.
void drop_initialized_inputs(OnnxGraph& graph) {
  std::set<std::string_view> names;
  for (const OnnxTensor& tensor : graph.initializers) names.insert(tensor.name);
  const auto is_weight = [&names](const OnnxValue& value) { return names.count(value.name) != 0; };
  graph.inputs.erase(std::remove_if(graph.inputs.begin(), graph.inputs.end(), is_weight), graph.inputs.end());
}

bool read_graph_field(const WireField& field, OnnxGraph& graph, int depth) {
  switch (field.number) {
    case 1:
      return is_text(field) && read_node(field.bytes, graph.nodes.emplace_back(), depth);
    case 2:
      return read_text(field, graph.name);
    case 5:
      return is_text(field) && read_tensor(field.bytes, graph.initializers.emplace_back());
    case 11:
      return is_text(field) && read_value(field.bytes, graph.inputs.emplace_back());
    case 12:
      return is_text(field) && read_value(field.bytes, graph.outputs.emplace_back());
    case 15:
      return is_text(field) && read_sparse_tensor(field.bytes, graph.initializers);
    default:
      return true;
  }
}

bool read_graph(Bytes bytes, OnnxGraph& graph, int depth) {
  SKUA_ONNX_REQUIRE(depth < kMaxDepth);
  WireReader reader(bytes);
  while (const auto field = reader.next()) SKUA_ONNX_REQUIRE(read_graph_field(*field, graph, depth));
  drop_initialized_inputs(graph);
  return !reader.is_malformed();
}

bool read_opset(Bytes bytes, std::map<std::string, std::int64_t>& opsets) {
  WireReader reader(bytes);
  std::string domain;
  std::int64_t version = 0;
  while (const auto field = reader.next()) {
    if (field->number == 1) SKUA_ONNX_REQUIRE(read_text(*field, domain));
    if (field->number == 2) {
      SKUA_ONNX_REQUIRE(is_integer(*field));
      version = field->integer();
    }
  }
  opsets[domain == "ai.onnx" ? "" : domain] = version;
  return !reader.is_malformed();
}

// Nodes stand in field 7. One with attribute defaults (field 11), which could hold tensors, is not read.
bool read_function(Bytes bytes, OnnxGraph& body) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    SKUA_ONNX_REQUIRE(field->number != 11);
    if (field->number == 1) SKUA_ONNX_REQUIRE(read_text(*field, body.name));
    if (field->number != 7) continue;
    SKUA_ONNX_REQUIRE(is_text(*field) && read_node(field->bytes, body.nodes.emplace_back(), 1));
  }
  return !reader.is_malformed();
}

bool read_model_field(const WireField& field, OnnxModel& model, bool& has_graph) {
  switch (field.number) {
    case 1:
      model.ir_version = field.integer();
      return is_integer(field);
    case 7:
      if (std::exchange(has_graph, true)) return false;  // protobuf would merge the two; nobody writes that
      return is_text(field) && read_graph(field.bytes, model.graph, 0);
    case 8:
      return is_text(field) && read_opset(field.bytes, model.opsets);
    case 14:
      return is_text(field) && read_pair(field.bytes, model.metadata);
    case 25:
      return is_text(field) && read_function(field.bytes, model.functions.emplace_back());
    default:
      return true;
  }
}

#undef SKUA_ONNX_REQUIRE

bool starts_with(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

std::string_view looks_like(Bytes bytes) {
  using namespace std::string_view_literals;
  if (starts_with(bytes, "PK\3\4"sv)) return "a zip archive, such as a PyTorch .pt file";
  if (starts_with(bytes, "ftrt"sv)) return "a TensorRT engine";
  if (starts_with(bytes, "\x89HDF"sv)) return "an HDF5 file";
  if (starts_with(bytes, "\177ELF"sv)) return "a program or library";
  if (starts_with(bytes, "version https://git-lfs"sv)) return "a Git LFS pointer; fetch the real file";
  const Bytes head = bytes.first(std::min<std::size_t>(bytes.size(), 256));
  const bool is_plain = std::all_of(head.begin(), head.end(), [](std::byte byte) {
    const auto c = std::to_integer<unsigned>(byte);
    return (c >= 0x20U && c < 0x7FU) || c == '\n' || c == '\r' || c == '\t';
  });
  return is_plain ? "a text file" : "a damaged or cut-off file";
}

Error bad_model(Reason reason, const std::string& found) {
  return make_error(ErrorCode::kEngineBuild, reason,
                    "expected an ONNX model, found " + found + "; export the network again");
}

template <typename Visit>
void visit_graph(const OnnxGraph& graph, const Visit& visit) {
  visit(graph);
  for (const OnnxNode& node : graph.nodes) {
    for (const OnnxAttribute& attribute : node.attributes) {
      for (const OnnxGraph& inner : attribute.graphs) visit_graph(inner, visit);
    }
  }
}

template <typename Visit>
void visit_model(const OnnxModel& model, const Visit& visit) {
  visit_graph(model.graph, visit);
  for (const OnnxGraph& body : model.functions) visit_graph(body, visit);
}

}  // namespace

std::string onnx_type_name(std::int32_t type) {
  constexpr std::array<const char*, 17> kNames = {
      "untyped", "float32", "uint8",   "int8",   "uint16", "int16",     "int32",      "int64",   "string",
      "bool",    "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16"};
  if (type >= 0 && static_cast<std::size_t>(type) < kNames.size())
    return kNames[static_cast<std::size_t>(type)];
  return "type" + std::to_string(type);
}

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const noexcept {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [attribute](const OnnxAttribute& each) { return each.name == attribute; });
  return found == attributes.end() ? nullptr : &*found;
}

std::string OnnxModel::metadata_or_empty(const std::string& key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

Result<OnnxModel> parse_onnx(std::span<const std::byte> bytes) {
  if (bytes.empty()) return bad_model(Reason::kModelEmpty, "an empty file");
  OnnxModel model;
  bool has_graph = false;
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (!read_model_field(*field, model, has_graph))
      return bad_model(Reason::kModelMalformed, std::string(looks_like(bytes)));
  }
  if (reader.is_malformed()) return bad_model(Reason::kModelMalformed, std::string(looks_like(bytes)));
  if (model.graph.nodes.empty()) return bad_model(Reason::kModelEmpty, "a file without a network (no node)");
  if (model.opsets.empty() || model.graph.outputs.empty()) {
    return bad_model(Reason::kModelMalformed, "a file without operator set or outputs, most likely cut off");
  }
  return model;
}

std::vector<const OnnxTensor*> all_tensors(const OnnxModel& model) {
  std::vector<const OnnxTensor*> tensors;
  visit_model(model, [&tensors](const OnnxGraph& graph) {
    for (const OnnxTensor& tensor : graph.initializers) tensors.push_back(&tensor);
    for (const OnnxNode& node : graph.nodes) {
      for (const OnnxAttribute& attribute : node.attributes) {
        for (const OnnxTensor& tensor : attribute.tensors) tensors.push_back(&tensor);
      }
    }
  });
  return tensors;
}

std::vector<const OnnxNode*> all_nodes(const OnnxModel& model) {
  std::vector<const OnnxNode*> nodes;
  visit_model(model, [&nodes](const OnnxGraph& graph) {
    for (const OnnxNode& node : graph.nodes) nodes.push_back(&node);
  });
  return nodes;
}

}  // namespace skua
