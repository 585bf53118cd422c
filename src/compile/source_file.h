// Source files as bytes in memory, read once: what is hashed is what is compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cache/engine_record.h"

namespace skua::compile {

/// A file of at most `limit` bytes. Links are not followed. EngineBuildError: `when_missing`,
/// model_unreadable, model_too_large.
Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, std::uint64_t limit,
                                         Reason when_missing);

/// How the record speaks of a source file: name, digest, size.
SourceFile source_file(std::string name, std::span<const std::byte> bytes);

}  // namespace skua::compile
