// Finding and reading the recorder's segments. Reads only, takes no lock: works while the recorder writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/filesystem.h"
#include "events/recorder_format.h"

namespace skua {

struct SegmentEntry {
  std::uint32_t number = 0;
  std::string name;
  std::uint64_t size = 0;
  bool is_regular = false;  ///< anything else bears the name of a segment and is none
};

/// Everything in the folder whose name is a segment's, by number. Other names are left aside; a segment that
/// is removed meanwhile may be missing. Errors: as Folder::list and Folder::info.
Result<std::vector<SegmentEntry>> list_segments(Folder& folder);

/// All bytes that the file has when it is read; one that grows gives a prefix. At most kMaxSegmentBytes.
/// Errors: as Folder::open_read; kNotRegularFile; kTooLarge.
Result<std::string> read_segment(Folder& folder, std::string_view name);

}  // namespace skua
