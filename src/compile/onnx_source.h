// The source model as bytes in memory, with its external weights. Everything later works on these bytes, so
// that what was hashed is what is compiled.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compile/compilation.h"
#include "onnx/onnx_model.h"

namespace skua::compile {

/// One file of external weights, whole.
struct ExternalFile {
  std::string location;  ///< as the model names it
  std::vector<std::byte> bytes;
};

struct OnnxSource {
  OnnxModel model;
  std::vector<ExternalFile> external;
};

/// Reads the request's model into `compilation.source_bytes` and its external weights beside it; sources and
/// model digest go into the record. EngineBuildError: read_file's, parse_onnx's, external_weights (missing,
/// outside the model's folder, too short).
Result<OnnxSource> read_onnx_source(Compilation& compilation);

/// `Sha256Sidecar::aggregate_hash` from digests that are known already; the disk is not read again.
/// InvalidArgumentError for two files with one base name.
Result<Sha256> aggregate_of(const std::vector<SourceFile>& sources);

}  // namespace skua::compile
