// The build record's file name and bounds, and the checks that build records and manifests share.
#pragma once

#include <string>
#include <string_view>

#include "cache/engine_record.h"

namespace skua {

inline constexpr std::string_view kBuildRecordKind = "skua.build-record";
inline constexpr std::uint64_t kBuildRecordSchema = 1;
inline constexpr std::size_t kBuildRecordMaxBytes = 1U << 20U;

/// "<engine file>.json"
std::string build_record_name(std::string_view engine_file);

/// What the fields of one record owe each other: a plain file name whose model is the record's, a size, a
/// date, tensors whose memory is bounded (record_tensors.h), one tolerance per output, sources, a golden
/// file. `path` is for the message. Error: kMalformed.
Status check_record(const EngineRecord& record, const std::string& path);

}  // namespace skua
