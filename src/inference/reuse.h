// Whether an engine that is there already stands for what is asked now, so that nothing need be compiled.
// What is decided here is reuse alone: bytes that are loaded or published are hashed where they are read.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "cache/digest_cache.h"
#include "cache/engine_record.h"
#include "inference/compile.h"

namespace skua {

/// What is found out once and holds for every engine of one run.
struct ReuseFacts {
  DigestCache sources;                     ///< digests of the model files
  std::optional<std::string> sdk_version;  ///< of the configured runtime's library, once it was asked
  std::map<std::filesystem::path, Sha256> data_sets;  ///< digests of calibration data sets, once read

  explicit ReuseFacts(const Clock& clock) : sources(clock) {}
};

/// Why `record` does not stand for this model, build, host and library; empty: it does. Looks at no byte of
/// the engine itself. Errors are those of reading the model and of asking the library.
Result<std::string> difference_of(const std::filesystem::path& model_path, const BuildConfig& build,
                                  const CompileContext& context, const EngineRecord& record,
                                  ReuseFacts& facts);

/// The record of a cache entry that may be reused: name, sidecar, record, sources and both hashes verify.
/// nullopt: there is none, or it is of another variant; `why` then says so.
Result<std::optional<EngineRecord>> find_reusable(const std::filesystem::path& model_path,
                                                  const BuildConfig& build, const CompileContext& context,
                                                  ReuseFacts& facts, std::string& why);

}  // namespace skua
