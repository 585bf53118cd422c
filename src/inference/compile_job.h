// What goes into the build executable and what comes out of it: two JSON files in the staging folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cache/engine_record.h"
#include "skua/build_config.h"
#include "skua/runtime_config.h"

namespace skua {

struct CompileRequest {
  std::string runtime_label;
  std::filesystem::path model_path;   ///< absolute
  std::filesystem::path staging_dir;  ///< absolute; the only folder a compile half writes to
  std::string artifact_name;          ///< engine file name to write there; golden file: + ".golden"
  std::string model_name;
  BuildConfig build;
  RuntimeConfig config;
  HostTuple host;
  bool unproven = false;
  /// A reference for an int8 or mixed build: the outputs on the samples that a build of this precision holds
  /// out are written as well (compile/held_out.h). The data set is then named for any precision.
  std::optional<Precision> values_for;
};

/// Progress of a build, e.g. for a terminal. Called from the compile half; one line each.
class CompileProgress {
 public:
  virtual ~CompileProgress() = default;
  virtual void step(std::string_view text) = 0;
};

/// How the build executable's first line of progress begins; what follows says how it is confined.
inline constexpr std::string_view kConfinementLine = "confinement: ";

/// InvalidArgumentError when a path or name is not UTF-8, which JSON is.
Result<std::string> encode_request(const CompileRequest& request);
Result<CompileRequest> decode_request(std::string_view text);

/// The response file holds either an EngineRecord (digests and sizes are the caller's to compute) or an
/// Error.
std::string encode_response(const Result<EngineRecord>& response);
Result<EngineRecord> decode_response(std::string_view text);

}  // namespace skua
