// An ONNX model with its external weights put inside, so that one block of bytes is the whole network: what
// is parsed then opens no file of its own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compile/onnx_source.h"

namespace skua::compile {

/// `bytes` as it is, except that every weight of `external` stands in the file. Requires what
/// read_onnx_source has checked. EngineBuildError: model_too_large when the result would pass what one
/// protobuf file can hold, model_malformed.
Result<std::vector<std::byte>> fold_external(std::span<const std::byte> bytes,
                                             const std::vector<ExternalFile>& external);

}  // namespace skua::compile
