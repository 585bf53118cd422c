// Which engine of an engine cache a name means.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cache/engine_record.h"
#include "core/filesystem.h"

namespace skua {

/// What `skua run CACHE_DIR MODEL` says of the engine it means.
struct EngineQuery {
  std::string model;
  std::optional<std::string> runtime;
  std::optional<Precision> precision;
};

/// Every build record of a cache that can be read, in order of file name. Others are left out: the gate would
/// refuse their engines.
Result<std::vector<EngineRecord>> cache_records(FileSystem& files, const std::filesystem::path& cache);

/// The one record that `query` means. Engines of this host come before those of others. InvalidArgumentError,
/// listing the candidates, when there is none or more than one.
Result<EngineRecord> choose_engine(const std::vector<EngineRecord>& records, const EngineQuery& query,
                                   const HostTuple& host);

}  // namespace skua
