#include "plan.h"

#include <algorithm>
#include <cstring>

namespace sil::infer {
namespace {

using nvinfer1::Dims;

constexpr std::uint32_t kTag = 0x74727466;  // "ftrt"
constexpr std::string_view kEngineTag = "NGNE";
constexpr std::string_view kWeightsTag = "THGW";
constexpr std::string_view kEndMarker = "\x99\x8b\x8d\x8b";
constexpr std::size_t kSizeOffset = 16;
constexpr std::size_t kVersionOffset = 24;
constexpr std::size_t kWeightBytesOffset = 56;
constexpr std::size_t kEntryBytes = 24;
constexpr std::size_t kTableBytes = 2 * kEntryBytes;
constexpr std::size_t kAlignment = 8;

template <typename T>
void put(std::string& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

template <typename T>
T get(std::string_view bytes, std::size_t offset) {
  T value{};
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof value) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
  }
  return value;
}

class Writer {
 public:
  void number(std::int64_t value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes += value;
  }
  void dims(const Dims& value) {
    number(value.nbDims);
    for (int axis = 0; axis < value.nbDims; ++axis) number(value.d[axis]);
  }
  std::string bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::int64_t number() {
    if (rest_.size() < sizeof(std::int64_t)) return fail();
    const auto value = get<std::int64_t>(rest_, 0);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::int64_t size = number();
    if (size < 0 || static_cast<std::uint64_t>(size) > rest_.size())
      return std::string(static_cast<std::size_t>(fail()), ' ');
    std::string value(rest_.substr(0, static_cast<std::size_t>(size)));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return value;
  }
  Dims dims() {
    Dims value{};
    const std::int64_t rank = number();
    if (rank < -1 || rank > Dims::MAX_DIMS) fail();
    value.nbDims = is_good ? static_cast<std::int32_t>(rank) : 0;
    for (int axis = 0; axis < value.nbDims; ++axis) value.d[axis] = number();
    return value;
  }
  /// How many follow: never more than there are bytes.
  std::size_t count() {
    const std::int64_t value = number();
    if (value < 0 || static_cast<std::uint64_t>(value) > rest_.size())
      return static_cast<std::size_t>(fail());
    return static_cast<std::size_t>(value);
  }
  bool is_good = true;

 private:
  std::int64_t fail() {
    is_good = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
};

template <typename T, typename Write>
void write_list(Writer& writer, const std::vector<T>& list, const Write& write) {
  writer.number(static_cast<std::int64_t>(list.size()));
  for (const T& each : list) write(each);
}

template <typename T, typename Read>
void read_list(Reader& reader, std::vector<T>& list, const Read& read) {
  for (std::size_t left = reader.count(); left > 0 && reader.is_good; --left) read(list.emplace_back());
}

void write_tensor(Writer& writer, const PlanTensor& tensor) {
  writer.text(tensor.name);
  writer.text(tensor.onnx_name);
  writer.number(tensor.onnx_type);
  writer.number(static_cast<std::int64_t>(tensor.type));
  writer.dims(tensor.dims);
  writer.number((tensor.is_input ? 1 : 0) | (tensor.is_shape ? 2 : 0) | (tensor.is_data_dependent ? 4 : 0));
  writer.number(tensor.max_elements);
}

void read_tensor(Reader& reader, PlanTensor& tensor) {
  tensor.name = reader.text();
  tensor.onnx_name = reader.text();
  tensor.onnx_type = static_cast<int>(reader.number());
  tensor.type = static_cast<nvinfer1::DataType>(reader.number() % 10);
  tensor.dims = reader.dims();
  const std::int64_t bits = reader.number();
  tensor.is_input = (bits & 1) != 0;
  tensor.is_shape = (bits & 2) != 0;
  tensor.is_data_dependent = (bits & 4) != 0;
  tensor.max_elements = reader.number();
}

void write_profile(Writer& writer, const PlanProfile& profile) {
  writer.number(profile.device_bytes);
  write_list(writer, profile.ranges, [&writer](const PlanRange& range) {
    writer.text(range.name);
    for (const Dims& dims : range.dims) writer.dims(dims);
    for (const auto& values : range.values) {
      write_list(writer, values, [&writer](std::int32_t value) { writer.number(value); });
    }
  });
}

void read_profile(Reader& reader, PlanProfile& profile) {
  profile.device_bytes = reader.number();
  read_list(reader, profile.ranges, [&reader](PlanRange& range) {
    range.name = reader.text();
    for (Dims& dims : range.dims) dims = reader.dims();
    for (auto& values : range.values) {
      read_list(reader, values,
                [&reader](std::int32_t& value) { value = static_cast<std::int32_t>(reader.number()); });
    }
  });
}

void write_port(Writer& writer, const PlanPort& port) {
  writer.text(port.name);
  writer.dims(port.dims);
  writer.text(port.type);
}

void read_port(Reader& reader, PlanPort& port) {
  port.name = reader.text();
  port.dims = reader.dims();
  port.type = reader.text();
}

std::string engine_section(const Plan& plan) {
  Writer writer;
  writer.text(plan.network_name);
  writer.text(plan.device);
  writer.text("memory_budget=" + std::to_string(plan.memory_budget));
  writer.number(plan.memory_budget);
  writer.number(plan.is_refittable ? 1 : 0);
  writer.number(plan.aux_streams);
  writer.number(static_cast<std::int64_t>(plan.verbosity));
  writer.number(static_cast<std::int64_t>(plan.compatibility));
  write_list(writer, plan.tensors, [&](const PlanTensor& tensor) { write_tensor(writer, tensor); });
  write_list(writer, plan.profiles, [&](const PlanProfile& profile) { write_profile(writer, profile); });
  write_list(writer, plan.layers, [&](const PlanLayer& layer) {
    writer.text(layer.name);
    writer.text(layer.op);
    write_list(writer, layer.inputs, [&](const PlanPort& port) { write_port(writer, port); });
    write_list(writer, layer.outputs, [&](const PlanPort& port) { write_port(writer, port); });
  });
  writer.text(plan.shape_model);
  return writer.bytes;
}

void pad(std::string& bytes) {
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment, '\0');
}

struct Section {
  std::string_view tag;
  std::uint64_t offset = 0, size = 0;
};

Section section_at(std::string_view bytes, std::size_t index) {
  const std::size_t at = kPlanHeaderBytes + index * kEntryBytes;
  return {bytes.substr(at, 4), get<std::uint64_t>(bytes, at + 8), get<std::uint64_t>(bytes, at + 16)};
}

std::string_view section_bytes(std::string_view bytes, std::string_view tag) {
  const auto count = std::min<std::uint64_t>(get<std::uint64_t>(bytes, 8), 2);
  for (std::size_t index = 0; index < count; ++index) {
    const Section section = section_at(bytes, index);
    if (section.tag == tag && section.offset <= bytes.size())
      return bytes.substr(section.offset, section.size);
  }
  return {};
}

bool check_table(const ErrorSink& sink, std::string_view bytes) {
  const auto fails = [&sink](const std::string& what) {
    sink.error(1, "IRuntime::deserializeCudaEngine", what + " failed.", "Serialization");
    return false;
  };
  const auto count = get<std::uint64_t>(bytes, 8);
  std::uint64_t cursor = kPlanHeaderBytes;
  for (std::uint64_t index = 0; index < count; ++index, cursor += kEntryBytes) {
    if (cursor + kEntryBytes > bytes.size()) return fails("cursor < blobSize");
  }
  if (cursor >= bytes.size()) return fails("cursor < blobSize");
  if (get<std::uint64_t>(bytes, kSizeOffset) != bytes.size()) return fails("plan.header.size == blobSize");
  for (std::uint64_t index = 0; index < count; ++index) {
    const Section section = section_at(bytes, index);
    if (section.offset < cursor) return fails("e.offset >= cursor");
    if (section.offset % kAlignment != 0) return fails("e.offset % rt::kPLAN_ALIGNMENT == 0");
    if (section.offset >= bytes.size() || section.size > bytes.size() - section.offset)
      return fails("cursor < blobSize");
    cursor = section.offset + section.size;
  }
  return true;
}

}  // namespace

const PlanRange* PlanProfile::find(std::string_view name) const {
  for (const PlanRange& range : ranges) {
    if (range.name == name) return &range;
  }
  return nullptr;
}

std::string write_plan(const Plan& plan) {
  std::string engine = engine_section(plan);
  pad(engine);
  std::string bytes(kPlanHeaderBytes + kTableBytes, '\0');
  const std::uint64_t engine_at = bytes.size(), weights_at = engine_at + engine.size();
  bytes += engine + plan.model;
  pad(bytes);
  bytes += kEndMarker;
  put(bytes, 0, kTag);
  put<std::uint64_t>(bytes, 8, 2);
  put<std::uint64_t>(bytes, kSizeOffset, bytes.size());
  put(bytes, kVersionOffset + 4, kTag);  // the version stays 0.0.0.0, which no real library accepts
  put<std::uint64_t>(bytes, kWeightBytesOffset, plan.model.size());
  const auto entry = [&bytes](std::size_t at, std::string_view tag, std::uint64_t offset,
                              std::uint64_t size) {
    std::memcpy(bytes.data() + at, tag.data(), tag.size());
    put(bytes, at + 8, offset);
    put(bytes, at + 16, size);
  };
  entry(kPlanHeaderBytes, kEngineTag, engine_at, engine.size());
  entry(kPlanHeaderBytes + kEntryBytes, kWeightsTag, weights_at, plan.model.size());
  return bytes;
}

bool read_plan(std::string_view bytes, Plan& plan) {
  Reader reader(section_bytes(bytes, kEngineTag));
  plan.network_name = reader.text();
  plan.device = reader.text();
  (void)reader.text();
  plan.memory_budget = reader.number();
  plan.is_refittable = reader.number() != 0;
  plan.aux_streams = static_cast<std::int32_t>(reader.number());
  plan.verbosity = static_cast<nvinfer1::ProfilingVerbosity>(reader.number());
  plan.compatibility = static_cast<nvinfer1::HardwareCompatibilityLevel>(reader.number());
  read_list(reader, plan.tensors, [&](PlanTensor& tensor) { read_tensor(reader, tensor); });
  read_list(reader, plan.profiles, [&](PlanProfile& profile) { read_profile(reader, profile); });
  read_list(reader, plan.layers, [&](PlanLayer& layer) {
    layer.name = reader.text();
    layer.op = reader.text();
    read_list(reader, layer.inputs, [&](PlanPort& port) { read_port(reader, port); });
    read_list(reader, layer.outputs, [&](PlanPort& port) { read_port(reader, port); });
  });
  plan.shape_model = reader.text();
  plan.model = section_bytes(bytes, kWeightsTag);
  return reader.is_good && !plan.profiles.empty();
}

bool check_frame(const ErrorSink& sink, std::string_view bytes) {
  constexpr const char* kWhere = "IRuntime::deserializeCudaEngine";
  if (bytes.size() < kPlanHeaderBytes) {
    sink.error(2, "[runtime.cpp::readHeader::1]", "Assertion bufferSize >= minBufferSize failed.");
    return false;
  }
  if (get<std::uint32_t>(bytes, 0) != kTag) {
    sink.error(1, kWhere,
               "header.magicTag == kEXPECTED_MAGIC_TAG failed. Trying to load an engine created with "
               "incompatible serialization version (" +
                   std::to_string(get<std::uint32_t>(bytes, 0)) + " != " + std::to_string(kTag) + ").",
               "Serialization");
    return false;
  }
  if (!check_table(sink, bytes)) return false;
  if (bytes.substr(bytes.size() - kEndMarker.size()) != kEndMarker) {
    sink.error(1, kWhere, "endMarker == rt::kEND_OF_PLAN_MARKER failed.", "Serialization");
    return false;
  }
  if (section_bytes(bytes, kEngineTag).empty()) {
    sink.error(4, kWhere, "No engine found in plan.");
    return false;
  }
  if (get<std::uint64_t>(bytes, 8) != 2 || section_bytes(bytes, kWeightsTag).empty()) {
    sink.error(1, kWhere, "Failed due to an old deserialization call on a newer plan file.", "Serialization");
    return false;
  }
  return true;
}

bool is_own_version(std::string_view bytes) { return get<std::uint32_t>(bytes, kVersionOffset) == 0; }

}  // namespace sil::infer
