#include "inference/compile.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "cache/publish.h"
#include "cache/staged_copy.h"
#include "cache/utc_text.h"
#include "core/known_runtimes.h"
#include "core/text.h"
#include "inference/compile_job.h"
#include "inference/compile_process.h"
#include "inference/kept_calibration.h"
#include "inference/module_loader.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

Error build_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message));
}

/// The file extension of a runtime's artifacts; none, which no name may have, for an unknown one.
std::string extension_of(std::string_view runtime_label) {
  const KnownRuntime* runtime = find_known_runtime(runtime_label);
  return runtime == nullptr ? std::string() : std::string(runtime->engine_extension);
}

fs::path build_executable(const CompileContext& context) {
  return context.build_executable.empty() ? default_build_executable() : context.build_executable;
}

/// A staging folder that goes when the build is over, whatever became of it.
class Staging {
 public:
  Staging(WriterLock& cache, std::string name) : cache_(cache), name_(std::move(name)) {}
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() { cache_.discard(name_); }
  const std::string& name() const { return name_; }
  fs::path path() const { return fs::absolute(cache_.folder().path()) / name_; }

 private:
  WriterLock& cache_;
  std::string name_;
};

Status write_request(WriterLock& cache, const Staging& staging, const CompileRequest& request) {
  SKUA_ASSIGN_OR_RETURN(auto folder, cache.folder().open_folder(staging.name()));
  SKUA_ASSIGN_OR_RETURN(auto file, folder->create("request.json"));
  SKUA_ASSIGN_OR_RETURN(const std::string text, encode_request(request));
  return file->write(std::as_bytes(std::span(text)));
}

Result<EngineRecord> read_response(WriterLock& cache, const Staging& staging) {
  constexpr std::size_t kLimit = 8U << 20U;
  SKUA_ASSIGN_OR_RETURN(auto folder, cache.folder().open_folder(staging.name()));
  auto text = read_text(*folder, "response.json", kLimit);
  if (!text.ok()) {
    return build_error(Reason::kBuilderCrashed,
                       "the build process ended without a response: " + text.error().message +
                           "; nothing was published: compile again, and report it when it happens again");
  }
  return decode_response(*text);
}

/// The model and the files of weights that exporters put beside it (`net.onnx.data`, `net.onnx_data`). The
/// network itself is not parsed in this process.
std::uint64_t source_bytes(const fs::path& model_path) {
  std::error_code error;
  const std::uintmax_t model = fs::file_size(model_path, error);
  std::uint64_t total = error ? 0 : model;
  const std::string stem = model_path.stem().string();
  const fs::path folder = model_path.has_parent_path() ? model_path.parent_path() : fs::path(".");
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    const bool is_data = name.starts_with(stem) && name.ends_with("data") && at->is_regular_file(ignored);
    const std::uintmax_t size = is_data ? at->file_size(ignored) : 0;
    if (!ignored) total += size;
  }
  return total;
}

/// Takes the room that an engine and its copy in the cache are likely to need and gives it back, so that a
/// full disk shows before minutes of building.
Status check_room(WriterLock& cache, const Staging& staging, const fs::path& model_path) {
  constexpr std::string_view kRoom = "room";
  constexpr std::uint64_t kTimes = 2;
  const std::string doing = "cannot begin to build in " + staging.path().string();
  const auto take = [&]() -> Status {
    SKUA_ASSIGN_OR_RETURN(const auto folder, cache.folder().open_folder(staging.name()));
    SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(kRoom));
    SKUA_RETURN_IF_ERROR(file->reserve(source_bytes(model_path) * kTimes));
    return folder->remove(kRoom);
  };
  const Status taken = take();
  if (taken.ok()) return {};
  return as_build_error(taken.error(), doing);
}

/// The builder's first line says how it is confined. It is told before anything of the network is read;
/// whatever comes later may be the network speaking.
class BuilderLines {
 public:
  explicit BuilderLines(EventSink& events) : events_(events) {}
  void take(std::string_view line) {
    constexpr std::string_view kWarning = "warning: ";
    if (!std::exchange(has_begun_, true) && line.starts_with(kConfinementLine)) {
      confinement_ = line.substr(kConfinementLine.size());
    } else if (line.starts_with(kWarning)) {
      events_.emit({Level::kWarn, "c7.build_warning", std::string(line.substr(kWarning.size())), {}});
    } else {
      events_.emit({Level::kDebug, "c7.build_progress", std::string(line), {}});
    }
    if (!std::exchange(is_judged_, true)) warn_of_gaps();
  }
  /// When the builder has ended well.
  const std::string& confinement() {
    if (!std::exchange(is_judged_, true)) warn_of_gaps();
    return confinement_;
  }

 private:
  void warn_of_gaps() {
    const bool is_whole = confinement_.find("landlock") != std::string::npos &&
                          confinement_.find("seccomp") != std::string::npos;
    if (is_whole) return;
    events_.emit({Level::kWarn,
                  "c7.build_unconfined",
                  "this system cannot confine the build process (it has: " + confinement_ +
                      "): a hostile network could write where you can; build on a kernel with Landlock and "
                      "seccomp",
                  {{"confinement", confinement_}}});
  }

  EventSink& events_;
  bool has_begun_ = false, is_judged_ = false;
  std::string confinement_ = "none";
};

Status run_builder(const Staging& staging, const CompileContext& context, BuilderLines& lines) {
  constexpr std::uint64_t kMib = 1U << 20U;
  BuildProcess process;
  process.executable = build_executable(context);
  process.request = staging.path() / "request.json";
  process.response = staging.path() / "response.json";
  process.log = staging.path() / "build.log";
  process.timeout = std::chrono::seconds(context.config.trtexec_timeout_s);
  process.memory_limit_bytes = static_cast<std::uint64_t>(context.config.build_memory_mb) * kMib;
  process.cancel_requested = context.cancel_requested;
  process.on_progress = [&lines](std::string_view line) { lines.take(line); };
  return run_build_process(process);
}

CompileRequest make_request(const fs::path& model_path, const BuildConfig& build,
                            const CompileContext& context, const Staging& staging,
                            const std::string& artifact) {
  CompileRequest request;
  request.runtime_label = context.config.runtime;
  request.model_path = fs::absolute(model_path);
  request.staging_dir = staging.path();
  request.artifact_name = artifact;
  request.model_name = EngineFilenameSchema::parse(artifact).value().model;
  request.build = build;
  if (request.build.golden) request.build.golden->file = fs::absolute(request.build.golden->file);
  for (std::optional<fs::path>* path : {&request.build.calibration_dataset, &request.build.accuracy_dataset,
                                        &request.build.fp32_source, &request.build.calibration_cache}) {
    if (*path) **path = fs::absolute(**path);
  }
  request.config = context.config;
  request.config.engine_cache_dir = fs::absolute(context.config.engine_cache_dir).lexically_normal();
  request.host = context.host;
  request.unproven = context.unproven;
  return request;
}

/// Makes the cache folder where only it is missing; a missing parent is more likely a typing mistake.
Status ensure_cache_folder(FileSystem& files, const fs::path& cache_dir) {
  SKUA_ASSIGN_OR_RETURN(auto parent, files.open_folder(cache_dir.parent_path()));
  Status made = parent->make_folder(cache_dir.filename().string());
  if (!made.ok() && made.error().reason != Reason::kExists) return made;
  return {};
}

/// What the build has measured; empty when it has left nothing, or more than builds of large networks leave.
std::string staged_timing_cache(WriterLock& cache, const Staging& staging, const std::string& artifact) {
  constexpr std::size_t kLimit = 32U << 20U;
  const auto folder = cache.folder().open_folder(staging.name());
  auto bytes =
      folder.ok() ? read_text(**folder, artifact + ".timing", kLimit) : Result<std::string>(folder.error());
  return bytes.ok() ? *std::move(bytes) : std::string();
}

/// A timing cache only makes the next build shorter: that it cannot be kept is no error.
void keep_timing_cache(WriterLock& cache, const std::string& bytes, const std::string& artifact,
                       EventSink& events) {
  if (bytes.empty()) return;
  const Status kept =
      publish_file(cache.folder(), timing_cache_name(artifact), std::as_bytes(std::span(bytes)));
  if (kept.ok()) return;
  events.emit(
      {Level::kWarn, "c7.build_warning", "the timing cache was not kept: " + kept.error().message, {}});
}

/// Publishing gives the golden file the name that the record has for it: a builder that a network has taken
/// over must not choose that of another engine.
Status check_golden_name(const EngineRecord& record, const std::string& artifact) {
  const std::string expected = artifact + ".golden";
  if (record.golden.file == expected) return {};
  return build_error(Reason::kBuilderCrashed,
                     "the build process answered with a golden file " + quote(record.golden.file) +
                         ", expected " + quote(expected) +
                         "; nothing was published: do not trust this network, or report it");
}

/// Runs the build process, and completes its record with what only this process can say.
Result<EngineRecord> build_in(WriterLock& cache, const Staging& staging, const CompileRequest& request,
                              const CompileContext& context) {
  const std::string& artifact = request.artifact_name;
  SKUA_ASSIGN_OR_RETURN(const Sha256 key, build_key(request.build, context.config));
  SKUA_RETURN_IF_ERROR(write_request(cache, staging, request));
  BuilderLines lines(*context.events);
  SKUA_RETURN_IF_ERROR(run_builder(staging, context, lines));
  SKUA_ASSIGN_OR_RETURN(EngineRecord record, read_response(cache, staging));
  SKUA_RETURN_IF_ERROR(check_golden_name(record, artifact));
  // The key covers the content of files that the builder read by itself: both must have seen the same.
  if (record.build_config_sha256 != key) {
    return build_error(Reason::kGoldenHashMismatch,
                       "a file that is read beside the model (golden vectors, fp32_source, "
                       "calibration_cache) changed while " +
                           artifact + " was being built; compile it again");
  }
  record.file = artifact;
  record.model = request.model_name;
  record.runtime_label = request.runtime_label;
  record.host = context.host;
  record.precision = request.build.precision;
  record.proof["confinement"] = lines.confinement();
  record.proven = !context.unproven;
  record.builder = std::string(build_id());
  record.created = utc_text(system_clock().utc_us());
  return record;
}

/// With what a TensorRT build leaves beside its plan: measured kernels, and ranges.
Result<EngineRecord> publish_with_caches(WriterLock& cache, const Staging& staging, EngineRecord record,
                                         EventSink& events) {
  // Read before publishing, which ends the staging folder.
  const std::string artifact = record.file;
  const std::string timing = staged_timing_cache(cache, staging, artifact);
  SKUA_ASSIGN_OR_RETURN(const std::string ranges, staged_calibration(cache, staging.name(), record));
  SKUA_RETURN_IF_ERROR(drop_calibration(cache, record));
  // The engine first: whoever is interrupted leaves a record whose cache is not there, and calibrates again.
  SKUA_ASSIGN_OR_RETURN(EngineRecord published, publish_engine(cache, staging.name(), std::move(record)));
  keep_timing_cache(cache, timing, artifact, events);
  SKUA_RETURN_IF_ERROR(keep_calibration(cache, ranges, published, events));
  return published;
}

Result<EngineRecord> build_into(WriterLock& cache, const fs::path& model_path, const BuildConfig& build,
                                const CompileContext& context, const std::string& artifact) {
  SKUA_ASSIGN_OR_RETURN(std::string staging_name, cache.make_staging());
  const Staging staging(cache, std::move(staging_name));
  const CompileRequest request = make_request(model_path, build, context, staging, artifact);
  SKUA_RETURN_IF_ERROR(check_room(cache, staging, model_path));
  const bool is_tensorrt = request.runtime_label == "tensorrt";  // other runtimes measure nothing
  std::optional<std::string> rejected;
  if (is_tensorrt && build.precision == Precision::kInt8) {
    SKUA_ASSIGN_OR_RETURN(rejected, reject_untrusted_calibration(cache, artifact, context));
  }
  auto record = build_in(cache, staging, request, context);
  if (!record.ok() && rejected) return without_calibration(std::move(record).error(), *rejected);
  if (!record.ok()) return record;
  if (rejected) record->proof[kCalibrationWhy] = *rejected;
  if (is_tensorrt) return publish_with_caches(cache, staging, *std::move(record), *context.events);
  return publish_engine(cache, staging.name(), *std::move(record));
}

Result<EngineRecord> compile_checked(const fs::path& model_path, const BuildConfig& build,
                                     const CompileContext& context) {
  SKUA_RETURN_IF_ERROR(build.validate());
  SKUA_RETURN_IF_ERROR(context.config.validate());
  SKUA_ASSIGN_OR_RETURN(const std::string artifact, artifact_name(model_path, build, context));
  SKUA_RETURN_IF_ERROR(check_model_file(model_path));
  const fs::path cache_dir = fs::absolute(context.config.engine_cache_dir).lexically_normal();
  SKUA_RETURN_IF_ERROR(ensure_cache_folder(*context.files, cache_dir));
  SKUA_ASSIGN_OR_RETURN(WriterLock cache, WriterLock::take(*context.files, cache_dir));
  return build_into(cache, model_path, build, context, artifact);
}

}  // namespace

fs::path default_build_executable() {
  const fs::path folder = library_folder();
  for (const char* candidate : {"../libexec/skua/skua-build", "../bin/skua-build"}) {
    const fs::path path = (folder / candidate).lexically_normal();
    if (std::error_code ignored; fs::exists(path, ignored)) return path;
  }
  return folder / "../bin/skua-build";
}

std::string timing_cache_name(std::string_view artifact) {
  return calibration::stem_of(artifact) + ".timing_cache";
}

Result<std::string> artifact_name(const fs::path& model_path, const BuildConfig& build,
                                  const CompileContext& context) {
  EngineFilenameSchema schema;
  SKUA_ASSIGN_OR_RETURN(schema.model, effective_model_name(build, model_path));
  schema.sm = context.host.sm;
  schema.jetpack = context.host.jetpack;
  schema.tensorrt = context.host.tensorrt;
  schema.precision = build.precision;
  schema.extension = extension_of(context.config.runtime);
  return schema.build();
}

Status check_model_file(const fs::path& model_path) {
  std::error_code error;
  const fs::file_status status = fs::status(model_path, error);
  if (status.type() == fs::file_type::not_found) {
    return build_error(Reason::kModelMissing,
                       "the model " + model_path.string() + " does not exist; check the path");
  }
  if (status.type() != fs::file_type::regular) {
    return build_error(Reason::kModelUnreadable, "the model " + model_path.string() +
                                                     " is not a regular file; name the network file itself");
  }
  if (fs::file_size(model_path, error) == 0 && !error) {
    return build_error(Reason::kModelEmpty,
                       "the model " + model_path.string() + " is empty; export it again");
  }
  return {};
}

Result<EngineRecord> compile_model(const fs::path& model_path, const BuildConfig& build,
                                   const CompileContext& context) {
  auto record = compile_checked(model_path, build, context);
  if (record.ok()) {
    context.events->emit({Level::kInfo,
                          "c7.engine_built",
                          "engine built: " + record->file,
                          {{"model", record->model}, {"engine_sha256", record->engine_sha256.hex()}}});
    return record;
  }
  Error error = as_build_error(std::move(record).error());
  context.events->emit(
      {Level::kError,
       "c7.engine_build_failed",
       error.describe(),
       {{"model_path", model_path.string()}, {"reason", std::string(to_string(error.reason))}}});
  return error;
}

}  // namespace skua
