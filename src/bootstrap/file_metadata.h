// The metadata of a model file, read without an SDK: ONNX `metadata_props`, TorchScript extra files. Only the
// entries' own bytes are read, so a model of any size costs little. Nothing here decides what a deserialiser
// gets to see.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "skua/result.h"

namespace skua {

using ModelMetadata = std::map<std::string, std::string>;

inline constexpr char kModelIdKey[] = "skua.model_id";
inline constexpr char kWeightsKey[] = "skua.weights_sha256";

/// Bounded: at most 256 entries of at most 64 KiB; longer ones are left out. EngineBuildError: model_missing,
/// model_malformed.
Result<ModelMetadata> read_onnx_metadata(const std::filesystem::path& file);
Result<ModelMetadata> read_torchscript_metadata(const std::filesystem::path& file);

/// EngineBuildError model_id_mismatch when both files carry a model id (or a weights digest) and they differ.
Status check_same_model(const std::filesystem::path& onnx, const std::filesystem::path& pt);

}  // namespace skua
