// Text from outside (file names, SDK messages) made harmless for a log line or a terminal. Stateless.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skua {

/// Longest text, in bytes of the source, that one message or value of a log line keeps.
inline constexpr std::size_t kLogTextLimit = 2048;

/// Appends `text` as a quoted JSON string. Control characters (C0, 0x7f, C1), the line separators U+2028/9
/// and the bidirectional controls become \uXXXX; bytes that are no UTF-8 become U+FFFD. Text beyond `limit`
/// source bytes is cut between two characters and ends in "...".
void append_json_string(std::string& out, std::string_view text, std::size_t limit = kLogTextLimit);

/// `text` as one line of plain text for a terminal: the same characters are escaped, so no file name can move
/// the cursor or start a line of its own. Quotes and backslashes stay. Not cut.
std::string printable_text(std::string_view text);

}  // namespace skua
