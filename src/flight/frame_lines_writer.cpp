#include "flight/frame_lines_writer.h"

#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "core/output_file.h"

namespace skua::flight {
namespace {

constexpr double kNsPerMs = 1e6;

/// Text that is put together in place; what does not fit makes the line bad.
class Line {
 public:
  [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text_.data() + size_, text_.size() - size_, format, arguments);
    va_end(arguments);
    size_ += length < 0 ? text_.size() : static_cast<std::size_t>(length);
    if (size_ >= text_.size()) size_ = text_.size() - 1, is_cut_ = true;
  }
  /// A JSON string. File names may hold anything: what is not plain ASCII becomes \u00XX, byte by byte.
  void add_text(const char* key, std::string_view text) noexcept {
    add("\"%s\":\"", key);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
      is_plain ? add("%c", c) : add("\\u%04x", byte);
    }
    add("\"");
  }
  bool is_whole() const noexcept { return !is_cut_; }
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 2048> text_{};
  std::size_t size_ = 0;
  bool is_cut_ = false;
};

void add_position(const FrameResult& result, std::string_view tile, Line& line) noexcept {
  line.add(",");
  line.add_text("tile", tile);
  line.add(",\"x\":%.3f,\"y\":%.3f", result.position[0], result.position[1]);
  // A deviation that is not finite has no JSON number.
  const bool is_finite = result.deviation[0] < 1e9 && result.deviation[1] < 1e9;
  if (is_finite) line.add(",\"sigma_x\":%.4f,\"sigma_y\":%.4f", result.deviation[0], result.deviation[1]);
  line.add(",\"covariance\":\"%s\",\"matches\":%zu,\"inliers\":%zu,\"refined\":%s",
           to_string(result.covariance), result.matches, result.inliers,
           result.is_refined ? "true" : "false");
}

}  // namespace

Result<FrameLinesWriter> FrameLinesWriter::open(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(Descriptor opened, open_output("--frame-lines", file));
  return FrameLinesWriter(std::move(opened));
}

bool FrameLinesWriter::append(std::string_view line) noexcept {
  const ssize_t written = ::write(file_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return true;
  // A full disk takes a part: what it took goes, or the next line would be glued to it.
  const int fd = file_.get();
  if (written > 0) static_cast<void>(!::ftruncate(fd, ::lseek(fd, -static_cast<off_t>(written), SEEK_CUR)));
  return false;
}

void FrameLinesWriter::write(const FrameResult& result, std::string_view picture,
                             std::string_view tile) noexcept {
  Line line;
  line.add("{\"frame\":%llu,", static_cast<unsigned long long>(result.frame));
  line.add_text("picture", picture);
  line.add(",\"k\":%d,\"throttled\":%s", result.candidates, result.is_throttled ? "true" : "false");
  if (result.has_position()) {
    add_position(result, tile, line);
  } else {
    line.add(",\"reason\":\"%s\",\"stage\":\"%s\"", std::string_view(to_string(result.reason)).data(),
             to_string(result.failed_stage).data());
  }
  line.add(",\"after_due_ms\":%.3f,\"ms\":{", static_cast<double>(result.after_due_ns) / kNsPerMs);
  for (std::size_t i = 0; i < kStages; ++i) {
    line.add("%s\"%s\":%.3f", i == 0 ? "" : ",", to_string(static_cast<Stage>(i)).data(),
             static_cast<double>(result.took_ns[i]) / kNsPerMs);
  }
  line.add("}}\n");
  if (!line.is_whole() || !append(line.text())) ++lost_;
}

}  // namespace skua::flight
