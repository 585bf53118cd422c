#include "core/text.h"

#include <charconv>
#include <cmath>

namespace skua {
namespace {

template <typename T>
std::optional<T> parse_whole(std::string_view text) noexcept {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

template <typename Range>
std::string join_range(const Range& parts) {
  if (parts.empty()) return "none";
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

}  // namespace

std::optional<std::int64_t> parse_int64(std::string_view text) noexcept {
  return parse_whole<std::int64_t>(text);
}

std::optional<std::uint64_t> parse_uint64(std::string_view text) noexcept {
  return parse_whole<std::uint64_t>(text);
}

std::optional<double> parse_double(std::string_view text) noexcept {
  const auto value = parse_whole<double>(text);
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return value;
}

std::string print_double(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc{} ? std::string(text, end) : std::string();
}

std::string join(std::span<const std::string_view> parts) { return join_range(parts); }

std::string join(const std::vector<std::string>& parts) { return join_range(parts); }

std::string printable(std::string_view text, std::size_t max_shown) {
  std::string shown;
  for (const char c : text.substr(0, max_shown)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  if (text.size() > max_shown) shown += "...";
  return shown;
}

std::string quote(std::string_view text, std::size_t max_shown) {
  return "'" + printable(text, max_shown) + "'";
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace skua
