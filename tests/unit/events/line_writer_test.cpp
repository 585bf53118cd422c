#include "events/line_writer.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
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

}  // namespace
}  // namespace skua::test
