#include <memory>
#include <optional>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/quantize_tool.h"
#include "core/json_strict.h"

namespace skua {
namespace {

struct QuantizeArguments {
  std::string model, out, precision, algorithm = "entropy2";
  std::optional<std::string> calibration_dataset;
  std::vector<std::string> keep_fp32, inputs;
  bool may_overwrite = false;
};

Status check_precision(const QuantizeArguments& arguments) {
  SKUA_ASSIGN_OR_RETURN(const Precision precision, precision_from_string(arguments.precision));
  if (precision == Precision::kFp32) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "--precision fp32: the model is float32 before it is quantized; compile it as it is");
  }
  if (precision == Precision::kMixed) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kPrecisionNotSupported,
                      "--precision mixed is not available yet: it comes with the Precision release; use "
                      "--precision fp16 with --keep-fp32");
  }
  const bool is_calibrated = precision == Precision::kInt8;
  if (is_calibrated != arguments.calibration_dataset.has_value()) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      is_calibrated ? "--precision int8 needs --calibration-dataset, which is not given"
                                    : "--calibration-dataset is for --precision int8; leave it out");
  }
  if (!is_calibrated || arguments.inputs.empty()) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "--input is for --precision fp16: int8 is judged by samples of the data set that "
                    "calibrate nothing; leave it out");
}

Result<QuantizeJob> job_of(const QuantizeArguments& arguments, Session& session) {
  QuantizeJob job;
  SKUA_ASSIGN_OR_RETURN(job.model, absolute_path(arguments.model));
  SKUA_ASSIGN_OR_RETURN(job.out, absolute_path(arguments.out));
  if (job.out.extension() != ".onnx") {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "--out " + arguments.out + ": expected a file name that ends in .onnx");
  }
  SKUA_ASSIGN_OR_RETURN(const KeyValues inputs,
                        parse_key_values(arguments.inputs, "--input", "NAME=FILE.npy"));
  for (const auto& [name, file] : inputs) {
    SKUA_ASSIGN_OR_RETURN(const std::filesystem::path path, absolute_path(file));
    job.inputs.emplace_back(name, path);
  }
  if (arguments.calibration_dataset) {
    SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(*arguments.calibration_dataset));
    job.data = {folder, arguments.algorithm};
  }
  job.keep_fp32 = arguments.keep_fp32;
  job.may_overwrite = arguments.may_overwrite;
  job.cancel_requested = session.cancel_requested;
  job.on_progress = [&console = session.console](std::string_view text) { console.progress(text); };
  return job;
}

/// A field of the tool's result; null when it is not there.
const Json& field(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

std::string text_of(const Json& json, const char* key) {
  const Json& value = field(json, key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string line_of(const Json& output) {
  std::string line = "  output " + text_of(output, "name") + ": ";
  if (!field(output, "max_abs_error").is_null()) {
    return line + "largest error " + text_of(output, "max_abs_error") + " (relative " +
           text_of(output, "max_rel_error") + "), with roundings between nodes " +
           text_of(output, "rounded_abs_error");
  }
  if (!field(output, "mismatched").is_null()) return line + text_of(output, "mismatched") + " values differ";
  return line + "shape " + text_of(output, "fp16_shape") + ", in float32 " + text_of(output, "fp32_shape");
}

void show_int8(const Json& result, Console& console) {
  const Json& origin = field(result, "calibration");
  console.line("  " + text_of(result, "size_bytes") + " bytes; " +
               std::to_string(field(result, "quantised").size()) + " nodes in int8, " +
               std::to_string(field(result, "kept_fp32").size()) + " kept in float32 by pattern, " +
               std::to_string(field(result, "left_fp32").size()) + " left in it because they cannot be int8");
  console.line("  " + text_of(origin, "algorithm") + " over " + text_of(origin, "sample_count") +
               " samples, judged on " + text_of(origin, "held_out_count") + " others; data set " +
               text_of(origin, "dataset_sha256"));
  for (const Json& output : field(result, "outputs")) {
    console.line("  output " + text_of(output, "name") + ": relative_l2 " + text_of(output, "relative_l2") +
                 ", mismatched " + text_of(output, "mismatched") + ", agreement " +
                 text_of(output, "agreement"));
  }
}

void show_half(const Json& result, Console& console) {
  const Json& weights = field(result, "weights");
  console.line("  " + text_of(result, "size_bytes") + " bytes; kept in float32: " +
               std::to_string(field(result, "kept_fp32").size()) + " nodes by pattern, " +
               std::to_string(field(result, "always_fp32").size()) + " by their operator");
  console.line("  of " + text_of(weights, "total") + " weights, " + text_of(weights, "underflowed_values") +
               " are too small for half precision and " + text_of(weights, "subnormal_values") +
               " lose digits; the largest value inside is " + text_of(result, "largest_value"));
  for (const Json& output : field(result, "outputs")) console.line(line_of(output));
}

void show(const Json& result, const std::filesystem::path& out, Console& console) {
  console.line(out.string());
  field(result, "calibration").is_null() ? show_half(result, console) : show_int8(result, console);
  console.report()["path"] = out.string();
  console.report().update(result);
}

Status quantize(const QuantizeArguments& arguments, Session& session) {
  SKUA_RETURN_IF_ERROR(check_precision(arguments));
  SKUA_ASSIGN_OR_RETURN(const QuantizeJob job, job_of(arguments, session));
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto folder, make_output_folder(job.out.parent_path()));
  SKUA_ASSIGN_OR_RETURN(const Json result, quantize_model(configured_quantize_tool(), job));
  show(result, job.out, session.console);
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* command =
      app.add_subcommand("quantize", "rewrite an ONNX model in half precision or int8 and compare");
  command->add_option("MODEL", a->model, "float32 network (.onnx)")->required();
  command->add_option("--precision", a->precision, "fp16 or int8")->required();
  command->add_option("--out", a->out, "file to write (.onnx)")->required();
  command->add_option("--keep-fp32", a->keep_fp32,
                      "pattern of node names or operators that stay float32; may be repeated");
  command->add_option("--input", a->inputs, "NAME=FILE.npy to compare with; may be repeated");
  command->add_option("--calibration-dataset", a->calibration_dataset,
                      "folder of samples that int8 is calibrated with and judged by");
  command
      ->add_option("--calibration-algorithm", a->algorithm, "how int8's ranges are chosen (default entropy2)")
      ->check(CLI::IsMember({"entropy2", "minmax"}));
  command->add_flag("--overwrite", a->may_overwrite, "replace the file that --out names");
  command->callback([a, &action] { action = [a](Session& session) { return quantize(*a, session); }; });
}

}  // namespace skua
