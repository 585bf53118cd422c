// What a cut leaves: the file cut at every byte, what a disk leaves behind the last sync, and a process that
// is killed.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "child_process.h"
#include "counts.h"
#include "recorder_testing.h"

namespace skua {
namespace {

using test::bytes_of;
using test::numbered;
using test::opened;
using test::TempFolder;
using ::testing::IsEmpty;

constexpr std::size_t kCutBytes = 256U << 10U;

/// A segment of 256 KiB written by the recorder, with what is known without reading it: where each record
/// ends, and how many records were in it at each sync.
struct Written {
  std::string bytes;
  std::vector<std::string> lines;
  std::vector<std::size_t> ends;
  std::vector<std::size_t> synced;  ///< by number of records: the file's size at the flush behind it
};

Written written_segment(const TempFolder& place) {
  FileRecorderOptions options;
  options.folder = place.path();
  options.limit_bytes = 4U << 20U;
  const auto recorder = opened(options);
  const auto file = place.path() / "segment-00000001.skfr";
  Written written;
  for (std::int64_t i = 0; std::filesystem::file_size(file) < kCutBytes; ++i) {
    FlightRecord record = numbered(i);
    record.payload.emplace_back("more", std::string(static_cast<std::size_t>(i * 37 % 600), 'y'));
    recorder->record(record);
    written.lines.push_back(encode_flight_record(record));
    written.ends.push_back(std::filesystem::file_size(file));
    if (i % 7 == 0) {
      recorder->flush();
      written.synced.push_back(written.ends.back());
    }
  }
  EXPECT_EQ(recorder->lost_count(), 0U);
  written.bytes = place.read("segment-00000001.skfr");
  return written;
}

/// Every cut of the last 4 KiB, the rest spread evenly.
std::vector<std::size_t> cuts_of(std::size_t size, std::size_t count) {
  constexpr std::size_t kTail = 4096;
  std::set<std::size_t> cuts;
  for (std::size_t cut = size - kTail; cut <= size; ++cut) cuts.insert(cut);
  const std::size_t spread = std::min(count, size - kTail);
  for (std::size_t i = 0; i < spread; ++i) cuts.insert(i * (size - kTail) / spread);
  return {cuts.begin(), cuts.end()};
}

/// Nothing, or what is wrong with what was recovered from the first `cut` bytes.
std::string judge_cut(const Written& written, std::size_t cut) {
  const Recovery found = recover(bytes_of(std::string_view(written.bytes).substr(0, cut)));
  const auto whole = static_cast<std::size_t>(
      std::upper_bound(written.ends.begin(), written.ends.end(), cut) - written.ends.begin());
  if (found.frames.size() != whole) return "not every whole record";
  for (std::size_t i = 0; i < whole; ++i) {
    if (found.frames[i].text != written.lines[i]) return "a record is not what was written";
  }
  const std::size_t end = whole > 0                   ? written.ends[whole - 1]
                          : cut < kSegmentHeaderBytes ? 0
                                                      : kSegmentHeaderBytes;
  const bool is_at_end = cut == end && cut >= kSegmentHeaderBytes;
  if (found.damage.size() != (is_at_end ? 0U : 1U)) return "not one damaged range";
  if (is_at_end) return {};
  const DamagedRange& damage = found.damage[0];
  if (damage.from != end || damage.to != cut || damage.kind != DamageKind::kIncompleteTail) {
    return "the range is not the incomplete tail";
  }
  return {};
}

TEST(RecorderCuts, EveryRecordWrittenBeforeTheCutIsRecovered) {
  const TempFolder place;
  const Written written = written_segment(place);
  ASSERT_GE(written.bytes.size(), kCutBytes);
  ASSERT_GT(written.lines.size(), 300U);
  const auto cuts =
      cuts_of(written.bytes.size(), static_cast<std::size_t>(skua_test::count("recorder_cuts")));
  for (const std::size_t cut : cuts) ASSERT_EQ(judge_cut(written, cut), "") << "cut at " << cut;
  std::printf("%zu cuts of %zu bytes with %zu records\n", cuts.size(), written.bytes.size(),
              written.lines.size());
}

/// After a power cut a file may have its new size and not its new bytes: zeros, or what was there before.
TEST(RecorderCuts, WhateverStandsBehindTheLastSyncCostsNoSyncedRecord) {
  const TempFolder place;
  const Written written = written_segment(place);
  std::mt19937_64 random(3);
  for (std::size_t i = 0; i < written.synced.size(); ++i) {
    std::string bytes = written.bytes;
    for (std::size_t at = written.synced[i]; at < bytes.size(); ++at) {
      bytes[at] = i % 2 == 0 ? '\0' : static_cast<char>(random());
    }
    const Recovery found = recover(bytes_of(bytes));
    ASSERT_EQ(found.frames.size(), i * 7 + 1);
    for (std::size_t j = 0; j < found.frames.size(); ++j) ASSERT_EQ(found.frames[j].text, written.lines[j]);
    if (written.synced[i] == bytes.size()) continue;
    ASSERT_EQ(found.damage.size(), 1U);
    EXPECT_EQ(found.damage[0].from, written.synced[i]);
    EXPECT_EQ(found.damage[0].to, bytes.size());
  }
}

/// The control of the tests below: keeps records in memory and writes them when it goes.
class ForgetfulRecorder final : public FlightRecorder {
 public:
  explicit ForgetfulRecorder(std::unique_ptr<FlightRecorder> real) : real_(std::move(real)) {}
  ~ForgetfulRecorder() override {
    for (const FlightRecord& record : records_) real_->record(record);
  }
  std::string_view name() const noexcept override { return "forgetful"; }
  void record(const FlightRecord& record) noexcept override { records_.push_back(record); }

 private:
  std::unique_ptr<FlightRecorder> real_;
  std::vector<FlightRecord> records_;
};

/// Writes and flushes records for ever, and tells the number of each after its flush.
void record_for_ever(FlightRecorder& recorder, int output) {
  for (std::int64_t i = 0;; ++i) {
    recorder.record(numbered(i));
    recorder.flush();
    if (write(output, &i, sizeof i) != sizeof i) _exit(1);
  }
}

/// Kills a recording process after it has told `count` numbers, wherever it is then. How many of all the
/// numbers it had told are not in the folder.
std::size_t missing_after_kill(const std::filesystem::path& folder, std::size_t count, bool is_control) {
  const test::Child child = test::start_child([&](int output) {
    FileRecorderOptions options;
    options.folder = folder;
    options.limit_bytes = 64U << 20U;
    std::unique_ptr<FlightRecorder> recorder = opened(options);
    if (is_control) recorder = std::make_unique<ForgetfulRecorder>(std::move(recorder));
    record_for_ever(*recorder, output);
  });
  std::string told(count * sizeof(std::int64_t), '\0');
  std::size_t got = 0;
  while (got < told.size()) {
    const ssize_t part = read(child.output, told.data() + got, told.size() - got);
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  kill(child.pid, SIGKILL);
  told.resize(got);
  told += test::rest_of(child);
  const auto numbers = test::content_of(folder).numbers;
  std::size_t missing = 0;
  for (std::size_t i = 0; i < told.size() / sizeof(std::int64_t); ++i) {
    missing += i >= numbers.size() || numbers[i] != static_cast<std::int64_t>(i) ? 1U : 0U;
  }
  EXPECT_GE(told.size() / sizeof(std::int64_t), count) << "the child ended early";
  return missing;
}

TEST(RecorderKill, EveryFlushedRecordOutlivesAKilledProcess) {
  std::mt19937_64 random(4);
  const auto kills = skua_test::count("recorder_kills");
  for (std::int64_t i = 0; i < kills; ++i) {
    const TempFolder place;
    ASSERT_EQ(missing_after_kill(place.path(), 1 + random() % 60, false), 0U) << "kill " << i;
  }
}

TEST(RecorderKill, ControlARecorderThatWritesLaterLosesRecords) {
  const TempFolder place;
  EXPECT_GE(missing_after_kill(place.path(), 20, true), 20U);
}

/// A disk that keeps what was synced and nothing else, as a power cut in the worst case does.
class SyncedOnly {
 public:
  SegmentCalls calls() {
    SegmentCalls calls = posix_segment_calls();
    calls.sync = [this](int fd) {
      const auto file = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
      std::ifstream stream(file, std::ios::binary);
      kept_[file].assign(std::istreambuf_iterator<char>(stream), {});
      return 0;
    };
    return calls;
  }
  std::size_t record_count() const {
    std::size_t count = 0;
    for (const auto& [file, bytes] : kept_) count += recover(bytes_of(bytes)).frames.size();
    return count;
  }
  std::size_t file_count() const { return kept_.size(); }

 private:
  std::map<std::filesystem::path, std::string> kept_;
};

/// The most records that were flushed and not on the disk, over three segments.
std::size_t most_missing_after_power_cut(std::int64_t sync_interval_ns) {
  const TempFolder place;
  SyncedOnly disk;
  FileRecorderOptions options;
  options.folder = place.path();
  options.limit_bytes = 8U << 20U;
  options.segment_bytes = kMinSegmentBytes;
  options.sync_interval_ns = sync_interval_ns;
  options.calls = disk.calls();
  const auto recorder = opened(options);
  std::size_t most = 0;
  for (std::size_t i = 1; disk.file_count() < 3 && i < 3000; ++i) {
    recorder->record(numbered(static_cast<std::int64_t>(i)));
    if (i % 5 != 0) continue;  // so that a segment can end with records that no flush has synced
    recorder->flush();
    most = std::max(most, i - disk.record_count());
  }
  EXPECT_EQ(disk.file_count(), 3U);
  return most;
}

TEST(RecorderCuts, EveryFlushedRecordIsOnTheDiskAfterAPowerCut) {
  EXPECT_EQ(most_missing_after_power_cut(0), 0U);
}

TEST(RecorderCuts, ControlWithoutSyncsAPowerCutTakesFlushedRecords) {
  EXPECT_GT(most_missing_after_power_cut(std::numeric_limits<std::int64_t>::max()), 100U);
}

}  // namespace
}  // namespace skua
