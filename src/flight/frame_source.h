// Frames from a folder or a replay file, in place of a camera.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "flight/image_file.h"

namespace skua::flight {

/// The files of a flight, in their order: of a folder, every .jpg, .jpeg and .png sorted by name; of a replay
/// file (any other file), one path a line, relative to the file's folder, empty lines and lines that begin
/// with # left out. InvalidArgumentError: not_found; malformed naming the line; an empty folder or list is
/// refused with what was expected. A listed file that is missing or damaged is no error here: its frame is
/// dropped when its turn comes.
class FrameSource {
 public:
  static Result<FrameSource> open(const std::filesystem::path& place);

  std::size_t size() const noexcept { return files_.size(); }
  /// The file of frame `number`; the list begins again at its end.
  std::string_view name(std::uint64_t number) const noexcept;
  /// Decodes frame `number` into image(); the error is the frame's alone. A frame of another size than
  /// `width` x `height` is InvalidArgumentError (shape_mismatch). Reuses its buffers; what libjpeg and libpng
  /// allocate inside is theirs.
  Status read(std::uint64_t number, int width, int height, int channels);
  const Image& image() const noexcept { return image_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> files_;
  std::vector<std::byte> buffer_;
  Image image_;
};

}  // namespace skua::flight
