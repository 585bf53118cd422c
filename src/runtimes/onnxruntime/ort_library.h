// The ONNX Runtime library: opened from one absolute path with dlopen, never linked. The library exports its
// entry point under a version node of its own release, so a linked program would refuse every other release.
// Thread-safety: immutable after `open`; ONNX Runtime's environment may be used from any thread.
#pragma once

#include <onnxruntime_c_api.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "skua/runtime_config.h"

namespace skua::ort {

/// The release series that Skua is built and tested for. Another one is refused, not tried.
inline constexpr std::string_view kSeries = "1.23";

class OrtLibrary {
 public:
  /// Opens the library and creates its environment. RuntimeNotAvailableError: sdk_missing, sdk_foreign.
  /// Sets ORT_DISABLE_TELEMETRY=1 in this process first: newer libraries phone home otherwise.
  static Result<std::shared_ptr<const OrtLibrary>> open(const std::filesystem::path& path);
  ~OrtLibrary();
  OrtLibrary(const OrtLibrary&) = delete;
  OrtLibrary& operator=(const OrtLibrary&) = delete;

  const OrtApi& api() const noexcept { return *api_; }
  OrtEnv* env() const noexcept { return env_; }
  const std::string& version() const noexcept { return version_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  /// The exported function that appends the CPU provider explicitly (the generic call counts as implicit).
  OrtStatus* append_cpu(OrtSessionOptions* options) const { return append_cpu_(options, 1); }
  /// Compiled into the library; says nothing of what works here.
  Result<std::vector<std::string>> providers() const;

 private:
  using AppendCpu = OrtStatus* (*)(OrtSessionOptions*, int);
  OrtLibrary() = default;
  Status bind_symbols();
  Status create_env();

  std::filesystem::path path_;
  std::string version_;
  const OrtApi* api_ = nullptr;
  OrtEnv* env_ = nullptr;
  AppendCpu append_cpu_ = nullptr;
  void* handle_ = nullptr;
};

/// The library that `config` names: its own path, or the one fixed when Skua was built.
std::filesystem::path library_path(const RuntimeConfig& config);

/// Collects what ONNX Runtime logs on this thread while the object lives, to complete an error's text.
/// Without one alive its log lines are dropped: it must never print, and on the hot path nothing may be
/// stored.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  /// At most the last few lines, joined.
  std::string text() const;
  void add(const char* line);

 private:
  std::vector<std::string> lines_;
  LogCapture* outer_;
};

}  // namespace skua::ort
