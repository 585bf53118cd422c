#include "compile/golden_steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cache/half.h"
#include "compile/source_file.h"
#include "core/filesystem.h"
#include "core/hash.h"
#include "core/profile_check.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr std::uint64_t kMaxGoldenBytes = 1U << 30U;

Error golden_error(Reason reason, const std::string& thing, const std::string& expected,
                   const std::string& found) {
  return build_error(reason, "golden vectors, " + thing + ": expected " + expected + ", found " + found +
                                 "; make them from this very model");
}

bool fits(const TensorSpec& spec, const Shape& shape) {
  if (shape.rank() != spec.shape.rank()) return false;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    const bool is_fixed = spec.shape[axis] >= 0;
    if (is_fixed ? shape[axis] != spec.shape[axis] : shape[axis] > spec.max_shape[axis]) return false;
  }
  return true;
}

Status check_side(const std::vector<TensorSpec>& specs, const TensorMap& tensors, const std::string& side) {
  if (tensors.size() != specs.size()) {
    return golden_error(Reason::kGoldenMalformed, "number of " + side + "s", std::to_string(specs.size()),
                        std::to_string(tensors.size()));
  }
  for (const TensorSpec& spec : specs) {
    const Tensor* tensor = tensors.find(spec.name);
    const std::string thing = side + " " + quote(spec.name);
    if (tensor == nullptr)
      return golden_error(Reason::kGoldenMalformed, thing, "a tensor of that name", "none");
    const TensorView& view = tensor->view();
    if (view.dtype == spec.dtype && fits(spec, view.shape)) continue;
    return golden_error(Reason::kGoldenMalformed, thing,
                        std::string(to_string(spec.dtype)) + " " + spec.shape.to_string() + " within " +
                            spec.max_shape.to_string(),
                        std::string(to_string(view.dtype)) + " " + view.shape.to_string());
  }
  return {};
}

Status check_within_profiles(const Compilation& compilation) {
  for (const OptimizationProfile& profile : compilation.record.profiles) {
    const Tensor* tensor = compilation.golden.inputs.find(profile.input_name);
    if (tensor == nullptr || is_within(profile, tensor->view().shape)) continue;
    return golden_error(Reason::kGoldenMalformed, "input " + quote(profile.input_name),
                        "a shape from " + profile.min.to_string() + " to " + profile.max.to_string(),
                        tensor->view().shape.to_string());
  }
  return {};
}

bool is_finite(const TensorView& view) {
  if (view.dtype == DType::kFloat32) {
    const auto values = view.as<float>();
    return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  }
  if (view.dtype == DType::kFloat16) {
    const auto values = view.as<std::uint16_t>();
    return std::all_of(values.begin(), values.end(), is_finite_half);
  }
  return true;
}

}  // namespace

Status settle_tolerances(Compilation& compilation) {
  const BuildConfig& build = compilation.request.build;
  for (const TensorSpec& output : compilation.record.outputs) {
    const auto given = build.tolerances.find(output.name);
    compilation.record.golden.tolerances[output.name] =
        given != build.tolerances.end() ? given->second : default_tolerance(build.precision, output);
  }
  for (const auto& [name, tolerance] : build.tolerances) {
    if (compilation.record.golden.tolerances.count(name) != 0) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "tolerances[" + quote(name) + "]: no output has this name");
  }
  return {};
}

Status read_golden(Compilation& compilation) {
  return read_golden(compilation, *compilation.request.build.golden);
}

Status read_golden(Compilation& compilation, const GoldenSource& source) {
  SKUA_ASSIGN_OR_RETURN(compilation.golden_bytes,
                        read_file(source.file, kMaxGoldenBytes, Reason::kGoldenMissing));
  auto decoded = decode_golden(compilation.golden_bytes);
  if (!decoded.ok()) {
    return build_error(decoded.error().reason, source.file.string() + ": " + decoded.error().message);
  }
  compilation.golden = *std::move(decoded);
  compilation.record.golden.origin = source.origin;
  SKUA_RETURN_IF_ERROR(check_side(compilation.record.inputs, compilation.golden.inputs, "input"));
  SKUA_RETURN_IF_ERROR(check_side(compilation.record.outputs, compilation.golden.outputs, "output"));
  return check_within_profiles(compilation);
}

Status keep_copy(TensorMap& map, const std::string& name, const TensorView& view) {
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(view.dtype, view.shape));
  if (view.size_bytes() > 0) std::memcpy(tensor.view().data, view.data, view.size_bytes());
  return map.insert(name, std::move(tensor));
}

Status write_golden(Compilation& compilation) {
  std::vector<std::byte> bytes = std::move(compilation.golden_bytes);  // the user's file stays as it is
  if (bytes.empty()) {
    SKUA_ASSIGN_OR_RETURN(bytes, encode_golden(compilation.golden.inputs, compilation.golden.outputs));
  }
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(compilation.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(compilation.golden_name()));
  SKUA_RETURN_IF_ERROR(file->write(bytes));
  compilation.record.golden.file = compilation.golden_name();
  compilation.record.golden.sha256 = sha256_of(bytes);
  compilation.record.golden.size_bytes = bytes.size();
  return {};
}

Status feed(const EngineRecord& record, const TensorMap& inputs, Execution& execution) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    const Tensor* const given = inputs.find(record.inputs[i].name);
    if (given == nullptr || given->view().dtype != record.inputs[i].dtype)
      return golden_error(Reason::kGoldenMalformed, "input " + quote(record.inputs[i].name),
                          "a tensor of its name and type", "none");
    const TensorView& view = given->view();
    SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, view.shape));
    if (view.size_bytes() > 0) std::memcpy(execution.input(i).data, view.data, view.size_bytes());
  }
  return {};
}

Status compare_with_golden(Compilation& compilation, Execution& execution) {
  SKUA_RETURN_IF_ERROR(feed(compilation.record, compilation.golden.inputs, execution));
  if (Status ran = execution.run(std::nullopt); !ran.ok()) {
    return build_error(ran.error().reason, "the run on the golden inputs failed: " + ran.error().describe());
  }
  std::vector<std::string> non_finite;
  for (std::size_t i = 0; i < compilation.record.outputs.size(); ++i) {
    const std::string& name = compilation.record.outputs[i].name;
    const TensorView found = execution.output(i);
    const auto difference = compare_golden(name, compilation.golden.outputs.find(name)->view(), found,
                                           compilation.record.golden.tolerances.at(name));
    if (!difference.ok()) {
      return build_error(Reason::kGoldenMismatch,
                         compilation.request.artifact_name + ": " + difference.error().message +
                             "; expected values: " + compilation.record.golden.origin);
    }
    compilation.record.proof["golden.max_abs." + name] = print_double(difference->max_absolute);
    if (!is_finite(found)) non_finite.push_back(name);
  }
  if (!non_finite.empty()) compilation.record.proof["golden.non_finite_outputs"] = join(non_finite);
  return {};
}

}  // namespace skua::compile
