// `skua quantize`: runs the project's Python tool on a model, and publishes the file that it made.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/filesystem.h"
#include "core/json_fwd.h"
#include "skua/result.h"

namespace skua {

/// What runs: an interpreter and its first arguments. Absolute paths; nothing is searched for.
struct QuantizeTool {
  std::filesystem::path interpreter;
  std::vector<std::string> arguments;  ///< the last one is the script; skua_precision/ lies beside it
  std::chrono::seconds timeout = std::chrono::hours(24);  ///< the operator watches, and has Ctrl-C
};

/// The tool that was fixed when Skua was configured: isolated from the user's Python settings, and writing no
/// byte code beside its sources.
QuantizeTool configured_quantize_tool();

/// What int8 is calibrated with.
struct QuantizeData {
  std::filesystem::path folder;  ///< absolute; a data set (docs/formats/data-set.md)
  std::string algorithm;         ///< entropy2, minmax
};

struct QuantizeJob {
  std::filesystem::path model;       ///< absolute
  std::optional<QuantizeData> data;  ///< int8, calibrated with it; else half precision
  std::filesystem::path out;         ///< absolute, *.onnx; its folder exists
  bool may_overwrite = false;
  std::vector<std::string> keep_fp32;
  std::vector<std::pair<std::string, std::filesystem::path>> inputs;  ///< to judge with; absolute .npy files
  const std::atomic<bool>* cancel_requested = nullptr;
  std::function<void(std::string_view)> on_progress;
  FileSystem* files = &posix_file_system();
};

/// Converts `job.model` to half precision or int8, compares it with float32, and puts the result at
/// `job.out`, whole or not at all; nothing else is left in that folder. Returns what the tool found
/// (docs/reference/cli.md). Errors: InvalidArgumentError (builder_missing: an interpreter, script or Python
/// package that is not there or cannot be used; invalid_argument), IoError exists, EngineBuildError (the
/// model, a conversion that does not hold, data_set_malformed, data_set_changed, cancelled, builder_timeout,
/// disk_full).
Result<Json> quantize_model(const QuantizeTool& tool, const QuantizeJob& job);

}  // namespace skua
