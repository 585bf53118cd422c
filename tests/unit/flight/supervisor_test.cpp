// What systemd would read: sd_notify's datagrams, on a socket of the test's own.
#include "flight/supervisor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "hot_path_counters.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::supervisor_tests {
namespace {

using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

/// The supervisor's end of the socket.
class Listener {
 public:
  explicit Listener(std::string name) : name_(std::move(name)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name_.begin(), name_.end(), address.sun_path);
    if (name_.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    is_bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(fd_); }

  bool is_bound() const { return is_bound_; }
  const std::string& name() const { return name_; }
  /// All that has been sent so far.
  std::vector<std::string> messages() const {
    std::vector<std::string> all;
    char text[1024];
    for (ssize_t size = 0; (size = ::recv(fd_, text, sizeof(text), MSG_DONTWAIT)) >= 0;)
      all.emplace_back(text, static_cast<std::size_t>(size));
    return all;
  }

 private:
  std::string name_;
  int fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool is_bound_ = false;
};

using Messages = std::vector<std::string>;

TEST(SupervisorTest, SaysReadyAndStoppingOnAPathAndOnAnAbstractName) {
  const TempFolder folder;
  for (const std::string& name :
       {(folder.path() / "notify").string(), "@skua-test-" + folder.path().filename().string()}) {
    const Listener listener(name);
    ASSERT_TRUE(listener.is_bound()) << name << ": " << std::strerror(errno);
    auto supervisor = Supervisor::connect(listener.name(), "");
    ASSERT_TRUE(is_ok(supervisor));
    EXPECT_TRUE(listener.messages().empty());  // the control
    supervisor->ready("set-1, 4 engines");
    supervisor->stopping("signal");
    EXPECT_EQ(listener.messages(),
              (Messages{"READY=1\nSTATUS=set-1, 4 engines", "STOPPING=1\nSTATUS=signal"}));
    EXPECT_FALSE(supervisor->is_watched());
    supervisor->alive(std::int64_t{1} << 60U);
    EXPECT_TRUE(listener.messages().empty()) << "without a watchdog nobody asks";
  }
}

TEST(SupervisorTest, ALongStatusIsCut) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  auto supervisor = Supervisor::connect(listener.name(), "");
  ASSERT_TRUE(is_ok(supervisor));
  supervisor->ready(std::string(1000, 's'));
  EXPECT_EQ(listener.messages(), (Messages{"READY=1\nSTATUS=" + std::string(200, 's')}));
}

TEST(SupervisorTest, SaysAliveAtMostThreeTimesInTheWatchdogsTime) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  auto supervisor = Supervisor::connect(listener.name(), "3000000");  // three seconds: one a second
  ASSERT_TRUE(is_ok(supervisor));
  EXPECT_TRUE(supervisor->is_watched());
  constexpr std::int64_t kStart = 1'000'000'000'000, kSecond = 1'000'000'000;
  supervisor->alive(kStart);
  EXPECT_EQ(listener.messages(), (Messages{"WATCHDOG=1"}));
  supervisor->alive(kStart + kSecond - 1);
  EXPECT_TRUE(listener.messages().empty());
  supervisor->alive(kStart + kSecond);
  EXPECT_EQ(listener.messages(), (Messages{"WATCHDOG=1"}));
  for (std::int64_t frame = 1; frame <= 30; ++frame)  // ten seconds at 3 Hz
    supervisor->alive(kStart + kSecond + frame * kSecond / 3);
  EXPECT_GE(listener.messages().size(), 7U);  // each waits for the first frame after its second
}

TEST(SupervisorTest, SayingAliveAllocatesAndLocksNothing) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  auto supervisor = Supervisor::connect(listener.name(), "3000000");
  ASSERT_TRUE(is_ok(supervisor));
  const auto counts = skua::test::count_hot_path([&] { supervisor->alive(std::int64_t{1} << 60U); });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
  EXPECT_EQ(listener.messages().size(), 1U);
}

TEST(SupervisorTest, WithoutASocketNothingIsSaidNorDemanded) {
  auto supervisor = Supervisor::connect("", "nonsense");
  ASSERT_TRUE(is_ok(supervisor));
  EXPECT_FALSE(supervisor->is_watched());
  supervisor->ready("x");
  supervisor->alive(1);
  supervisor->stopping("x");
}

TEST(SupervisorTest, AMovedSupervisorSpeaksOnceAndTheOldOneNotAtAll) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  auto first = Supervisor::connect(listener.name(), "");
  ASSERT_TRUE(is_ok(first));
  Supervisor second = *std::move(first);
  first->ready("old");  // NOLINT(bugprone-use-after-move): what it says is asked for
  second.ready("new");
  EXPECT_EQ(listener.messages(), (Messages{"READY=1\nSTATUS=new"}));
}

TEST(SupervisorTest, AValueThatCannotBeUsedIsRefusedByItsVariable) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  ASSERT_TRUE(is_ok(Supervisor::connect(listener.name(), "1")));  // the control
  for (const std::string& name : {std::string("relative"), std::string("/"), std::string("@"),
                                  "/" + std::string(107, 'x'), "@" + std::string(107, 'x')}) {
    EXPECT_TRUE(is_error(Supervisor::connect(name, ""), kInvalid, Reason::kInvalidArgument, "NOTIFY_SOCKET"))
        << name;
  }
  const auto gone = Supervisor::connect((folder.path() / "gone").string(), "");
  EXPECT_TRUE(is_error(gone, kInvalid, Reason::kIo, "NOTIFY_SOCKET"));
  EXPECT_EQ(gone.error().native_code, ENOENT);
  for (const char* usec : {"0", "-1", "3s", " 3", "86400000001", "99999999999999999999", "1.5"}) {
    EXPECT_TRUE(is_error(Supervisor::connect(listener.name(), usec), kInvalid, Reason::kInvalidArgument,
                         "WATCHDOG_USEC"))
        << usec;
  }
  EXPECT_TRUE(is_ok(Supervisor::connect(listener.name(), "86400000000")));
}

/// Nobody reads: the socket's queue is full after some messages, and a blocking send would never return.
TEST(SupervisorTest, AFullSocketLosesMessagesAndNeverBlocks) {
  const TempFolder folder;
  const Listener listener((folder.path() / "notify").string());
  auto supervisor = Supervisor::connect(listener.name(), "3");
  ASSERT_TRUE(is_ok(supervisor));
  constexpr std::int64_t kMessages = 20'000;
  for (std::int64_t i = 1; i <= kMessages; ++i) supervisor->alive(i * 1'000'000);
  const std::size_t kept = listener.messages().size();
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, static_cast<std::size_t>(kMessages)) << "the queue never was full: this proves nothing";
  supervisor->stopping("signal");
  EXPECT_EQ(listener.messages(), (Messages{"STOPPING=1\nSTATUS=signal"})) << "heard again once there is room";
}

TEST(SupervisorTest, ASupervisorThatWentAwayIsNoSignalAndNoError) {
  const TempFolder folder;
  auto listener = std::make_unique<Listener>((folder.path() / "notify").string());
  auto supervisor = Supervisor::connect(listener->name(), "3");
  ASSERT_TRUE(is_ok(supervisor));
  listener.reset();
  supervisor->ready("x");  // SIGPIPE would end the test
  supervisor->alive(std::int64_t{1} << 60U);
}

}  // namespace
}  // namespace skua::flight::supervisor_tests
