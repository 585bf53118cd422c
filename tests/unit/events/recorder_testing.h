// What the recorder's tests share: records by number, a recorder of a small size, and reading a folder back.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bytes_of.h"
#include "events/file_recorder.h"
#include "events/flight_record_json.h"
#include "events/recorder_reader.h"
#include "temp_folder.h"

namespace skua::test {

inline FlightRecord numbered(std::int64_t number) {
  return {
      1772366400000000 + number,
      number * 1000,
      "c7.test",
      {{"number", number}, {"share", 0.1 * static_cast<double>(number)}, {"text", std::string(150, 'x')}}};
}

inline std::int64_t number_of(const FlightRecord& record) {
  return std::get<std::int64_t>(record.payload.at(0).second);
}

inline FileRecorderOptions small_recorder(const std::filesystem::path& folder) {
  FileRecorderOptions options;
  options.folder = folder;
  options.limit_bytes = 4 * kMinSegmentBytes;
  options.segment_bytes = kMinSegmentBytes;
  return options;
}

/// Opens it, or throws: every test that gets here relies on it.
inline std::unique_ptr<FileRecorder> opened(FileRecorderOptions options) {
  return std::move(FileRecorder::open(std::move(options))).value();
}

inline std::unique_ptr<Folder> folder_at(const std::filesystem::path& path) {
  return std::move(posix_file_system().open_folder(path)).value();
}

struct FolderContent {
  std::vector<std::int64_t> numbers;  ///< of all records, in the order of the files
  std::vector<DamagedRange> damage;
  std::uint64_t bytes = 0;
  std::vector<std::string> names;
};

/// Everything that a reader gets out of a recorder folder.
inline FolderContent content_of(const std::filesystem::path& path) {
  FolderContent content;
  const auto folder = folder_at(path);
  for (const SegmentEntry& segment : list_segments(*folder).value()) {
    if (!segment.is_regular) continue;
    const std::string bytes = read_segment(*folder, segment.name).value();
    const Recovery found = recover(bytes_of(bytes));
    for (const RecoveredFrame& frame : found.frames) {
      content.numbers.push_back(number_of(decode_flight_record(frame.text).value()));
    }
    content.damage.insert(content.damage.end(), found.damage.begin(), found.damage.end());
    content.bytes += bytes.size();
    content.names.push_back(segment.name);
  }
  return content;
}

inline std::vector<std::int64_t> numbers_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < count; ++i) numbers.push_back(first + i);
  return numbers;
}

}  // namespace skua::test
