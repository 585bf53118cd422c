#include "events/line_writer.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>

#include <chrono>
#include <future>
#include <string>

#include "pipe.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::chrono::milliseconds kPatience{5};

/// As on the event thread: a broken pipe is an error code there, not a signal. Other tests need the signal.
class LineWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    sigemptyset(&pipe_signal_);
    sigaddset(&pipe_signal_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal_, &before_);
  }
  void TearDown() override {
    const timespec at_once{};
    ::sigtimedwait(&pipe_signal_, nullptr, &at_once);  // unblocked, one that is pending would end the process
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_signal_{}, before_{};
};

std::string line_of(std::size_t size, char letter = 'a') { return std::string(size - 1, letter) + "\n"; }

/// Fills the pipe with lines of 100 bytes until one is lost.
int fill(LineWriter& writer) {
  int written = 0;
  for (; writer.lost_count() == 0 && written < 1000; ++written) writer.write(line_of(100, 'f'));
  return written - 1;
}

TEST_F(LineWriterTest, FileGetsEveryLine) {
  const TempFolder folder;
  const auto path = folder.write("log", "old\n");
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ASSERT_GE(file, 0);
  LineWriter writer(file, kPatience);
  ::close(file);  // the writer has its own
  writer.write("one\n");
  writer.write(line_of(10000));
  EXPECT_EQ(folder.read("log"), "old\none\n" + line_of(10000));
  EXPECT_EQ(writer.lost_count(), 0U);
}

TEST_F(LineWriterTest, StalledReaderLosesWholeLinesOnly) {
  Pipe pipe;
  LineWriter writer(pipe.write_end(), kPatience);
  const int written = fill(writer);
  EXPECT_THAT(writer.problem(), HasSubstr("stands still"));
  for (int i = 0; i < 1000; ++i) writer.write(line_of(100, 'x'));
  EXPECT_EQ(writer.lost_count(), 1001U);
  std::string expected;
  for (int i = 0; i < written; ++i) expected += line_of(100, 'f');
  EXPECT_EQ(pipe.read_available(), expected);
  writer.write("again\n");
  EXPECT_EQ(pipe.read_available(), "again\n");
  EXPECT_EQ(writer.problem(), "");
  EXPECT_EQ(writer.lost_count(), 1001U);
}

TEST_F(LineWriterTest, BegunLineIsFinishedBeforeTheNextIsBegun) {
  Pipe pipe;
  LineWriter writer(pipe.write_end(), kPatience);
  writer.write(line_of(10000));  // three writes; the pipe holds the first
  EXPECT_EQ(writer.lost_count(), 0U);
  EXPECT_EQ(writer.written_count(), 0U);  // nor written
  writer.write("lost\n");
  EXPECT_EQ(writer.lost_count(), 1U);
  std::string text = pipe.read_available();
  EXPECT_EQ(text.size(), static_cast<std::size_t>(Pipe::kCapacity));
  writer.write("lost too\n");  // there is room, but not for all of the begun line
  text += pipe.read_available();
  writer.flush();
  text += pipe.read_available();
  writer.write("next\n");
  text += pipe.read_available();
  EXPECT_EQ(text, line_of(10000) + "next\n");
  EXPECT_EQ(writer.lost_count(), 2U);
  EXPECT_EQ(writer.written_count(), 2U);
}

TEST_F(LineWriterTest, FlushNoticesThatTheReaderIsBack) {
  Pipe pipe;
  LineWriter writer(pipe.write_end(), kPatience);
  fill(writer);
  writer.flush();
  EXPECT_NE(writer.problem(), "");
  pipe.read_available();
  writer.flush();
  EXPECT_EQ(writer.problem(), "");
}

TEST_F(LineWriterTest, ClosedReaderIsCountedAndNamed) {
  Pipe pipe;
  LineWriter writer(pipe.write_end(), kPatience);
  writer.write(line_of(10000));
  pipe.close_reader();
  writer.write("x\n");
  EXPECT_EQ(writer.lost_count(), 2U);  // the begun line and this one
  EXPECT_THAT(writer.problem(), HasSubstr("Broken pipe"));
  writer.flush();
  EXPECT_EQ(writer.lost_count(), 2U);
}

TEST_F(LineWriterTest, ClosedDescriptorIsCountedAndNeverSomebodyElses) {
  LineWriter writer(-1, kPatience);
  writer.write("x\n");
  EXPECT_EQ(writer.lost_count(), 1U);
  EXPECT_THAT(writer.problem(), HasSubstr("Bad file descriptor"));
  // Closing the descriptor afterwards and opening a file under its number does not redirect our lines.
  Pipe pipe, other;
  const int number = ::fcntl(pipe.write_end(), F_DUPFD_CLOEXEC, 3);
  LineWriter second(number, kPatience);
  ASSERT_EQ(::dup3(other.write_end(), number, O_CLOEXEC), number);
  second.write("x\n");
  EXPECT_EQ(other.read_available(), "");
  EXPECT_EQ(pipe.read_available(), "x\n");
  ::close(number);
}

TEST_F(LineWriterTest, FullDiskLosesLinesUntilThereIsRoom) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  LineWriter writer(full, kPatience);
  ::close(full);
  writer.write("x\n");
  EXPECT_EQ(writer.lost_count(), 1U);
  EXPECT_THAT(writer.problem(), HasSubstr("No space left"));
}

TEST_F(LineWriterTest, DescriptorsThatOthersMadeNonBlockingWorkToo) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.write_end(), F_SETFL, O_NONBLOCK), 0);
  LineWriter writer(pipe.write_end(), kPatience);
  fill(writer);
  EXPECT_THAT(pipe.read_available(), StartsWith("fff"));
  writer.write("again\n");
  EXPECT_EQ(pipe.read_available(), "again\n");
}

TEST_F(LineWriterTest, SocketsWorkToo) {  // stdout of a systemd service is one
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  LineWriter writer(ends[1], kPatience);
  writer.write("x\n");
  std::array<char, 8> text{};
  EXPECT_EQ(::read(ends[0], text.data(), text.size()), 2);
  for (int i = 0; i < 100000 && writer.lost_count() == 0; ++i) writer.write(line_of(1000));
  EXPECT_GT(writer.lost_count(), 0U);  // it filled up, and nobody waited
  ::close(ends[0]);
  ::close(ends[1]);
  writer.write("x\n");
  EXPECT_THAT(writer.problem(), HasSubstr("Broken pipe"));
}

/// A terminal whose reader is the test; closes both ends.
class Terminal {
 public:
  explicit Terminal(bool is_raw) {
    if (::grantpt(reader_) != 0 || ::unlockpt(reader_) != 0) throw std::runtime_error("no pseudo-terminals");
    fd_ = ::open(::ptsname(reader_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios mode{};
    if (::tcgetattr(fd_, &mode) != 0) throw std::runtime_error("tcgetattr failed");
    if (is_raw) ::cfmakeraw(&mode);
    ::tcsetattr(fd_, TCSANOW, &mode);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    ::close(fd_);
    ::close(reader_);
  }
  int fd() const { return fd_; }
  /// Reads what is there until there is nothing for `quiet_ms`.
  std::size_t read_all(int quiet_ms) const {
    std::size_t size = 0;
    pollfd readable{reader_, POLLIN, 0};
    while (::poll(&readable, 1, quiet_ms) == 1) {
      std::array<char, 4096> part{};
      const ssize_t got = ::read(reader_, part.data(), part.size());
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    return size;
  }

 private:
  const int reader_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  int fd_ = -1;
};

/// poll calls a terminal writable as long as one byte has room; the rest of the line must not wait for ever.
TEST_F(LineWriterTest, TerminalWhoseReaderStandsStillHoldsUpNobody) {
  for (const bool is_raw : {false, true}) {
    for (std::size_t size = 40; size < 4096; size += 135) {
      const Terminal terminal(is_raw);
      LineWriter writer(terminal.fd(), kPatience);
      auto filled = std::async(std::launch::async, [&] {
        for (int i = 0; i < 3000 && writer.lost_count() < 3; ++i) writer.write(line_of(size));
      });
      const bool is_stuck = filled.wait_for(std::chrono::seconds(20)) != std::future_status::ready;
      while (filled.wait_for(std::chrono::seconds(0)) != std::future_status::ready) terminal.read_all(10);
      ASSERT_FALSE(is_stuck) << size << (is_raw ? " raw" : " cooked");
      EXPECT_THAT(writer.problem(), HasSubstr("stands still"));
      writer.flush();
      EXPECT_THAT(writer.problem(), HasSubstr("stands still")) << "poll's word is not enough";
      terminal.read_all(0);
      for (int i = 0; i < 100 && writer.problem() != ""; ++i) {
        writer.write("again\n");
        terminal.read_all(1);
      }
      EXPECT_EQ(writer.problem(), "");
    }
  }
}

TEST_F(LineWriterTest, NobodyElsesDescriptionBecomesNonBlocking) {
  Pipe pipe;
  const Terminal terminal(false);
  for (const int fd : {pipe.write_end(), terminal.fd()}) {
    LineWriter writer(fd, kPatience);
    writer.write("x\n");
    EXPECT_EQ(writer.written_count(), 1U);
    EXPECT_EQ(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
}

}  // namespace
}  // namespace skua::test
