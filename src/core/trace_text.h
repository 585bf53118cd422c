// The lines of a trace, each in place: no allocation, no exception. docs/formats/trace.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/trace.h"

namespace skua {

/// Where every line of one trace comes from.
struct TraceOrigin {
  int process = 0;
  int thread = 0;  ///< the writer's
};

/// One JSON object and the comma in front of it, but for the first.
class TraceLine {
 public:
  static TraceLine begin_of(const TraceOrigin& origin, std::string_view process_name);
  static TraceLine begun(const TraceOrigin& origin, std::int64_t now_ns, std::int64_t utc_us);
  static TraceLine of(const TraceOrigin& origin, const TraceRecord& record);
  static TraceLine thread_name(const TraceOrigin& origin, const TraceRecord& record);
  static TraceLine lost(const TraceOrigin& origin, std::int64_t now_ns, std::uint64_t count);
  /// The last; behind it the array is whole.
  static TraceLine ended(const TraceOrigin& origin, std::int64_t now_ns, std::uint64_t written,
                         std::uint64_t lost);
  std::string_view text() const noexcept { return {text_.data(), size_}; }

  /// No line is longer, whatever its texts hold.
  static constexpr std::size_t kMostBytes = 1024;

 private:
  [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) noexcept;
  void add_text(std::string_view text) noexcept;
  void add_instant(const TraceOrigin& origin, const char* name, std::int64_t now_ns) noexcept;
  void add_span(const TraceOrigin& origin, const TraceRecord& record) noexcept;
  void add_arguments(const TraceRecord& record) noexcept;

  std::array<char, kMostBytes> text_{};
  std::size_t size_ = 0;
};

}  // namespace skua
