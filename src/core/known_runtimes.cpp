#include "core/known_runtimes.h"

#include "skua_runtimes.h"

#include <algorithm>
#include <array>

namespace skua {
namespace {

constexpr std::array kKnownRuntimes{SKUA_RUNTIME_ROWS};

}  // namespace

std::span<const KnownRuntime> known_runtimes() noexcept { return kKnownRuntimes; }

const KnownRuntime* find_known_runtime(std::string_view label) noexcept {
  const auto found = std::find_if(kKnownRuntimes.begin(), kKnownRuntimes.end(),
                                  [&](const KnownRuntime& each) { return each.label == label; });
  return found == kKnownRuntimes.end() ? nullptr : &*found;
}

std::vector<std::string_view> engine_options_of(std::string_view label) {
  const KnownRuntime* runtime = find_known_runtime(label);
  std::vector<std::string_view> options;
  std::string_view rest = runtime == nullptr ? std::string_view() : runtime->options;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    options.push_back(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return options;
}

bool is_engine_extension(std::string_view extension) noexcept {
  return std::any_of(kKnownRuntimes.begin(), kKnownRuntimes.end(),
                     [&](const KnownRuntime& each) { return each.engine_extension == extension; });
}

}  // namespace skua
