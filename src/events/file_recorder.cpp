#include "events/file_recorder.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/text.h"
#include "events/flight_record_json.h"

namespace skua {
namespace {

constexpr std::size_t kLongestPath = 4096;

Error invalid(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

/// "recorder/" names the folder itself.
std::filesystem::path without_slash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

Status complete(FileRecorderOptions& options) {
  options.folder = without_slash(options.folder);
  if (options.segment_bytes == 0) {
    options.segment_bytes =
        std::clamp<std::uint64_t>(options.limit_bytes / 8, kMinSegmentBytes, kMaxSegmentBytes);
  }
  const bool is_good = options.segment_bytes >= kMinSegmentBytes &&
                       options.segment_bytes <= kMaxSegmentBytes &&
                       options.limit_bytes / 2 >= options.segment_bytes && options.sync_interval_ns >= 0;
  if (is_good) return {};
  return invalid("flight recorder: segment_bytes is " + std::to_string(options.segment_bytes) +
                 ", limit_bytes " + std::to_string(options.limit_bytes) + ", sync_interval_ns " +
                 std::to_string(options.sync_interval_ns) + "; expected segments of " +
                 std::to_string(kMinSegmentBytes) + " to " + std::to_string(kMaxSegmentBytes) +
                 " bytes, a limit of at least two segments, and no negative interval");
}

/// Linux's random id of this boot (proc(5)); zeros where it cannot be had.
std::array<std::uint8_t, 16> boot_id(FileSystem& files) {
  std::array<std::uint8_t, 16> id{};
  std::string text(36, '\0');
  const auto folder = files.open_folder("/proc/sys/kernel/random");
  auto file =
      folder.ok() ? (*folder)->open_read("boot_id") : Result<std::unique_ptr<ReadFile>>(folder.error());
  if (!file.ok() || !(*file)->read(std::as_writable_bytes(std::span(text))).ok()) return id;
  text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
  const auto digit_of = [](char c) { return std::string_view("0123456789abcdef").find(c); };
  for (std::size_t i = 0; i < id.size(); ++i) {
    const std::size_t high = 2 * i < text.size() ? digit_of(text[2 * i]) : std::string_view::npos;
    const std::size_t low = 2 * i + 1 < text.size() ? digit_of(text[2 * i + 1]) : std::string_view::npos;
    if (high > 15 || low > 15) return {};
    id[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  return id;
}

/// A file takes whole blocks: so many small ones would otherwise fill the disk that the limit protects.
std::uint64_t disk_bytes(std::uint64_t file_bytes) noexcept {
  constexpr std::uint64_t kBlock = 4096;
  return std::max(file_bytes, kBlock);
}

bool is_full(const Error& error) noexcept {
  return error.native_code == ENOSPC || error.native_code == EDQUOT;
}

}  // namespace

FileRecorder::FileRecorder(FileRecorderOptions options) : options_(std::move(options)) {
  frame_.reserve(kMaxFrameBytes);
}

Result<std::unique_ptr<FileRecorder>> FileRecorder::open(FileRecorderOptions options) {
  SKUA_RETURN_IF_ERROR(complete(options));
  std::unique_ptr<FileRecorder> recorder(new FileRecorder(std::move(options)));
  Status status = recorder->begin_segment();
  if (!status.ok() && recorder->may_retry(status.error())) status = recorder->begin_segment();
  if (!status.ok() && !is_full(status.error())) return std::move(status).error();
  if (!status.ok()) recorder->lose(0, status.error());
  return recorder;
}

FileRecorder::~FileRecorder() {
  try {
    end_segment();
  } catch (...) {
    // Out of memory while counting what was lost: nobody is left to be told.
  }
}

void FileRecorder::record(const FlightRecord& record) noexcept {
  try {
    frame_.clear();
    append_frame(frame_, encode_flight_record(record));
    Status status = write(frame_);
    if (!status.ok() && may_retry(status.error())) status = write(frame_);
    if (!status.ok()) lose(1, status.error());
  } catch (...) {
    ++lost_;  // out of memory; the text of the last problem stays
  }
}

void FileRecorder::flush() noexcept {
  try {
    if (!segment_ || drop_unlinked() || unsynced_ == 0) return;
    const std::int64_t now_ns = options_.clock->monotonic_ns();
    if (now_ns - last_sync_ns_ < options_.sync_interval_ns) return;
    last_sync_ns_ = now_ns;
    const Status status = segment_->sync();
    const std::uint64_t count = std::exchange(unsynced_, 0);
    if (status.ok()) return problem_.clear();  // whoever listens has been told: it works again
    lose(count, status.error());
    in_segment_ -= count;  // should it be gone as well, they do not count twice
    end_segment();
  } catch (...) {
    ++lost_;
  }
}

Status FileRecorder::write(std::string_view frame) {
  if (segment_ && segment_->size() + frame.size() > options_.segment_bytes) end_segment();
  if (!segment_) SKUA_RETURN_IF_ERROR(begin_segment());
  Status status = segment_->append(frame);
  if (status.ok()) {
    ++in_segment_;
    ++unsynced_;
    has_made_room_ = false;
    return status;
  }
  // A disk that is full gets room again, and the segment goes on; any other error is not met there twice.
  if (segment_->is_torn() || !is_full(status.error())) end_segment();
  return status;
}

/// Whether a second attempt at once may succeed; makes room for it where the disk is full. The last segment
/// that holds anything is never given up for one more record.
bool FileRecorder::may_retry(const Error& error) {
  if (!is_full(error)) return error.native_code == EIO || error.native_code == EFBIG;
  if (closed_.size() < (segment_ ? 1U : 2U) || std::exchange(has_made_room_, true)) return false;
  return remove_oldest().ok();
}

void FileRecorder::lose(std::uint64_t count, const Error& error) {
  lost_ += count;
  problem_ = error.message;
}

/// Opens the folder at the path, made anew where it is missing, and looks at what is there. Returns at once
/// when it is the folder we have.
Status FileRecorder::attach() {
  SKUA_ASSIGN_OR_RETURN(auto folder, open_or_make_folder());
  SKUA_ASSIGN_OR_RETURN(const FileInfo now, folder->info());
  if (folder_) {
    SKUA_ASSIGN_OR_RETURN(const FileInfo before, folder_->info());
    if (before.device == now.device && before.inode == now.inode) return {};
  }
  SKUA_RETURN_IF_ERROR(folder->lock());
  SKUA_ASSIGN_OR_RETURN(const auto segments, list_segments(*folder));
  closed_.clear();
  closed_bytes_ = 0;
  for (const SegmentEntry& segment : segments) {
    next_number_ = std::max(next_number_, segment.number + 1);
    if (!segment.is_regular) continue;  // not ours: neither read nor removed
    closed_.push_back(segment);
    closed_bytes_ += disk_bytes(segment.size);
  }
  folder_ = std::move(folder);
  return {};
}

Result<std::unique_ptr<Folder>> FileRecorder::open_or_make_folder() {
  auto folder = options_.files->open_folder(options_.folder);
  if (folder.ok() || folder.error().reason != Reason::kNotFound) return folder;
  const auto parent = options_.folder.parent_path();
  SKUA_ASSIGN_OR_RETURN(const auto above, options_.files->open_folder(parent.empty() ? "." : parent));
  SKUA_RETURN_IF_ERROR(above->make_folder(options_.folder.filename().string()));
  SKUA_RETURN_IF_ERROR(above->sync());
  return options_.files->open_folder(options_.folder);
}

Status FileRecorder::begin_segment() {
  SKUA_RETURN_IF_ERROR(attach());
  while (closed_bytes_ + options_.segment_bytes > options_.limit_bytes && !closed_.empty()) {
    SKUA_RETURN_IF_ERROR(remove_oldest());
  }
  SKUA_ASSIGN_OR_RETURN(SegmentFile file, create_segment());
  const Status status = start_segment(file);
  if (!status.ok()) {
    // It holds no record. Left there, a full disk would fill up with empty files.
    const Status removed = folder_->remove(current_.name);
    if (!removed.ok()) next_number_ = current_.number + 1;
    return status;
  }
  next_number_ = current_.number + 1;
  in_segment_ = unsynced_ = 0;
  segment_.emplace(std::move(file));
  return {};
}

Result<SegmentFile> FileRecorder::create_segment() {
  for (;; ++next_number_) {
    if (next_number_ > kMaxSegmentNumber) {
      return make_error(ErrorCode::kIo, Reason::kTooLarge,
                        "flight recorder: " + quote(options_.folder.string(), kLongestPath) +
                            " holds the segment of the highest number, " + std::to_string(kMaxSegmentNumber) +
                            "; move its files elsewhere");
    }
    current_ = {next_number_, segment_name(next_number_), 0, true};
    auto file = SegmentFile::create(options_.folder / current_.name, options_.calls);
    if (file.ok() || file.error().reason != Reason::kExists) return file;
  }
}

Status FileRecorder::start_segment(SegmentFile& file) {
  SegmentHeader header;
  header.number = current_.number;
  header.utc_us = options_.clock->utc_us();
  header.monotonic_ns = options_.clock->monotonic_ns();
  header.boot_id = boot_id(posix_file_system());
  SKUA_RETURN_IF_ERROR(file.append(encode_segment_header(header)));
  return folder_->sync();  // else the name may be gone after a power cut, however well the file was synced
}

/// Syncs what is not yet synced: nobody will come back to this file.
void FileRecorder::end_segment() {
  if (!segment_ || drop_unlinked()) return;
  const Status status = unsynced_ == 0 ? Status() : segment_->sync();
  if (!status.ok()) lose(unsynced_, status.error());
  // A torn piece counts as well; the file never has more than this.
  current_.size = segment_->is_torn() ? options_.segment_bytes : segment_->size();
  closed_bytes_ += disk_bytes(current_.size);
  closed_.push_back(current_);
  segment_.reset();
}

/// A segment that somebody removed takes its records along; the next record begins another one.
bool FileRecorder::drop_unlinked() {
  if (!segment_->is_unlinked()) return false;
  lose(in_segment_,
       make_error(ErrorCode::kIo, Reason::kNotFound,
                  "flight recorder: " + quote((options_.folder / current_.name).string(), kLongestPath) +
                      " was removed while it was written; keep other programs away from it"));
  segment_.reset();
  return true;
}

Status FileRecorder::remove_oldest() {
  const Status status = folder_->remove(closed_.front().name);
  if (!status.ok() && status.error().reason != Reason::kNotFound) return status;
  closed_bytes_ -= disk_bytes(closed_.front().size);
  closed_.pop_front();
  return {};
}

}  // namespace skua
