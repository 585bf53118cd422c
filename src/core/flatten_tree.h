// Trees of folders that somebody has made to be hard to remove.
#pragma once

#include <filesystem>

namespace skua {

/// Makes a tree removable by plain means, however deep it is and whatever the modes of its folders: each may
/// be entered and written to by its owner, and none lies deeper than directly in `folder`. Follows no link;
/// holds two descriptors. Nobody else may be writing there. False: not a folder, or not ours to change. Cost:
/// a few system calls an entry.
bool flatten_tree(const std::filesystem::path& folder) noexcept;

}  // namespace skua
