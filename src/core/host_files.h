// Reading the text files that describe a machine. Whatever is missing, damaged, huge or no regular file is
// empty.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skua {

/// The file's text; empty when it is not there, is no regular file, cannot be read or is longer than `limit`.
/// Links are followed: this describes a machine and admits nothing.
std::string read_host_file(const std::filesystem::path& file, std::size_t limit);

/// Versions of the installed packages whose names are asked for, from dpkg's status file.
std::map<std::string, std::string> package_versions(std::string_view status,
                                                    const std::vector<std::string>& names);

/// Whether the text is numbers joined by dots ("36.4.3"), at most 32 characters.
bool is_dotted_digits(std::string_view text) noexcept;

/// Instruction-set names of /proc/cpuinfo that compute kernels choose by and that every core has; sorted.
std::string cpu_features_of(std::string_view cpuinfo);

}  // namespace skua
