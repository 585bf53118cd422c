// Frames from a folder or a replay file, in place of a camera.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "image/image_file.h"

namespace skua::flight {

/// The files of a flight, in their order; at most a million. One thread.
class FrameSource {
 public:
  /// A folder: every .jpg, .jpeg and .png of it (upper case, too), sorted by name; hidden files and what is
  /// no regular file are left out, links are followed. Any other regular file is a replay file: one path a
  /// line, at most 4095 bytes, relative to the file's folder unless it begins with '/'; empty lines and lines
  /// that begin with # are left out. A listed file that is missing or damaged is no error here: its frame is
  /// dropped when its turn comes. Errors: InvalidArgumentError naming the place: not_found (also of a folder
  /// or list without a frame), not_regular_file, permission_denied, malformed with the line, too_large,
  /// io_error.
  static Result<FrameSource> open(const std::filesystem::path& place);

  std::size_t size() const noexcept { return files_.size(); }  ///< at least 1
  /// The file of frame `number`, as the folder or list has it; the list begins again at its end. Valid while
  /// this object lives.
  std::string_view name(std::uint64_t number) const noexcept { return entry(number).name; }
  const std::filesystem::path& path(std::uint64_t number) const noexcept { return entry(number).path; }
  /// Reads and decodes frame `number` into image(); the error is the frame's alone (read_image's reasons). A
  /// frame of another size than `width` x `height` is InvalidArgumentError (shape_mismatch), found out before
  /// it is decoded.
  /// Cost: the first call of a size allocates, later ones do not unless they fail; what libjpeg and libpng
  /// allocate inside is theirs. Blocks on the disk.
  Status read(std::uint64_t number, int width, int height, int channels);
  const Image& image() const noexcept { return image_; }  ///< empty after an error

 private:
  struct File {
    std::string name;
    std::filesystem::path path;  ///< whole: joining the two for each frame would allocate
  };
  explicit FrameSource(std::vector<File> files);
  const File& entry(std::uint64_t number) const noexcept { return files_[number % files_.size()]; }
  static Result<std::vector<File>> list_folder(const std::filesystem::path& folder);
  static Result<std::vector<File>> read_list(const std::filesystem::path& file);

  std::vector<File> files_;
  std::vector<std::byte> buffer_;
  Image image_;
};

}  // namespace skua::flight
