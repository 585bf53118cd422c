#include "flight/frame_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/filesystem.h"
#include "core/posix_error.h"
#include "core/text.h"

namespace skua::flight {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFrames = 1'000'000;
constexpr std::size_t kMostListBytes = std::size_t{64} << 20U;
constexpr std::size_t kLongestPath = 4095;                           // PATH_MAX without its NUL
constexpr std::uintmax_t kMostReserved = std::uintmax_t{64} << 20U;  // read_image takes no more

Error invalid(Reason reason, std::string message, int native_code = 0) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message), native_code);
}

std::string shown(const fs::path& path) { return quote(path.native(), kLongestPath); }

Error system_error(std::string_view operation, const fs::path& place, std::error_code code) {
  Error cause = posix_error(operation, place.native(), code.value());
  return invalid(cause.reason, std::move(cause.message), code.value());
}

Error no_frames(const fs::path& place, std::string_view expected) {
  return invalid(Reason::kNotFound,
                 "frames: " + shown(place) + " has no frame; expected " + std::string(expected));
}

Error too_many(const fs::path& place) {
  return invalid(Reason::kTooLarge, "frames: " + shown(place) + " has more than " +
                                        std::to_string(kMostFrames) +
                                        " frames; expected at most that: split the flight");
}

bool is_picture_name(const fs::path& name) {
  if (name.native().starts_with('.')) return false;
  std::string ending = name.extension().string();
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  constexpr std::array<std::string_view, 3> kEndings = {".jpg", ".jpeg", ".png"};
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

// Follows links. The system answers from the folder's entry or by stat: nothing is opened, no FIFO blocks.
bool is_regular(const fs::directory_entry& entry) {
  std::error_code ignored;  // a link that leads nowhere is no regular file
  return entry.is_regular_file(ignored);
}

Error malformed_line(const fs::path& file, std::size_t number, std::string_view what) {
  return invalid(Reason::kMalformed, "replay file " + shown(file) + " line " + std::to_string(number) + " " +
                                         std::string(what) +
                                         "; expected the path of a picture, relative to the file's folder");
}

Result<std::string> read_list_text(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  auto opened = posix_file_system().open_folder(folder);
  if (!opened.ok()) return std::move(opened).error();
  return read_text(**opened, file.filename().native(), kMostListBytes);
}

}  // namespace

Result<std::vector<FrameSource::File>> FrameSource::list_folder(const fs::path& folder) {
  std::vector<File> files;
  std::error_code code;
  fs::directory_iterator at(folder, code);
  for (; !code && at != fs::directory_iterator(); at.increment(code)) {
    const fs::path name = at->path().filename();
    if (!is_picture_name(name) || !is_regular(*at)) continue;
    if (files.size() == kMostFrames) return too_many(folder);
    files.push_back({name.string(), at->path()});
  }
  if (code) return system_error("listing frames in folder", folder, code);
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.name < b.name; });
  if (files.empty()) return no_frames(folder, "at least one .jpg, .jpeg or .png file in the folder");
  return files;
}

Result<std::vector<FrameSource::File>> FrameSource::read_list(const fs::path& file) {
  Result<std::string> text = read_list_text(file);
  if (!text.ok()) {
    return invalid(text.error().reason, "replay file: " + text.error().message, text.error().native_code);
  }
  const fs::path folder = file.parent_path();
  std::vector<File> files;
  std::string_view rest = *text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (line.find('\0') != std::string_view::npos) return malformed_line(file, number, "holds a NUL byte");
    if (line.size() > kLongestPath) return malformed_line(file, number, "has more than 4095 bytes");
    if (files.size() == kMostFrames) return too_many(file);
    files.push_back({std::string(line), folder / line});
  }
  if (files.empty()) return no_frames(file, "at least one line with the path of a picture");
  return files;
}

FrameSource::FrameSource(std::vector<File> files) : files_(std::move(files)) {
  // Room for the largest file now, so that a larger frame does not allocate in flight.
  std::uintmax_t largest = 0;
  for (const File& file : files_) {
    std::error_code is_missing;
    const std::uintmax_t size = fs::file_size(file.path, is_missing);
    if (!is_missing && size <= kMostReserved) largest = std::max(largest, size);
  }
  buffer_.reserve(static_cast<std::size_t>(largest));
}

Result<FrameSource> FrameSource::open(const fs::path& place) {
  std::error_code code;
  const fs::file_status status = fs::status(place, code);
  if (status.type() == fs::file_type::not_found) {
    return invalid(Reason::kNotFound, "frames: " + shown(place) +
                                          " does not exist; expected a folder of pictures or a replay file");
  }
  if (code) return system_error("looking at", place, code);
  if (status.type() == fs::file_type::directory) {
    SKUA_ASSIGN_OR_RETURN(std::vector<File> files, list_folder(place));
    return FrameSource(std::move(files));
  }
  if (status.type() != fs::file_type::regular) {
    return invalid(Reason::kNotRegularFile,
                   "frames: " + shown(place) +
                       " is a FIFO, socket or device; expected a folder of pictures or a replay file");
  }
  SKUA_ASSIGN_OR_RETURN(std::vector<File> files, read_list(place));
  return FrameSource(std::move(files));
}

Status FrameSource::read(std::uint64_t number, int width, int height, int channels) {
  const ImageLimits limits{.width = width, .height = height};
  return read_image(entry(number).path, channels, buffer_, image_, limits);
}

}  // namespace skua::flight
