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
#include "skua/host_tuple.h"
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

/// What int8 is calibrated with, and what int8 and mixed are judged by.
struct QuantizeData {
  std::filesystem::path folder;  ///< absolute; a data set (docs/formats/data-set.md)
  std::string algorithm;         ///< entropy2, minmax; means something for int8 alone
};

/// TensorRT's calibration cache, of the same ranges as the int8 model.
struct QuantizeCache {
  std::filesystem::path file;         ///< absolute, *.calib_cache; its folder exists
  std::uint32_t library_version = 0;  ///< getInferLibVersion() of the TensorRT that is to read it
};

struct QuantizeJob {
  std::filesystem::path model;  ///< absolute
  Precision precision = Precision::kFp16;
  std::optional<QuantizeData> data;    ///< int8 and mixed
  std::filesystem::path out;           ///< absolute, *.onnx; its folder exists; empty: the cache alone
  std::optional<QuantizeCache> cache;  ///< int8, if wanted
  bool may_overwrite = false;
  std::vector<std::string> keep_fp32;
  std::vector<std::pair<std::string, std::filesystem::path>> inputs;  ///< to judge with; absolute .npy files
  const std::atomic<bool>* cancel_requested = nullptr;
  std::function<void(std::string_view)> on_progress;
  FileSystem* files = &posix_file_system();
};

/// Converts `job.model` to half precision, mixed or int8, compares it with float32, and puts the result at
/// `job.out` and the cache at `job.cache`: both or, after an error, neither, whole; nothing else is left in
/// these folders. With `may_overwrite`, an error of the disk while files are replaced may leave a new model
/// beside a cache that nothing vouches for.
/// Returns what the tool found (docs/reference/cli.md). Errors: InvalidArgumentError (builder_missing: an
/// interpreter, script or Python package that is not there or cannot be used; invalid_argument), IoError
/// exists, EngineBuildError (the model, a conversion that does not hold, data_set_malformed,
/// data_set_changed, cancelled, builder_timeout, disk_full), CalibrationCacheError (names that the cache does
/// not hold).
Result<Json> quantize_model(const QuantizeTool& tool, const QuantizeJob& job);

}  // namespace skua
