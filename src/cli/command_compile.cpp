#include "skua_runtimes.h"

#include <memory>
#include <optional>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "inference/compile.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

struct CompileArguments {
  std::string model, runtime = RuntimeConfig().runtime, out, config_file;
  std::optional<std::string> precision, calibration_dataset, accuracy_dataset, fp32_source, algorithm,
      calibration_cache, name;
  std::optional<int> workspace_mb, timeout_s;
  std::vector<std::string> profiles, settings, input_dtypes, output_names, keep_fp32;
  bool is_unproven = false, is_strict = false, may_use_cpu_ranges = false;
};

Result<BuildConfig> build_from_options(const CompileArguments& arguments) {
  if (!arguments.precision) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "compile needs --config BUILD.json or --precision (fp16, int8, mixed, fp32)");
  }
  BuildConfig build;
  SKUA_ASSIGN_OR_RETURN(build.precision, precision_from_string(*arguments.precision));
  build.workspace_mb = arguments.workspace_mb.value_or(build.workspace_mb);
  if (arguments.calibration_dataset) build.calibration_dataset = *arguments.calibration_dataset;
  if (arguments.accuracy_dataset) build.accuracy_dataset = *arguments.accuracy_dataset;
  build.calibration_algorithm = arguments.algorithm.value_or(build.calibration_algorithm);
  if (arguments.calibration_cache) build.calibration_cache = *arguments.calibration_cache;
  build.allow_cpu_ranges = arguments.may_use_cpu_ranges;
  if (arguments.fp32_source) build.fp32_source = *arguments.fp32_source;
  for (const std::string& text : arguments.profiles) {
    SKUA_ASSIGN_OR_RETURN(OptimizationProfile profile, parse_profile(text));
    build.optimization_profiles.push_back(std::move(profile));
  }
  SKUA_ASSIGN_OR_RETURN(const KeyValues declared,
                        parse_key_values(arguments.input_dtypes, "--input-dtype", "NAME=DTYPE"));
  for (const auto& [input, dtype] : declared) {
    SKUA_ASSIGN_OR_RETURN(build.input_dtypes[input], dtype_from_string(dtype));
  }
  build.output_names = arguments.output_names;
  build.keep_fp32 = arguments.keep_fp32;
  return build;
}

Result<BuildConfig> build_config_of(const CompileArguments& arguments) {
  auto build =
      arguments.config_file.empty() ? build_from_options(arguments) : read_build_json(arguments.config_file);
  if (build.ok() && arguments.name) build->model_name = *arguments.name;
  return build;
}

/// Only a TensorRT plan can be written where it cannot be loaded.
Status check_unproven(const CompileArguments& arguments) {
  if (!arguments.is_unproven || arguments.runtime == "tensorrt") return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kUnprovenNotSupported,
                    "--unproven is for tensorrt plans built without a GPU; " + arguments.runtime +
                        " proves its engines where it builds them: leave the option out");
}

void show_calibration(const EngineRecord& record, Console& console) {
  const auto proof = [&record](const std::string& key) {
    const auto found = record.proof.find(key);
    return found == record.proof.end() ? std::string("?") : found->second;
  };
  const CalibrationProvenance& origin = *record.calibration;
  console.line("  data set " + origin.dataset_sha256.hex() + ": calibrated with " +
               std::to_string(origin.sample_count) + " samples (" + origin.algorithm + ", " +
               origin.producer + "), compared with float32 on " + proof("accuracy.samples"));
  for (const TensorSpec& output : record.outputs)
    console.line("  output " + output.name + ": " + proof("accuracy." + output.name));
}

void show(const EngineRecord& record, const std::filesystem::path& folder, Console& console) {
  const std::string path = (folder / record.file).string();
  console.report()["path"] = path;
  console.report()["engine"] = to_json(record);
  console.line(path);
  console.line("  sha256 " + record.engine_sha256.hex() + ", " + std::to_string(record.size_bytes) +
               " bytes");
  console.line("  " + record.runtime_label + ", " + std::string(to_string(record.precision)) +
               ", arithmetic " + record.arithmetic);
  console.line("  golden vectors: " + record.golden.origin);
  if (record.calibration) show_calibration(record, console);
}

Status compile(const CompileArguments& arguments, Session& session) {
  CompileContext context;
  context.config.runtime = arguments.runtime;
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const RuntimeEntry* entry, find_built_runtime(arguments.runtime));
  SKUA_RETURN_IF_ERROR(check_unproven(arguments));
  SKUA_RETURN_IF_ERROR(apply_settings(context.config, arguments.settings));
  SKUA_ASSIGN_OR_RETURN(const BuildConfig build, build_config_of(arguments));
  SKUA_RETURN_IF_ERROR(build.validate());
  SKUA_ASSIGN_OR_RETURN(context.config.engine_cache_dir, make_output_folder(arguments.out));
  context.config.runtime = arguments.runtime;
  context.config.trtexec_timeout_s = arguments.timeout_s.value_or(context.config.trtexec_timeout_s);
  SKUA_RETURN_IF_ERROR(context.config.validate());
  SKUA_RETURN_IF_ERROR(resolve_defaults(context.config));
  context.host = probe_host();
  context.events = &session.console;
  context.cancel_requested = session.cancel_requested;
  context.unproven = arguments.is_unproven;
  context.strict_calibration = arguments.is_strict;
  session.console.progress("compiling " + arguments.model);
  SKUA_ASSIGN_OR_RETURN(const EngineRecord record, compile_model(arguments.model, build, context));
  show(record, context.config.engine_cache_dir, session.console);
  return {};
}

/// The options that a build configuration has, too.
void add_build_options(CLI::App* command, CompileArguments* a) {
  CLI::Option* config = command->add_option("--config", a->config_file, "build configuration (BUILD.json)");
  for (CLI::Option* option :
       {command->add_option("--precision", a->precision, "fp16, int8, mixed or fp32"),
        command->add_option("--workspace-mb", a->workspace_mb,
                            "upper bound of the builder's scratch memory, MiB"),
        command->add_option("--profile", a->profiles,
                            "NAME:MIN:OPT:MAX, shapes as 1x3x224x224; may be repeated"),
        command->add_option("--input-dtype", a->input_dtypes,
                            "NAME=DTYPE of a TorchScript input; may be repeated"),
        command->add_option("--output-name", a->output_names,
                            "names of a TorchScript file's outputs, in order; may be repeated"),
        command->add_option("--calibration-dataset", a->calibration_dataset,
                            "samples that int8 and mixed are judged by, and int8 is calibrated with"),
        command->add_option("--accuracy-dataset", a->accuracy_dataset,
                            "samples that judge, in place of those held out of the calibration data set"),
        command->add_option("--calibration-algorithm", a->algorithm,
                            "how int8's ranges are chosen by TensorRT: entropy2 (default) or minmax"),
        command->add_option("--calibration-cache", a->calibration_cache,
                            "ranges that were measured elsewhere, with their origin beside them (.json)"),
        command->add_flag("--allow-cpu-ranges", a->may_use_cpu_ranges,
                          "let that cache hold ranges that were measured on a CPU"),
        command->add_option("--fp32-source", a->fp32_source,
                            "float32 network that int8 or mixed is compared with (default: MODEL)"),
        command->add_option("--keep-fp32", a->keep_fp32,
                            "pattern of node names that are float32; may be repeated")}) {
    option->excludes(config);
  }
}

}  // namespace

void add_compile(CLI::App& app, Action& action) {
  auto a = std::make_shared<CompileArguments>();
  CLI::App* command = app.add_subcommand("compile", "compile one model into an engine cache");
  command->add_option("MODEL", a->model, "network file (.onnx, .pt)")->required();
  command->add_option("--runtime", a->runtime, SKUA_RUNTIME_LABELS)->capture_default_str();
  command->add_option("--out", a->out, "engine cache folder")->required();
  add_build_options(command, a.get());
  command->add_option("--name", a->name, "logical name (default: the file's stem)");
  command->add_option("--set", a->settings, "KEY=VALUE of the configuration; may be repeated");
  command->add_option("--timeout", a->timeout_s,
                      "seconds that the build may take, instead of trtexec_timeout_s");
  command->add_flag("--strict-calibration", a->is_strict,
                    "stop when a calibration cache may not be trusted, instead of moving it aside");
  command->add_flag("--unproven", a->is_unproven,
                    "write a plan that cannot be loaded here; no gate accepts it");
  command->callback([a, &action] { action = [a](Session& session) { return compile(*a, session); }; });
}

}  // namespace skua
