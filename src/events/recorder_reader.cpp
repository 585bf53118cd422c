#include "events/recorder_reader.h"

#include <algorithm>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kLongestPath = 4096;

Error unreadable(Reason reason, const Folder& folder, std::string_view name, std::string_view what) {
  return make_error(ErrorCode::kIo, reason,
                    quote((folder.path() / name).string(), kLongestPath) + std::string(what));
}

}  // namespace

Result<std::vector<SegmentEntry>> list_segments(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const auto names, folder.list());
  std::vector<SegmentEntry> segments;
  for (const std::string& name : names) {  // sorted, and the digits have one width
    const auto number = parse_segment_name(name);
    if (!number) continue;
    const auto info = folder.info(name);
    if (!info.ok() && info.error().reason == Reason::kNotFound) continue;
    SKUA_RETURN_IF_ERROR(info.ok() ? Status() : Status(info.error()));
    segments.push_back({*number, name, info->size, info->kind == FileKind::kRegular});
  }
  return segments;
}

Result<std::string> read_segment(Folder& folder, std::string_view name) {
  SKUA_ASSIGN_OR_RETURN(const auto file, folder.open_read(name));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, file->info());
  if (info.kind != FileKind::kRegular) {
    return unreadable(Reason::kNotRegularFile, folder, name,
                      " is a folder or a device; expected a segment file of the flight recorder");
  }
  if (info.size > kMaxSegmentBytes) {
    return unreadable(Reason::kTooLarge, folder, name,
                      " has " + std::to_string(info.size) + " bytes; a segment has at most " +
                          std::to_string(kMaxSegmentBytes));
  }
  std::string bytes(static_cast<std::size_t>(info.size), '\0');
  SKUA_ASSIGN_OR_RETURN(const std::size_t got, file->read(std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}

}  // namespace skua
