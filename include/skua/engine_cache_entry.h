// One compiled engine in the engine cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "skua/build_config.h"
#include "skua/host_tuple.h"
#include "skua/sha256.h"
#include "skua/tensor.h"

namespace skua {

/// What an int8 engine's ranges were made from.
struct CalibrationProvenance {
  Sha256 dataset_sha256;
  std::uint64_t sample_count = 0;
  Sha256 cache_sha256;
  std::string algorithm;
  std::string producer;
  friend bool operator==(const CalibrationProvenance&, const CalibrationProvenance&) = default;
};

/// Returned by compile_engine, taken by deserialize_engine. A value: holding one keeps nothing alive.
struct EngineCacheEntry {
  std::filesystem::path engine_path;
  std::string model;  ///< the backbone's logical name
  std::string runtime_label;
  HostTuple host;
  Precision precision = Precision::kFp16;
  Sha256 engine_sha256;
  std::uint64_t size_bytes = 0;
  std::uint64_t device_memory_bytes = 0;  ///< activations and scratch, beside the engine's own bytes
  Sha256 model_sha256;
  Sha256 build_config_sha256;
  std::optional<CalibrationProvenance> calibration;
  std::vector<TensorSpec> inputs, outputs;
};

}  // namespace skua
