#include "cli/quantize_tool.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "cache/staged_copy.h"
#include "calibration/cache_text.h"
#include "calibration/data_set.h"
#include "cli/file_group.h"
#include "cli/quantize_cache.h"
#include "cli/quantize_samples.h"
#include "core/json_strict.h"
#include "core/text.h"
#include "inference/compile_process.h"

namespace skua {
namespace {

// Not the prefix of engine caches: the output's folder belongs to the user, and only what is surely ours may
// be removed from it.
constexpr std::string_view kPrefix = ".skua-quantize-";
// A cache of the largest size in JSON, which may need more than one byte for one: \" and \u00e9.
constexpr std::size_t kMaxResponseBytes = 4 * calibration::kMaxCacheBytes;
constexpr std::size_t kMaxResponseValues = 4 * calibration::kMaxCacheTensors;

Error tool_missing(const std::filesystem::path& path, std::string_view what, int native = 0) {
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kBuilderMissing,
      "the " + std::string(what) + " of the precision tools, " + path.string() +
          ", is not there or cannot be used" +
          (native == 0 ? "" : std::string(" (") + std::strerror(native) + ")") +
          "; put a Python with the packages of requirements.txt there (scripts/setup.sh does for a "
          "source tree), or configure Skua with -DSKUA_PYTHON=/absolute/path of one",
      native);
}

Status check_tool(const QuantizeTool& tool) {
  if (::access(tool.interpreter.c_str(), X_OK) != 0) return tool_missing(tool.interpreter, "interpreter");
  const std::filesystem::path script = tool.arguments.back();
  if (::access(script.c_str(), R_OK) != 0) return tool_missing(script, "script");
  // The script reports everything else that is missing, but needs this to report with.
  const std::filesystem::path package = script.parent_path() / "skua_precision";
  if (::access((package / "errors.py").c_str(), R_OK) != 0) return tool_missing(package, "package");
  return {};
}

/// The process's error in words for a user of this command: run_build_process speaks of builds, of what
/// installs their executable and of what lengthens their time.
Error of_process(const QuantizeTool& tool, const BuildProcess& process, Error error) {
  if (error.reason == Reason::kBuilderMissing) {
    return tool_missing(tool.interpreter, "interpreter", error.native_code);
  }
  if (error.reason == Reason::kBuilderTimeout) {
    error.message = "the precision tool took longer than " + std::to_string(tool.timeout.count()) +
                    " s and was stopped; give it a smaller model or smaller inputs. Last log lines: " +
                    log_tail(process.log);
  }
  return error;
}

Status check_target(Folder& folder, const QuantizeJob& job) {
  std::error_code ignored;
  if (std::filesystem::equivalent(job.model, job.out, ignored)) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      job.out.string() + " is the model itself; give --out another name");
  }
  return check_replaceable(folder, job.out, job.may_overwrite);
}

/// The folders that are written to, locked: one where model and cache lie in the same.
class Targets {
 public:
  static Result<Targets> open(const QuantizeJob& job) {
    Targets targets;
    const auto& first = job.out.empty() ? job.cache->file : job.out;
    SKUA_ASSIGN_OR_RETURN(targets.first_, job.files->open_folder(first.parent_path()));
    std::error_code ignored;
    if (job.cache &&
        !std::filesystem::equivalent(first.parent_path(), job.cache->file.parent_path(), ignored)) {
      SKUA_ASSIGN_OR_RETURN(targets.second_, job.files->open_folder(job.cache->file.parent_path()));
    }
    SKUA_RETURN_IF_ERROR(targets.check(job));
    SKUA_RETURN_IF_ERROR(targets.first_->lock());
    if (targets.second_ != nullptr) SKUA_RETURN_IF_ERROR(targets.second_->lock());
    return targets;
  }
  /// That nothing lies there which may not be replaced.
  Status check(const QuantizeJob& job) {
    if (!job.out.empty()) SKUA_RETURN_IF_ERROR(check_target(*first_, job));
    return job.cache ? check_cache_replaceable(of_cache(), job.cache->file, job.may_overwrite) : Status();
  }
  /// Of the model, or of the cache where there is no model: the tool's own folder lies in it.
  Folder& first() { return *first_; }
  Folder& of_cache() { return second_ != nullptr ? *second_ : *first_; }

 private:
  std::unique_ptr<Folder> first_, second_;
};

/// What killed runs left.
Status clear(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder.list());
  for (const std::string& name : names) {
    if (name.starts_with(kPrefix)) SKUA_RETURN_IF_ERROR(remove_tree(folder, name));
  }
  return {};
}

/// A folder of the tool's own beside the output; gone when this object is.
class Staging {
 public:
  static Result<Staging> make(Folder& parent, Folder& other) {
    SKUA_RETURN_IF_ERROR(clear(other));
    SKUA_RETURN_IF_ERROR(clear(parent));
    SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kPrefix));
    SKUA_RETURN_IF_ERROR(parent.make_folder(name));
    Staging staging(parent, std::move(name));
    SKUA_ASSIGN_OR_RETURN(staging.folder_, parent.open_folder(staging.name_));
    return staging;
  }
  Staging(Staging&& other) noexcept
      : parent_(std::exchange(other.parent_, nullptr)),
        name_(std::move(other.name_)),
        folder_(std::move(other.folder_)) {}
  ~Staging() {
    // A failure leaves a hidden folder, which the next run removes.
    if (parent_ != nullptr) static_cast<void>(remove_tree(*parent_, name_));
  }
  Folder& folder() { return *folder_; }

 private:
  Staging(Folder& parent, std::string name) : parent_(&parent), name_(std::move(name)) {}
  Folder* parent_;
  std::string name_;
  std::unique_ptr<Folder> folder_;
};

/// The samples with their digests, so that the tool reads what was hashed; null for fp16.
Result<Json> data_set_of(const QuantizeJob& job, Folder& staging) {
  if (!job.data) return Json();
  const std::filesystem::path& path = job.data->folder;
  auto folder = job.files->open_folder(path);
  if (!folder.ok()) return as_build_error(folder.error(), "cannot read data set " + path.string());
  calibration::DataSetOptions options;
  options.cancel_requested = [&] { return job.cancel_requested != nullptr && job.cancel_requested->load(); };
  options.on_progress = [&](std::size_t done, std::size_t all) {
    if (!job.on_progress) return;
    job.on_progress("hashing the data set: file " + std::to_string(done) + " of " + std::to_string(all));
  };
  SKUA_ASSIGN_OR_RETURN(const calibration::DataSet set, calibration::read_data_set(**folder, options));
  const SampleConversion conversion{job.files,      job.model, folder->get(), &staging, job.cancel_requested,
                                    job.on_progress};
  SKUA_ASSIGN_OR_RETURN(Json samples, samples_for_tool(conversion, set));
  return Json{
      {"samples", std::move(samples)}, {"sha256", set.digest.hex()}, {"algorithm", job.data->algorithm}};
}

Result<std::string> encode_job(const QuantizeJob& job, Folder& staging) {
  Json inputs = Json::object();
  for (const auto& [name, file] : job.inputs) inputs[name] = file.string();
  SKUA_ASSIGN_OR_RETURN(Json data_set, data_set_of(job, staging));
  const Json request{{"model", job.model.string()},     {"precision", to_string(job.precision)},
                     {"scales", job.cache.has_value()}, {"out", (staging.path() / "model.onnx").string()},
                     {"keep_fp32", job.keep_fp32},      {"data_set", std::move(data_set)},
                     {"inputs", std::move(inputs)}};
  try {
    return request.dump(1) + "\n";
  } catch (const Json::exception&) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "a path, pattern or input name is not UTF-8; rename it");
  }
}

/// An error of the tool, under the reason that it names and in the class, but that the disk's is a build's.
Error decode_error(const Json& json) {
  ObjectReader reader(json, "error");
  const std::string class_name = reader.text("class");
  const std::string reason_name = reader.text("reason");
  Error error;
  error.message = reader.text("message", kMaxResponseBytes);
  if (const Status status = reader.finish(); !status.ok()) return tool_defect(status.error().message);
  constexpr std::array kCodes = {ErrorCode::kInvalidArgument, ErrorCode::kEngineBuild,
                                 ErrorCode::kOutOfMemory, ErrorCode::kIo};
  const auto code = std::find_if(kCodes.begin(), kCodes.end(),
                                 [&](ErrorCode each) { return error_class_name(each) == class_name; });
  const auto reasons = all_reasons();
  const auto reason = std::find_if(reasons.begin(), reasons.end(),
                                   [&](Reason each) { return to_string(each) == reason_name; });
  if (code == kCodes.end() || reason == reasons.end())
    return tool_defect("unknown error " + quote(class_name) + ", " + quote(reason_name));
  error.code = *code;
  error.reason = *reason;
  return as_build_error(std::move(error));  // what the tool could not read, its message names
}

Result<Json> decode_response(const std::string& text) {
  auto json =
      parse_json(text, {.max_bytes = kMaxResponseBytes, .max_depth = 8, .max_values = kMaxResponseValues});
  if (!json.ok()) return tool_defect(json.error().message);
  ObjectReader reader(*json, "response");
  const Json* result = reader.optional("result");
  const Json* error = reader.optional("error");
  if (const Status status = reader.finish(); !status.ok()) return tool_defect(status.error().message);
  if (error != nullptr) return decode_error(*error);
  if (result == nullptr || !result->is_object()) return tool_defect("neither result nor error");
  return *result;
}

Result<Json> run_tool(const QuantizeTool& tool, const QuantizeJob& job, Folder& staging) {
  const std::filesystem::path folder = staging.path();
  SKUA_ASSIGN_OR_RETURN(const std::string request, encode_job(job, staging));
  SKUA_RETURN_IF_ERROR(write_new(staging, "request.json", std::as_bytes(std::span(request))));
  BuildProcess process;
  process.executable = tool.interpreter;
  process.arguments = tool.arguments;
  // Python looks its user up in the system's database when no home is given.
  process.environment = {"HOME=" + folder.string()};
  process.request = folder / "request.json";
  process.response = folder / "response.json";
  process.log = folder / "log.txt";
  process.timeout = tool.timeout;
  process.cancel_requested = job.cancel_requested;
  process.on_progress = job.on_progress;
  if (Status ran = run_build_process(process); !ran.ok()) {
    return of_process(tool, process, std::move(ran).error());
  }
  SKUA_ASSIGN_OR_RETURN(const std::string response, read_text(staging, "response.json", kMaxResponseBytes));
  return decode_response(response);
}

/// The tool's work may have taken minutes: a look before anything becomes visible.
Status check_again(Targets& targets, const QuantizeJob& job) {
  SKUA_RETURN_IF_ERROR(targets.check(job));
  if (job.cancel_requested == nullptr || !job.cancel_requested->load()) return {};
  return make_error(ErrorCode::kEngineBuild, Reason::kCancelled, "cancelled; nothing was written");
}

/// Everything is written and synced, and all that can be refused is, before the first file appears. The tool
/// may have written its file in any way: what is published is a copy.
Status publish(Folder& staging, Targets& targets, const QuantizeJob& job, Json& found) {
  PreparedCache cache;
  if (job.cache) {
    SKUA_ASSIGN_OR_RETURN(cache, prepare_cache(job, found));
  }
  FileGroup files(kPrefix);
  if (job.out.empty()) {
    found.erase("size_bytes");  // of what nobody has
  } else {
    SKUA_ASSIGN_OR_RETURN(const auto source, staging.open_read("model.onnx"));
    SKUA_RETURN_IF_ERROR(files.add_copy(targets.first(), job.out.filename().string(), *source));
  }
  if (job.cache) {
    SKUA_RETURN_IF_ERROR(add_cache(files, targets.of_cache(), *job.cache, std::move(cache), found));
  }
  SKUA_RETURN_IF_ERROR(check_again(targets, job));
  return files.publish();
}

}  // namespace

QuantizeTool configured_quantize_tool() {
  QuantizeTool tool;
  tool.interpreter = SKUA_PYTHON;
  tool.arguments = {"-I", "-B", SKUA_QUANTIZE_SCRIPT};
  return tool;
}

Result<Json> quantize_model(const QuantizeTool& tool, const QuantizeJob& job) {
  SKUA_RETURN_IF_ERROR(check_tool(tool));
  SKUA_ASSIGN_OR_RETURN(Targets targets, Targets::open(job));
  const std::string doing = "cannot write to " + targets.first().path().string();
  auto staging = Staging::make(targets.first(), targets.of_cache());
  if (!staging.ok()) return as_build_error(staging.error(), doing);
  auto found = run_tool(tool, job, staging->folder());
  if (!found.ok()) return found.error().code == ErrorCode::kIo ? as_build_error(found.error(), doing) : found;
  SKUA_RETURN_IF_ERROR(publish(staging->folder(), targets, job, *found));
  return found;
}

}  // namespace skua
