// What TensorRT has measured of kernels, kept beside the engine for the next build of it:
// docs/formats/timing-cache.md. Never used on another device, with another TensorRT, or when a byte of it is
// not as it was written.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "skua/host_tuple.h"
#include "skua/result.h"

namespace skua::tensorrt {

/// What a cache is bound to: every fact of the host, and the library.
std::string timing_key(const HostTuple& host, const std::string& sdk_version);

std::vector<std::byte> encode_timing_cache(std::span<const std::byte> blob, const std::string& key);

/// The blob; an error says what is wrong with the file (malformed, or host_fact_mismatch for another key).
Result<std::vector<std::byte>> decode_timing_cache(std::span<const std::byte> file, const std::string& key);

}  // namespace skua::tensorrt
