// The embedded flight recorder: a folder of segment files (docs/formats/flight-recorder.md), bounded in size,
// that loses nothing it has synced, whatever cuts it. Threading: open() anywhere, all else on the event
// thread alone.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/filesystem.h"
#include "events/recorder_format.h"
#include "events/recorder_reader.h"
#include "events/segment_file.h"
#include "skua/flight_recorder.h"
#include "skua/ports.h"

namespace skua {

inline constexpr std::uint64_t kMinSegmentBytes = 128U << 10U;

struct FileRecorderOptions {
  std::filesystem::path folder;  ///< made when it alone is missing; links are not followed
  /// All segments together never have more, each counted as at least 4 KiB, the block of a disk; the oldest
  /// go first. At least two segments.
  std::uint64_t limit_bytes = std::uint64_t{64} << 20U;
  /// One segment; kMinSegmentBytes to kMaxSegmentBytes. 0: limit_bytes / 8, within these bounds.
  std::uint64_t segment_bytes = 0;
  /// Between two fdatasync calls; 0: every flush() that has something to sync.
  std::int64_t sync_interval_ns = 0;
  const Clock* clock = &system_clock();      ///< must outlive the recorder, as the next two
  FileSystem* files = &posix_file_system();  ///< all but the segment that is written
  SegmentCalls calls = posix_segment_calls();
};

class FileRecorder final : public FlightRecorder {
 public:
  /// Takes the folder's lock, and begins a new segment behind the highest number there is: what earlier
  /// starts left, whole or damaged, is never changed, only removed when it is the oldest. A full disk is no
  /// error: the recorder waits for room, and last_problem() says so. Errors: kInvalidArgument (options);
  /// kFolderBusy (another recorder has it); as Folder's functions. Blocks as the disk does.
  static Result<std::unique_ptr<FileRecorder>> open(FileRecorderOptions options);
  /// Syncs, and releases the folder.
  ~FileRecorder() override;

  std::string_view name() const noexcept override { return "flight recorder"; }
  /// Writes one frame, so that it outlives this process once record() returned; only flush() makes it outlive
  /// the machine. Where that fails it tries what may help at once (another segment, removing the oldest one);
  /// else the record is lost and the next one tries anew. Allocates; blocks for one write, at a new segment
  /// also for two syncs.
  void record(const FlightRecord& record) noexcept override;
  /// Syncs what was written, as the interval allows. Records whose sync failed count as lost, though some may
  /// be read later; so do those in a segment that somebody removed.
  void flush() noexcept override;
  std::uint64_t lost_count() const noexcept override { return lost_; }
  /// Why the last record was lost; empty again once a later one was synced.
  std::string last_problem() const override { return problem_; }

 private:
  explicit FileRecorder(FileRecorderOptions options);
  Status attach();
  Result<std::unique_ptr<Folder>> open_or_make_folder();
  Status begin_segment();
  Result<SegmentFile> create_segment();
  Status start_segment(SegmentFile& file);
  void end_segment();
  bool drop_unlinked();
  Status remove_oldest();
  Status write(std::string_view frame);
  bool may_retry(const Error& error);
  void lose(std::uint64_t count, const Error& error);

  FileRecorderOptions options_;
  std::unique_ptr<Folder> folder_;
  std::deque<SegmentEntry> closed_;  ///< regular ones, oldest first
  std::uint64_t closed_bytes_ = 0;
  std::uint32_t next_number_ = 1;
  std::optional<SegmentFile> segment_;
  SegmentEntry current_;
  std::uint64_t in_segment_ = 0;  ///< records in it
  std::uint64_t unsynced_ = 0;    ///< of these
  std::int64_t last_sync_ns_ = 0;
  bool has_made_room_ = false;  ///< since the last good write: evidence is not given up twice for nothing
  std::string frame_;
  std::uint64_t lost_ = 0;
  std::string problem_;
};

}  // namespace skua
