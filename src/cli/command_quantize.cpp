#include <memory>
#include <optional>

#include "calibration/cache_files.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/quantize_tool.h"
#include "core/json_strict.h"

namespace skua {
namespace {

struct QuantizeArguments {
  std::string model, precision;
  std::optional<std::string> out, calibration_dataset, algorithm, cache;
  std::optional<std::uint32_t> tensorrt_version;
  std::vector<std::string> keep_fp32, inputs;
  bool may_overwrite = false;
};

Error mistake(std::string what) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(what));
}

/// What one precision needs and another does not have.
Status check_precision(const QuantizeArguments& arguments, Precision precision) {
  const std::string given = "--precision " + arguments.precision;
  const bool is_int8 = precision == Precision::kInt8, is_mixed = precision == Precision::kMixed;
  if (precision == Precision::kFp32) {
    return mistake(given + ": the model is float32 before it is quantized; compile it as it is");
  }
  if ((is_int8 || is_mixed) != arguments.calibration_dataset.has_value()) {
    return mistake(arguments.calibration_dataset
                       ? "--calibration-dataset is for --precision int8 and mixed; leave it out"
                       : given + " needs --calibration-dataset, whose samples judge it; it is not given");
  }
  if ((is_int8 || is_mixed) && !arguments.inputs.empty()) {
    return mistake("--input is for --precision fp16: " + arguments.precision +
                   " is judged by samples of the data set; leave it out");
  }
  if (is_mixed && arguments.keep_fp32.empty()) {
    return mistake(given + " needs --keep-fp32 PATTERN: without a node that stays float32 it is fp16");
  }
  if (!is_int8 && (arguments.algorithm || arguments.cache)) {
    return mistake(
        "--calibration-algorithm and --calibration-cache are for --precision int8: nothing else "
        "calibrates; leave them out");
  }
  return {};
}

Status check_outputs(const QuantizeArguments& arguments) {
  if (!arguments.out && !arguments.cache) {
    return mistake("nothing to write: give --out FILE.onnx, or --calibration-cache FILE.calib_cache");
  }
  if (arguments.cache.has_value() != arguments.tensorrt_version.has_value()) {
    return mistake(
        "--calibration-cache and --tensorrt-version go together: the cache's first line names the "
        "TensorRT that is to read it, as its getInferLibVersion() does (100300 is 10.3.0)");
  }
  if (arguments.out && !arguments.out->ends_with(".onnx")) {
    return mistake("--out " + *arguments.out + ": expected a file name that ends in .onnx");
  }
  if (arguments.cache && (!arguments.cache->ends_with(calibration::kCacheSuffix) ||
                          std::filesystem::path(*arguments.cache).stem() == calibration::kCacheSuffix)) {
    return mistake("--calibration-cache " + *arguments.cache +
                   ": expected a file name that ends in .calib_cache");
  }
  return {};
}

Status add_paths(const QuantizeArguments& arguments, QuantizeJob& job) {
  SKUA_ASSIGN_OR_RETURN(job.model, absolute_path(arguments.model));
  if (arguments.out) {
    SKUA_ASSIGN_OR_RETURN(job.out, absolute_path(*arguments.out));
  }
  if (arguments.cache) {
    SKUA_ASSIGN_OR_RETURN(const std::filesystem::path file, absolute_path(*arguments.cache));
    job.cache = {file, *arguments.tensorrt_version};
  }
  if (arguments.calibration_dataset) {
    SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(*arguments.calibration_dataset));
    job.data = {folder, arguments.algorithm.value_or("entropy2")};
  }
  return {};
}

Result<QuantizeJob> job_of(const QuantizeArguments& arguments, Session& session) {
  QuantizeJob job;
  SKUA_ASSIGN_OR_RETURN(job.precision, precision_from_string(arguments.precision));
  SKUA_RETURN_IF_ERROR(check_precision(arguments, job.precision));
  SKUA_RETURN_IF_ERROR(check_outputs(arguments));
  SKUA_RETURN_IF_ERROR(add_paths(arguments, job));
  SKUA_ASSIGN_OR_RETURN(const KeyValues inputs,
                        parse_key_values(arguments.inputs, "--input", "NAME=FILE.npy"));
  for (const auto& [name, file] : inputs) {
    SKUA_ASSIGN_OR_RETURN(const std::filesystem::path path, absolute_path(file));
    job.inputs.emplace_back(name, path);
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

/// Of outputs that were judged on samples of a data set.
void show_judged(const Json& result, Console& console) {
  for (const Json& output : field(result, "outputs")) {
    console.line("  output " + text_of(output, "name") + ": relative_l2 " + text_of(output, "relative_l2") +
                 ", mismatched " + text_of(output, "mismatched") + ", agreement " +
                 text_of(output, "agreement"));
  }
}

void show_int8(const Json& result, Console& console) {
  const Json& origin = field(result, "provenance");
  const bool is_written = !field(result, "size_bytes").is_null();
  console.line("  " + (is_written ? text_of(result, "size_bytes") + " bytes; " : "") +
               std::to_string(field(result, "quantised").size()) + " nodes in int8, " +
               std::to_string(field(result, "kept_fp32").size()) + " kept in float32 by pattern, " +
               std::to_string(field(result, "left_fp32").size()) + " left in it because they cannot be int8");
  console.line("  " + text_of(origin, "algorithm") + " over " + text_of(origin, "sample_count") +
               " samples, judged on " + text_of(origin, "held_out_count") + " others; data set " +
               text_of(origin, "dataset_sha256"));
  show_judged(result, console);
}

void show_half(const Json& result, Console& console) {
  const Json& weights = field(result, "weights");
  console.line("  " + text_of(result, "size_bytes") + " bytes; kept in float32: " +
               std::to_string(field(result, "kept_fp32").size()) + " nodes by pattern, " +
               std::to_string(field(result, "always_fp32").size()) + " by their operator");
  console.line("  of " + text_of(weights, "total") + " weights, " + text_of(weights, "underflowed_values") +
               " are too small for half precision and " + text_of(weights, "subnormal_values") +
               " lose digits; the largest value inside is " + text_of(result, "largest_value"));
  const Json& origin = field(result, "provenance");
  if (text_of(origin, "precision") == "mixed") {
    console.line("  judged on " + text_of(origin, "held_out_count") + " samples; data set " +
                 text_of(origin, "dataset_sha256"));
    return show_judged(result, console);
  }
  for (const Json& output : field(result, "outputs")) console.line(line_of(output));
}

void show(const Json& result, const QuantizeJob& job, Console& console) {
  if (!job.out.empty()) console.line(job.out.string());
  job.precision == Precision::kInt8 ? show_int8(result, console) : show_half(result, console);
  if (job.cache) {
    const Json& cache = field(result, "cache");
    console.line(text_of(cache, "path"));
    console.line("  scales of " + text_of(cache, "tensors") + " tensors for TensorRT " +
                 std::to_string(job.cache->library_version) + ", producer " + text_of(cache, "producer"));
    const std::size_t unnamed = field(cache, "unnamed").size();
    if (unnamed > 0) {
      console.warn(
          "inside " + std::to_string(unnamed) +
          " Gemm nodes TensorRT has tensors that no name in the network stands for: they have no scale "
          "in the cache, and these layers may not run in int8 with it");
    }
  }
  if (!job.out.empty()) console.report()["path"] = job.out.string();
  console.report().update(result);
}

Status quantize(const QuantizeArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const QuantizeJob job, job_of(arguments, session));
  if (!job.out.empty()) {
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto folder, make_output_folder(job.out.parent_path()));
  }
  if (job.cache) {
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto folder,
                          make_output_folder(job.cache->file.parent_path()));
  }
  SKUA_ASSIGN_OR_RETURN(const Json result, quantize_model(configured_quantize_tool(), job));
  show(result, job, session.console);
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* command =
      app.add_subcommand("quantize", "rewrite an ONNX model in half precision, mixed or int8 and compare");
  command->add_option("MODEL", a->model, "float32 network (.onnx)")->required();
  command->add_option("--precision", a->precision, "fp16, mixed or int8")->required();
  command->add_option("--out", a->out, "file to write (.onnx)");
  command->add_option("--keep-fp32", a->keep_fp32,
                      "pattern of node names or operators that stay float32; may be repeated");
  command->add_option("--input", a->inputs, "NAME=FILE.npy to compare with; may be repeated");
  command->add_option("--calibration-dataset", a->calibration_dataset,
                      "folder of samples that int8 is calibrated with, and int8 and mixed judged by");
  command
      ->add_option("--calibration-algorithm", a->algorithm, "how int8's ranges are chosen (default entropy2)")
      ->check(CLI::IsMember({"entropy2", "minmax"}));
  command->add_option("--calibration-cache", a->cache,
                      "int8: file to write TensorRT's calibration cache to (.calib_cache)");
  command
      ->add_option("--tensorrt-version", a->tensorrt_version,
                   "TensorRT that is to read the cache, as a number (100300 is 10.3.0)")
      ->check(CLI::Range(1, 999'999));
  command->add_flag("--overwrite", a->may_overwrite, "replace the files that are written");
  command->callback([a, &action] { action = [a](Session& session) { return quantize(*a, session); }; });
}

}  // namespace skua
