// Small helpers for reading and composing text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skua {

/// Decimal digits with an optional minus, nothing else; nothing when the text is anything else or does not
/// fit.
std::optional<std::int64_t> parse_int64(std::string_view text) noexcept;
std::optional<std::uint64_t> parse_uint64(std::string_view text) noexcept;
/// A finite decimal number, nothing else.
std::optional<double> parse_double(std::string_view text) noexcept;
/// The shortest text that reads back as the same number.
std::string print_double(double value);
/// "a, b, c"; "none" for an empty list.
std::string join(std::span<const std::string_view> parts);
std::string join(const std::vector<std::string>& parts);
/// Foreign text as it may be shown: shortened when it is long, control and non-ASCII bytes as `?`, so that it
/// cannot forge lines in a log or speak to a terminal.
std::string printable(std::string_view text, std::size_t max_shown = 80);
/// The same in quotation marks.
std::string quote(std::string_view text, std::size_t max_shown = 80);
std::string_view trimmed(std::string_view text) noexcept;

}  // namespace skua
