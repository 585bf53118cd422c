// The yardstick of everything that hashes: OpenSSL's SHA-256 over files, and nothing of Skua.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace skua::bench {

/// Hashes every file once, each through one reused buffer per worker, `workers` files at a time. Empty on
/// success, else which file could not be read. The digests are of no interest.
std::string evp_loop(const std::vector<std::filesystem::path>& files, std::size_t workers);

}  // namespace skua::bench
