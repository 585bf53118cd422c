#include "runtimes/onnxruntime/ort_library.h"

#include <dlfcn.h>
#include "inference/module_loader.h"
#include "skua_sdk_paths.h"

#include <cstdlib>
#include <utility>

#include "runtimes/onnxruntime/ort_errors.h"

namespace skua::ort {
namespace {

constexpr std::size_t kMaxLogLines = 8;

// The environment outlives any single user of it (it is one per process and counted inside ONNX Runtime), so
// its logger cannot point at an object of ours. It finds the capture of the calling thread instead.
thread_local LogCapture* active_capture = nullptr;

void on_log(void*, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
  if (active_capture != nullptr && message != nullptr) active_capture->add(message);
}

Error unavailable(Reason reason, std::string message) {
  return make_error(ErrorCode::kRuntimeNotAvailable, reason, std::move(message));
}

bool is_our_series(std::string_view version) {
  return version.substr(0, kSeries.size()) == kSeries && version.size() > kSeries.size() &&
         version[kSeries.size()] == '.';
}

}  // namespace

LogCapture::LogCapture() : outer_(std::exchange(active_capture, this)) {}
LogCapture::~LogCapture() { active_capture = outer_; }

void LogCapture::add(const char* line) {
  if (lines_.size() == kMaxLogLines) lines_.erase(lines_.begin());
  lines_.emplace_back(line);
}

std::string LogCapture::text() const {
  std::string joined;
  for (const std::string& line : lines_) joined += (joined.empty() ? "" : "; ") + line;
  return joined;
}

std::filesystem::path library_path(const RuntimeConfig& config) {
  return config.onnxruntime_library.empty() ? std::filesystem::path(SKUA_ONNXRUNTIME_LIBRARY)
                                            : config.onnxruntime_library;
}

Result<std::shared_ptr<const OrtLibrary>> OrtLibrary::open(const std::filesystem::path& path) {
  if (!path.is_absolute()) {
    return unavailable(Reason::kSdkMissing, "onnxruntime_library: expected an absolute path, found '" +
                                                path.string() + "'; name the library file itself");
  }
  // Releases from 1.30 on start a telemetry client with the environment; this is the only switch that stops
  // it.
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  std::shared_ptr<OrtLibrary> library(new OrtLibrary);
  library->path_ = path;
  library->handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library->handle_ == nullptr) {
    return unavailable(Reason::kSdkMissing, "ONNX Runtime library " + path.string() +
                                                " cannot be opened: " + loader_text() +
                                                "; run the set-up script, or set onnxruntime_library");
  }
  SKUA_RETURN_IF_ERROR(library->bind_symbols());
  SKUA_RETURN_IF_ERROR(library->create_env());
  return std::shared_ptr<const OrtLibrary>(std::move(library));
}

Status OrtLibrary::bind_symbols() {
  using GetBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(handle_, "OrtGetApiBase"));
  append_cpu_ = reinterpret_cast<AppendCpu>(dlsym(handle_, "OrtSessionOptionsAppendExecutionProvider_CPU"));
  if (get_base == nullptr || append_cpu_ == nullptr) {
    return unavailable(Reason::kSdkForeign,
                       path_.string() + ": expected ONNX Runtime " + std::string(kSeries) +
                           ", found a library that is not ONNX Runtime (" + loader_text() + ")");
  }
  version_ = get_base()->GetVersionString();
  if (is_our_series(version_)) api_ = get_base()->GetApi(ORT_API_VERSION);
  if (api_ == nullptr) {
    return unavailable(Reason::kSdkForeign, path_.string() + ": expected ONNX Runtime " +
                                                std::string(kSeries) + ".x, found " + version_ +
                                                "; install that release, or build Skua for it");
  }
  return {};
}

Status OrtLibrary::create_env() {
  OrtStatus* status =
      api_->CreateEnvWithCustomLogger(on_log, nullptr, ORT_LOGGING_LEVEL_ERROR, "skua", &env_);
  if (status != nullptr) return translate(*api_, status, OrtContext::kProvider, "ONNX Runtime environment");
  return {};
}

OrtLibrary::~OrtLibrary() {
  if (env_ != nullptr) api_->ReleaseEnv(env_);
  // No dlclose: the library keeps threads' destructors and stays mapped anyway.
}

Result<std::vector<std::string>> OrtLibrary::providers() const {
  char** names = nullptr;
  int count = 0;
  if (OrtStatus* status = api_->GetAvailableProviders(&names, &count); status != nullptr) {
    return translate(*api_, status, OrtContext::kProvider, "ONNX Runtime providers");
  }
  std::vector<std::string> found(names, names + count);
  if (OrtStatus* status = api_->ReleaseAvailableProviders(names, count); status != nullptr) {
    api_->ReleaseStatus(status);
  }
  return found;
}

}  // namespace skua::ort
