#include "image/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "core/descriptor.h"
#include "core/posix_error.h"
#include "core/text.h"
#include "image/image_decoders.h"

namespace skua {
namespace {

constexpr std::size_t kMostFileBytes = std::size_t{64} << 20U;
constexpr std::size_t kLongestPath = 4096;

Error invalid(Reason reason, std::string message, int native_code = 0) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message), native_code);
}

std::string size_text(std::uint64_t width, std::uint64_t height) {
  return std::to_string(width) + " x " + std::to_string(height) + " pixels";
}

void empty(Image& image) noexcept {
  image.width = image.height = image.channels = 0;
  image.pixels.clear();
}

Status decode(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits) {
  if (channels != 1 && channels != 3) {
    return invalid(Reason::kInvalidArgument, "a picture of " + std::to_string(channels) +
                                                 " channels was asked for; expected 1 (gray) or 3 (RGB)");
  }
  if (is_jpeg(file)) return decode_jpeg(file, channels, image, limits);
  if (is_png(file)) return decode_png(file, channels, image, limits);
  return invalid(Reason::kFrameUnreadable,
                 file.empty() ? "the picture has no bytes; expected a JPEG or PNG file"
                              : "the bytes begin like neither a JPEG nor a PNG file; convert the picture");
}

Error system_error(std::string_view operation, const std::filesystem::path& file) {
  const int error_number = errno;
  Error cause = posix_error(operation, file.native(), error_number);
  return invalid(cause.reason, std::move(cause.message), error_number);
}

Error too_large_file(const std::filesystem::path& file) {
  return invalid(Reason::kTooLarge, "picture " + quote(file.native(), kLongestPath) + " is larger than " +
                                        std::to_string(kMostFileBytes) +
                                        " bytes; expected at most that: store it compressed");
}

Status read_all(int fd, const std::filesystem::path& file, std::vector<std::byte>& buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = ::read(fd, buffer.data() + filled, buffer.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("reading picture", file);
    if (got == 0) break;  // it has become shorter; the decoder finds the end missing
    filled += static_cast<std::size_t>(got);
  }
  buffer.resize(filled);
  return {};
}

Status read_file(const std::filesystem::path& file, std::vector<std::byte>& buffer) {
  buffer.clear();
  // O_NONBLOCK: a FIFO in the place of a frame must not stop the loop.
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) return system_error("opening picture", file);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error("looking at picture", file);
  if (!S_ISREG(status.st_mode)) {
    return invalid(Reason::kNotRegularFile, "picture " + quote(file.native(), kLongestPath) +
                                                " is a folder, FIFO or device; expected a regular file");
  }
  if (static_cast<std::uint64_t>(status.st_size) > kMostFileBytes) return too_large_file(file);
  buffer.resize(static_cast<std::size_t>(status.st_size));
  return read_all(fd.get(), file, buffer);
}

}  // namespace

Status make_room(std::uint64_t width, std::uint64_t height, int channels, Image& image,
                 const ImageLimits& limits) {
  if ((limits.width != 0 && width != static_cast<std::uint64_t>(limits.width)) ||
      (limits.height != 0 && height != static_cast<std::uint64_t>(limits.height))) {
    return invalid(Reason::kShapeMismatch, "the picture has " + size_text(width, height) + "; expected " +
                                               size_text(static_cast<std::uint64_t>(limits.width),
                                                         static_cast<std::uint64_t>(limits.height)));
  }
  const auto side = static_cast<std::uint64_t>(limits.max_side);
  if (width == 0 || height == 0) return unreadable("picture", "it has no pixels");
  if (width > side || height > side || width * height > limits.max_bytes / static_cast<unsigned>(channels)) {
    return invalid(Reason::kTooLarge, "the picture's header says " + size_text(width, height) +
                                          "; expected at most " + std::to_string(side) + " a side and " +
                                          std::to_string(limits.max_bytes) + " bytes decoded");
  }
  image.pixels.resize(static_cast<std::size_t>(width * height) * static_cast<std::size_t>(channels));
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  image.channels = channels;
  return {};
}

Error unreadable(std::string_view kind, std::string_view what) {
  return invalid(Reason::kFrameUnreadable, "the " + std::string(kind) +
                                               " cannot be decoded: " + quote(what, 200) +
                                               "; expected a whole, undamaged file: copy or record it again");
}

Status decode_image(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits) {
  empty(image);
  try {
    Status status = decode(file, channels, image, limits);
    if (!status.ok()) empty(image);
    return status;
  } catch (const std::bad_alloc&) {
    empty(image);
    return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  }
}

Status read_image(const std::filesystem::path& file, int channels, std::vector<std::byte>& buffer,
                  Image& image, const ImageLimits& limits) {
  empty(image);
  try {
    SKUA_RETURN_IF_ERROR(read_file(file, buffer));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  }
  Status status = decode_image(buffer, channels, image, limits);
  if (status.ok() || status.error().code != ErrorCode::kInvalidArgument) return status;
  Error error = std::move(status).error();
  error.message.insert(0, "picture " + quote(file.native(), kLongestPath) + ": ");
  return error;
}

}  // namespace skua
