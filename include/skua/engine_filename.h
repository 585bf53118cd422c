// The self-describing name of an engine file: <model>__sm<SM>_jp<JP>_trt<TRT>_<precision>.<extension>
// docs/formats/engine-file-name.md specifies it byte by byte.
#pragma once

#include <string>
#include <string_view>

#include "skua/host_tuple.h"
#include "skua/result.h"

namespace skua {

/// Builds and parses engine file names; parse(build(x)) is x. Thread-safe: no state. Errors:
/// EngineSchemaMismatchError, reason engine_name_malformed, saying which part is wrong.
struct EngineFilenameSchema {
  std::string model;
  int sm = 0;
  std::string jetpack, tensorrt;  ///< dotted digits
  Precision precision = Precision::kFp16;
  std::string extension = "engine";  ///< engine, onnx, pt: one for each runtime

  /// The file name; the error above where a part is not one that parse() would read back.
  Result<std::string> build() const;
  /// The parts of a file name, without a folder; the error above for anything else.
  static Result<EngineFilenameSchema> parse(std::string_view file_name);
  /// Whether SM, JetPack and TensorRT are this host's. Precision is compared by the gate, with the record.
  bool matches_host(const HostTuple& host) const noexcept;
  friend bool operator==(const EngineFilenameSchema&, const EngineFilenameSchema&) = default;
};

}  // namespace skua
