// Provisioning: from SET.yaml to a published flight set. Leaves the set that flies alone when it is what
// SET.yaml asks for; else reuses what the engine cache holds, compiles what it does not, and publishes whole
// or not at all: on any error, and on cancellation, the sets and CURRENT are as they were.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/set_yaml.h"
#include "cache/manifest.h"
#include "cache/p256.h"
#include "inference/compile.h"
#include "inference/reuse.h"

namespace skua {

/// The functions of inference/compile.h and reuse.h; injected, so that a test needs no SDK.
struct CompilePorts {
  using Path = std::filesystem::path;
  std::function<Result<std::string>(const Path&, const BuildConfig&, const CompileContext&,
                                    const EngineRecord&, ReuseFacts&)>
      difference = skua::difference_of;
  std::function<Result<std::optional<EngineRecord>>(const Path&, const BuildConfig&, const CompileContext&,
                                                    ReuseFacts&, std::string&)>
      find_reusable = skua::find_reusable;
  std::function<Result<EngineRecord>(const Path&, const BuildConfig&, const CompileContext&)> compile =
      skua::compile_model;
};

struct ProvisionContext {
  CompileContext compile;          ///< its config is complete: SET.yaml and the command line are in it
  std::filesystem::path sets_dir;  ///< must exist
  Clock* clock = &system_clock();
  CompilePorts ports;
  bool rehash_sources = false;      ///< believe no remembered digest of a model file
  const PrivateKey* key = nullptr;  ///< signs the set; CURRENT then moves only to a set that it signed
  std::function<void(std::string_view)> progress = [](std::string_view) {};
};

struct ProvisionedEngine {
  std::string name, file;
  bool is_reused = false;
  std::string why_built;  ///< why no cache entry could be reused; empty when one was
  std::uint64_t size_bytes = 0;
};

struct ProvisionReport {
  Manifest manifest;                ///< of the set that CURRENT names now
  bool is_published = false;        ///< false: the content is unchanged, no set was written
  bool is_signature_added = false;  ///< to a set that flew unsigned until now
  std::optional<Sha256> signer;     ///< fingerprint of the key that was given; the set has its signature
  std::vector<ProvisionedEngine> engines;
  std::uint64_t source_bytes_hashed = 0;  ///< of model files whose digest was not remembered
};

/// The configuration that a set is built with: `base` (defaults or the command line's folders), then
/// SET.yaml, then `overrides` (the command line's --set). A label in `runtime` replaces SET.yaml's.
Result<RuntimeConfig> provisioning_config(const SetSpec& spec, RuntimeConfig base,
                                          const std::optional<std::string>& runtime,
                                          const std::vector<std::pair<std::string, std::string>>& overrides);

/// Errors: InvalidArgumentError (SET.yaml and what it names), RuntimeNotAvailableError, EngineBuildError
/// (folder_busy, cancelled, model_id_mismatch, set_too_large, and compile_model's), CalibrationCacheError.
Result<ProvisionReport> provision(const SetSpec& spec, const ProvisionContext& context);

}  // namespace skua
