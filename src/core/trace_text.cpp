#include "core/trace_text.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "core/trace_session.h"

namespace skua {
namespace {

constexpr std::int64_t kNsPerUs = 1000;

std::string_view text_of(const char* characters, std::size_t size) noexcept {
  return {characters, static_cast<std::size_t>(std::find(characters, characters + size, '\0') - characters)};
}

}  // namespace

void TraceLine::add(const char* format, ...) noexcept {
  std::va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(text_.data() + size_, text_.size() - size_, format, arguments);
  va_end(arguments);
  if (length > 0) size_ = std::min(size_ + static_cast<std::size_t>(length), text_.size() - 1);
}

/// A name may hold anything: what is not plain ASCII becomes \u00XX, byte by byte.
void TraceLine::add_text(std::string_view text) noexcept {
  add("\"");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
    is_plain ? add("%c", c) : add("\\u%04x", byte);
  }
  add("\"");
}

/// Microseconds are the format's unit; the decimals keep the nanoseconds.
void TraceLine::add_instant(const TraceOrigin& origin, const char* name, std::int64_t now_ns) noexcept {
  add(",\n{\"name\":\"%s\",\"cat\":\"trace\",\"ph\":\"i\",\"s\":\"g\",\"ts\":%" PRId64 ".%03" PRId64
      ",\"pid\":%d,\"tid\":%d,\"args\":",
      name, now_ns / kNsPerUs, now_ns % kNsPerUs, origin.process, origin.thread);
}

TraceLine TraceLine::begin_of(const TraceOrigin& origin, std::string_view process_name) {
  TraceLine line;
  line.add("[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":",
           origin.process, origin.thread);
  line.add_text(process_name.substr(0, 64));
  line.add("}}");
  return line;
}

TraceLine TraceLine::begun(const TraceOrigin& origin, std::int64_t now_ns, std::int64_t utc_us) {
  TraceLine line;
  line.add_instant(origin, "trace_begun", now_ns);
  line.add("{\"format\":\"skua.trace\",\"version\":%d,\"utc_us\":%" PRId64 "}}", TraceSession::kFormatVersion,
           utc_us);
  return line;
}

TraceLine TraceLine::lost(const TraceOrigin& origin, std::int64_t now_ns, std::uint64_t count) {
  TraceLine line;
  line.add_instant(origin, "spans_lost", now_ns);
  line.add("{\"count\":%" PRIu64 "}}", count);
  return line;
}

TraceLine TraceLine::ended(const TraceOrigin& origin, std::int64_t now_ns, std::uint64_t written,
                           std::uint64_t lost) {
  TraceLine line;
  line.add_instant(origin, "trace_ended", now_ns);
  line.add("{\"spans\":%" PRIu64 ",\"lost\":%" PRIu64 "}}\n]\n", written, lost);
  return line;
}

TraceLine TraceLine::of(const TraceOrigin& origin, const TraceRecord& record) {
  TraceLine line;
  line.add_span(origin, record);
  return line;
}

TraceLine TraceLine::thread_name(const TraceOrigin& origin, const TraceRecord& record) {
  TraceLine line;
  line.add(",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":",
           origin.process, record.thread);
  line.add_text(text_of(record.thread_name.data(), record.thread_name.size()));
  line.add("}}");
  return line;
}

void TraceLine::add_span(const TraceOrigin& origin, const TraceRecord& record) noexcept {
  const std::int64_t took_ns = std::max<std::int64_t>(record.end_ns - record.begin_ns, 0);
  add(",\n{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%" PRId64 ".%03" PRId64 ",\"dur\":%" PRId64
      ".%03" PRId64 ",\"pid\":%d,\"tid\":%d",
      to_string(record.kind).data(), category_of(record.kind).data(), record.begin_ns / kNsPerUs,
      record.begin_ns % kNsPerUs, took_ns / kNsPerUs, took_ns % kNsPerUs, origin.process, record.thread);
  add_arguments(record);
  add("}");
}

void TraceLine::add_arguments(const TraceRecord& record) noexcept {
  const std::string_view model = text_of(record.model.data(), record.model.size());
  const std::string_view lane = text_of(record.lane.data(), record.lane.size());
  bool is_empty = true;
  const auto key = [&](const char* name) {
    add("%s\"%s\":", is_empty ? ",\"args\":{" : ",", name);
    is_empty = false;
  };
  if (!model.empty()) key("model"), add_text(model);
  if (!lane.empty()) key("lane"), add_text(lane);
  if (record.frame != kNoFrame) key("frame"), add("%" PRIu64, record.frame);
  if (record.reason != Reason::kNone) key("reason"), add_text(to_string(record.reason));
  if (!is_empty) add("}");
}

}  // namespace skua
