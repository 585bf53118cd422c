// systemd's journal by its native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ . Each record is one
// datagram of fields, so that a field's text can hold any byte and still forges nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "skua/ports.h"

namespace skua {

/// The datagram of one event: PRIORITY (syslog's 3, 4, 6, 7), SYSLOG_IDENTIFIER=skua, MESSAGE (one line,
/// printable), SKUA_KIND, SKUA_FRAME_ID where there is one, SKUA_KV_<KEY> for every other field, SKUA_RECORD
/// (the JSON record). Keys become upper-case letters, digits and underscores; texts are cut after 2048 bytes;
/// at most 64 fields. Allocates.
std::string encode_journal_entry(const Event& event, std::string_view record);

/// For one thread. Never waits; a journal that is absent or full loses the entry, the next one tries again.
class JournalSocket {
 public:
  explicit JournalSocket(std::filesystem::path path);
  JournalSocket(const JournalSocket&) = delete;
  JournalSocket& operator=(const JournalSocket&) = delete;
  ~JournalSocket();

  /// An entry that is too large for a datagram goes as a sealed memory file. Three system calls at most.
  void send(std::string_view entry);

  std::uint64_t written_count() const noexcept { return written_; }
  std::uint64_t lost_count() const noexcept { return lost_; }
  const std::string& problem() const noexcept { return problem_; }

 private:
  /// 0 or errno.
  int send_datagram(std::string_view entry) const;
  int send_memory_file(std::string_view entry) const;

  const std::filesystem::path path_;
  const int fd_;
  std::uint64_t lost_ = 0;
  std::uint64_t written_ = 0;
  std::string problem_;
};

}  // namespace skua
