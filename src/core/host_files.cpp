#include "core/host_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>

#include "core/text.h"

namespace skua {
namespace {

// As the kernel spells them: x86-64, then aarch64.
constexpr std::array<std::string_view, 22> kCpuFeatures = {
    "sse4_1",      "avx",      "avx2",        "f16c",        "fma",      "avx512f",  "avx512bw", "avx512vl",
    "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",
    "asimdhp",     "asimddp",  "i8mm",        "bf16",        "sve",      "sve2"};

std::string_view take_line(std::string_view& text) noexcept {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// The value of "Name: value", or nothing.
std::optional<std::string_view> value_of(std::string_view line, std::string_view name) noexcept {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || trimmed(line.substr(0, colon)) != name) return std::nullopt;
  return trimmed(line.substr(colon + 1));
}

std::set<std::string_view> words_of(std::string_view text) {
  std::set<std::string_view> words;
  while (!text.empty()) {
    const auto end = text.find(' ');
    if (end != 0) words.insert(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

}  // namespace

std::string read_host_file(const std::filesystem::path& file, std::size_t limit) {
  // O_NONBLOCK: a FIFO in the place of the file must not stop a start.
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return {};
  struct stat status {};
  bool is_good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                 static_cast<std::uint64_t>(status.st_size) <= limit;
  std::string text;
  std::array<char, 16384> piece;
  while (is_good && text.size() <= limit) {  // the kernel's files report size 0: read until the end
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    is_good = got >= 0;
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return is_good && text.size() <= limit ? text : std::string();
}

std::map<std::string, std::string> package_versions(std::string_view status,
                                                    const std::vector<std::string>& names) {
  std::map<std::string, std::string> versions;
  std::string_view package, version;
  bool is_installed = false;
  const auto finish_paragraph = [&] {
    const bool is_wanted = std::find(names.begin(), names.end(), package) != names.end();
    if (is_wanted && is_installed) versions.emplace(package, version);
    package = version = {};
    is_installed = false;
  };
  while (!status.empty()) {
    const std::string_view line = take_line(status);
    if (trimmed(line).empty())
      finish_paragraph();
    else if (const auto name = value_of(line, "Package"))
      package = *name;
    else if (const auto number = value_of(line, "Version"))
      version = *number;
    else if (const auto state = value_of(line, "Status"))
      is_installed = state->ends_with(" installed");
  }
  finish_paragraph();
  return versions;
}

bool is_dotted_digits(std::string_view text) noexcept {
  constexpr std::size_t kLongest = 32;
  return !text.empty() && text.size() <= kLongest &&
         text.find_first_not_of("0123456789.") == std::string_view::npos && text.front() != '.' &&
         text.back() != '.' && text.find("..") == std::string_view::npos;
}

std::string cpu_features_of(std::string_view cpuinfo) {
  std::set<std::string_view> common(kCpuFeatures.begin(), kCpuFeatures.end());
  bool has_any = false;
  while (!cpuinfo.empty()) {
    const std::string_view line = take_line(cpuinfo);
    auto flags = value_of(line, "flags");
    if (!flags) flags = value_of(line, "Features");
    if (!flags) continue;
    has_any = true;
    const auto words = words_of(*flags);  // a thread may move to any core: only what all of them have counts
    std::erase_if(common, [&](std::string_view feature) { return !words.contains(feature); });
  }
  if (!has_any) return {};
  std::string text;
  for (const std::string_view feature : common) text.append(text.empty() ? "" : " ").append(feature);
  return text;
}

}  // namespace skua
