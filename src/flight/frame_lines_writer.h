// One JSON line per frame, for whoever looks at a flight afterwards (--frame-lines).
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "core/descriptor.h"
#include "flight/frame_result.h"
#include "skua/result.h"

namespace skua::flight {

/// Writes between two frames, from the frame loop's thread, through a buffer on the stack: a disk that stands
/// still holds the loop up. For the ground. docs/formats/frame-lines.md.
class FrameLinesWriter {
 public:
  /// Creates or empties `file` (open_output). InvalidArgumentError naming it.
  static Result<FrameLinesWriter> open(const std::filesystem::path& file);

  /// `picture`: the frame's file; `tile`: the tile's name, for a frame with a position. A line that cannot be
  /// written is lost and counted.
  void write(const FrameResult& result, std::string_view picture, std::string_view tile) noexcept;
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  explicit FrameLinesWriter(Descriptor file) noexcept : file_(std::move(file)) {}
  bool append(std::string_view line) noexcept;
  Descriptor file_;
  std::uint64_t lost_ = 0;
};

}  // namespace skua::flight
