#include "events/journal_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json_strict.h"
#include "events/escape.h"
#include "events/log_record.h"
#include "pipeline_fixture.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

using Fields = std::vector<std::pair<std::string, std::string>>;

/// journald's side: a bound datagram socket.
class FakeJournal {
 public:
  explicit FakeJournal(const std::filesystem::path& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error("cannot bind " + path.string());
  }
  FakeJournal(const FakeJournal&) = delete;
  FakeJournal& operator=(const FakeJournal&) = delete;
  ~FakeJournal() { ::close(fd_); }

  /// The next datagram, or what the memory file in it holds; nullopt: there is none.
  std::optional<std::string> receive() {
    std::string text(1U << 20U, '\0');
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    if (size < 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return text;
    int file = -1;
    std::memcpy(&file, CMSG_DATA(header), sizeof(file));
    return text + content_of(file);
  }
  int memory_files = 0;
  int seals = 0;

 private:
  std::string content_of(int file) {
    ++memory_files;
    seals = ::fcntl(file, F_GET_SEALS);
    std::string text(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    ::close(file);
    return text;
  }
  int fd_;
};

/// Reads an entry as journald does.
Fields fields_of(std::string_view entry) {
  Fields fields;
  while (!entry.empty()) {
    const auto end = entry.find('\n');
    const auto equals = entry.substr(0, end).find('=');
    if (end == std::string_view::npos) break;
    if (equals != std::string_view::npos) {
      fields.emplace_back(entry.substr(0, equals), entry.substr(equals + 1, end - equals - 1));
      entry.remove_prefix(end + 1);
      continue;
    }
    std::uint64_t size = 0;
    EXPECT_GE(entry.size(), end + 1 + sizeof(size));
    for (std::size_t i = 0; i < sizeof(size); ++i)
      size |= std::uint64_t{static_cast<unsigned char>(entry[end + 1 + i])} << (8 * i);
    fields.emplace_back(entry.substr(0, end), entry.substr(end + 1 + sizeof(size), size));
    EXPECT_EQ(entry[end + 1 + sizeof(size) + size], '\n');
    entry.remove_prefix(end + 1 + sizeof(size) + size + 1);
  }
  return fields;
}

Event refused() {
  return {Level::kError,
          "c7.engine_refused",
          "refused",
          {{"file", std::string("a.engine")}, {"frame_id", std::int64_t{12}}, {"took_ns", std::int64_t{5}}}};
}

TEST(JournalEntry, HasNativeFieldsAndTheRecord) {
  const Event event = refused();
  const std::string record = encode_log_record(event, 0);
  EXPECT_THAT(fields_of(encode_journal_entry(event, record)),
              ElementsAre(Pair("PRIORITY", "3"), Pair("SYSLOG_IDENTIFIER", "skua"),
                          Pair("MESSAGE", "refused"), Pair("SKUA_KIND", "c7.engine_refused"),
                          Pair("SKUA_FRAME_ID", "12"), Pair("SKUA_KV_FILE", "a.engine"),
                          Pair("SKUA_KV_TOOK_NS", "5"), Pair("SKUA_RECORD", record)));
}

TEST(JournalEntry, LevelsAreSyslogsPriorities) {
  for (const auto& [level, priority] : {std::pair{Level::kDebug, "7"}, std::pair{Level::kInfo, "6"},
                                        std::pair{Level::kWarn, "4"}, std::pair{Level::kError, "3"}}) {
    EXPECT_EQ(fields_of(encode_journal_entry({level, "k", "m", {}}, "{}"))[0].second, priority);
  }
}

TEST(JournalEntry, HostileTextsForgeNoField) {
  const std::string hostile = std::string("a\nPRIORITY=0\nMESSAGE=forged\n\0b", 30);
  const Event event{Level::kInfo, "c7.engine_built", hostile, {{"file", hostile}, {"A b=\nc", hostile}}};
  const Fields fields = fields_of(encode_journal_entry(event, "{}"));
  ASSERT_THAT(fields, SizeIs(7));
  EXPECT_EQ(fields[2].second, "a\\u000aPRIORITY=0\\u000aMESSAGE=forged\\u000a\\u0000b");
  EXPECT_THAT(fields[4], Pair("SKUA_KV_FILE", hostile));  // as it is: its length stands before it
  EXPECT_THAT(fields[5], Pair("SKUA_KV_A_B__C", hostile));
}

TEST(JournalEntry, NamesTextsAndNumberOfFieldsAreBounded) {
  Event event{Level::kInfo, "c7.engine_built", std::string(100000, 'x'), {}};
  for (int i = 0; i < 100; ++i) {
    event.fields.push_back({std::string(200, 'k'), std::string(100000, 'x')});
  }
  const Fields fields = fields_of(encode_journal_entry(event, "{}"));
  EXPECT_THAT(fields, SizeIs(4 + 64 + 1));
  EXPECT_EQ(fields[4].first.size(), 64U);
  EXPECT_EQ(fields[4].second.size(), kLogTextLimit);
  EXPECT_EQ(fields[2].second.size(), kLogTextLimit);
}

TEST(JournalSocket, AbsentJournalIsCountedAndTriedAgain) {
  const TempFolder folder;
  const auto path = folder.path() / "socket";
  JournalSocket socket(path);
  socket.send("MESSAGE=1\n");
  EXPECT_EQ(socket.lost_count(), 1U);
  EXPECT_THAT(socket.problem(), HasSubstr("No such file"));
  {
    FakeJournal journal(path);
    socket.send("MESSAGE=2\n");
    EXPECT_EQ(journal.receive(), "MESSAGE=2\n");
    EXPECT_EQ(socket.problem(), "");
  }
  socket.send("MESSAGE=3\n");  // it died
  EXPECT_THAT(socket.problem(), HasSubstr("Connection refused"));
  std::filesystem::remove(path);
  FakeJournal restarted(path);
  socket.send("MESSAGE=4\n");
  EXPECT_EQ(restarted.receive(), "MESSAGE=4\n");
  EXPECT_EQ(socket.lost_count(), 2U);
}

TEST(JournalSocket, FullJournalIsNotWaitedFor) {
  const TempFolder folder;
  FakeJournal journal(folder.path() / "socket");
  JournalSocket socket(folder.path() / "socket");
  std::uint64_t sent = 0;
  for (; socket.lost_count() == 0 && sent < 100000; ++sent) socket.send("MESSAGE=x\n");
  EXPECT_EQ(socket.lost_count(), 1U);
  EXPECT_NE(socket.problem(), "");
  std::uint64_t received = 0;
  while (journal.receive()) ++received;
  EXPECT_EQ(received, sent - 1);
  socket.send("MESSAGE=y\n");
  EXPECT_EQ(journal.receive(), "MESSAGE=y\n");
}

TEST(JournalSocket, LargeEntryGoesAsASealedMemoryFile) {
  const TempFolder folder;
  FakeJournal journal(folder.path() / "socket");
  JournalSocket socket(folder.path() / "socket");
  const std::string entry = "MESSAGE=" + std::string(900000, 'x') + "\n";
  socket.send(entry);
  EXPECT_EQ(socket.lost_count(), 0U) << socket.problem();
  EXPECT_EQ(journal.receive(), entry);
  EXPECT_EQ(journal.memory_files, 1);
  EXPECT_EQ(journal.seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  socket.send("MESSAGE=small\n");
  EXPECT_EQ(journal.receive(), "MESSAGE=small\n");
  EXPECT_EQ(journal.memory_files, 1);
}

TEST(JournalSocket, PathThatIsTooLongIsALossWithAName) {
  JournalSocket socket("/" + std::string(200, 'x'));
  socket.send("MESSAGE=x\n");
  EXPECT_THAT(socket.problem(), HasSubstr("name too long"));
}

TEST_F(PipelineTest, JournalGetsWhatTheLogHolds) {
  const TempFolder folder;
  LogSinkOptions sink;
  sink.journal_socket = folder.path() / "socket";
  options_.log = make_log_sink(LogTarget::kJournald, sink);
  options_.recorders = {recorder_};
  start();
  EXPECT_EQ(options_.log->name(), "journald");
  pipeline_->emit(refused());
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_EQ(pipeline_->counts().log_lost, 1U);  // nobody is there yet
  EXPECT_THAT(recorder_->of_kind("log"), SizeIs(1));
  FakeJournal journal(sink.journal_socket);
  pipeline_->emit(refused());
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  const auto entry = journal.receive();
  ASSERT_TRUE(entry.has_value());
  const Fields fields = fields_of(*entry);
  EXPECT_THAT(fields, Contains(Pair("SKUA_KV_FILE", "a.engine")));
  EXPECT_EQ(fields.back().second, encode_log_record(refused(), clock_->utc_us()));
}

}  // namespace
}  // namespace skua::test
