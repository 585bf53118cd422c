// The two tools that can build a plan instead of us. Both get a command line that is made from the same
// BuildOptions as the builder's configuration, word by word, without a shell.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/cache_text.h"
#include "compile/tool_process.h"
#include "runtimes/tensorrt/compile_options.h"

namespace skua::tensorrt {

struct ToolFiles {
  std::filesystem::path source;                  ///< the model, whole
  std::filesystem::path plan;                    ///< written by the tool
  std::filesystem::path timing_cache;            ///< read when it is there, written afterwards
  std::filesystem::path folder;                  ///< for temporary files
  std::filesystem::path calibration_cache = {};  ///< where options.ranges is a cache
  calibration::Algorithm calibration_algorithm = calibration::Algorithm::kEntropy2;
};

/// argv after the name. EngineBuildError (model_unsupported): a name that the tool's own syntax would take
/// apart.
Result<std::vector<std::string>> trtexec_arguments(const BuildOptions& options, const ToolFiles& files);
/// `has_timing_cache`: whether there is one to read.
Result<std::vector<std::string>> polygraphy_arguments(const BuildOptions& options, const ToolFiles& files,
                                                      bool has_timing_cache);

/// A tool that finds no scales in the cache calibrates on random data, and says so in its log alone; one that
/// writes the cache leaves another text. EngineBuildError, calibration_incomplete.
Status check_cache_used(const std::string& tool, std::string_view log, std::string_view given,
                        std::string_view found);

/// What trtexec's end says: status 0 and "&&&& PASSED" in its last line, of the release `version` (as
/// getInferLibVersion() counts). EngineBuildError: builder_missing, builder_crashed, model_unsupported,
/// sdk_foreign. `log` is its output.
Status judge_trtexec(const compile::ToolEnd& end, std::string_view log, int version);
/// Likewise; its last line must be no error, and the release is that of Python's package tensorrt.
Status judge_polygraphy(const compile::ToolEnd& end, std::string_view log, int version);

}  // namespace skua::tensorrt
