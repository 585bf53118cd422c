#include "acts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>

namespace skua::test {
namespace {

int answer(long result) { return result >= 0 ? 0 : errno; }

std::string engine(const Targets& to) { return (to.outside / "engine").string(); }
std::string own(const Targets& to) { return (to.staging / "own").string(); }

int opened(const std::string& path, int flags) { return answer(::open(path.c_str(), flags, 0600)); }

/// A call on the engine's file through a descriptor that may read only.
template <typename Call>
int on_engine(const Targets& to, Call call) {
  const int fd = ::open(engine(to).c_str(), O_RDONLY);
  return fd < 0 ? errno : answer(call(fd));
}

int connect_tcp(const Targets& to) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(to.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return answer(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int read_victim(const Targets& to) {
  char byte = 0;
  const iovec mine{&byte, 1}, theirs{const_cast<char*>("x"), 1};  // the same address after a fork
  return answer(::process_vm_readv(to.victim, &mine, 1, &theirs, 1, 0));
}

int raise_limit(const Targets&) {
  rlimit most{};
  if (::getrlimit(RLIMIT_CORE, &most) != 0) return errno;
  most.rlim_max = RLIM_INFINITY;
  return answer(::setrlimit(RLIMIT_CORE, &most));
}

/// As with O_ASYNC, by which input on a descriptor becomes a signal.
int have_the_kernel_signal(const Targets& to) {
  int ends[2];
  if (::pipe(ends) != 0) return errno;
  return answer(::fcntl(ends[0], F_SETOWN, to.victim));
}

int limit_victim(const Targets& to) {
  const rlimit none{1, 1};
  return answer(::prlimit(to.victim, RLIMIT_CPU, &none, nullptr));
}

/// What `call` answers in a child.
template <typename Call>
int in_fork(Call call) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(call());
  if (pid < 0) return errno;
  int status = 0;
  if (::waitpid(pid, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int watch_the_cpu(const Targets&) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  return answer(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

int mount_and_unmount(const Targets& to) {
  if (::mount("none", to.outside.c_str(), "tmpfs", 0, nullptr) != 0) return errno;
  return answer(::umount2(to.outside.c_str(), MNT_DETACH));
}

int add_key(const Targets&) {
  constexpr int kProcessKeyring = -2;
  return answer(::syscall(SYS_add_key, "user", "skua-test", "x", 1, kProcessKeyring));
}

int ring(const Targets&) {
  char parameters[256] = {};
  return answer(::syscall(425, 1, parameters));  // io_uring_setup
}

int share_memory(const Targets&) {
  const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (id < 0) return errno;
  return answer(::shmctl(id, IPC_RMID, nullptr));
}

int run_a_program(const Targets& to) {
  char name[] = "/bin/sh", option[] = "-c";
  std::string script = "printf done >&" + std::to_string(to.output);
  char* const arguments[] = {name, option, script.data(), nullptr};
  char* const environment[] = {nullptr};
  return answer(::execve(name, arguments, environment));
}

int write_within(const Targets& to) {
  const int fd = ::open((to.staging / "new").c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || ::write(fd, "text", 4) != 4 || ::ftruncate(fd, 2) != 0) return errno;
  ::close(fd);
  if (::rename((to.staging / "new").c_str(), (to.staging / "newer").c_str()) != 0) return errno;
  return answer(::unlink((to.staging / "newer").c_str()));
}

int use_threads(const Targets&) {
  int sum = 0;
  std::thread([&] { sum = 1; }).join();
  return sum == 1 ? 0 : ENOSYS;
}

int signal_itself(const Targets&) {
  ::signal(SIGUSR1, SIG_IGN);
  return ::raise(SIGUSR1) == 0 ? answer(::kill(::getpid(), SIGUSR1)) : errno;
}

int ask_for_limits(const Targets&) {
  rlimit now{};
  return answer(::getrlimit(RLIMIT_DATA, &now));
}

}  // namespace

const std::vector<Act>& hostile_acts() {
  using To = const Targets&;
  static const std::vector<Act> acts = {
      {"WriteBeside", [](To to) { return opened((to.outside / "new").string(), O_WRONLY | O_CREAT); }},
      {"OverwriteAnEngine", [](To to) { return opened(engine(to), O_WRONLY | O_TRUNC); }},
      {"TruncateAnEngine", [](To to) { return answer(::truncate(engine(to).c_str(), 0)); }},
      {"RemoveAnEngine", [](To to) { return answer(::unlink(engine(to).c_str())); }},
      {"ReplaceAnEngine", [](To to) { return answer(::rename(own(to).c_str(), engine(to).c_str())); }},
      {"MakeAFolder", [](To to) { return answer(::mkdir((to.outside / "folder").c_str(), 0700)); }},
      {"MoveTheStagingFolder",
       [](To to) { return answer(::rename(to.staging.c_str(), (to.outside / "moved").c_str())); }},
      {"MakeALink", [](To to) { return answer(::symlink("/", (to.staging / "link").c_str())); }},
      {"LinkAnEngine",
       [](To to) { return answer(::link(engine(to).c_str(), (to.staging / "link").c_str())); }},
      {"MakeAPipe", [](To to) { return answer(::mkfifo((to.staging / "pipe").c_str(), 0600)); }},
      {"MakeADevice",
       [](To to) { return answer(::mknod((to.staging / "null").c_str(), S_IFCHR | 0600, (1 << 8) | 3)); }},
      {"OpenAnEngineToAll", [](To to) { return answer(::chmod(engine(to).c_str(), 0666)); }},
      {"OpenADescriptorToAll",
       [](To to) { return on_engine(to, [](int fd) { return ::fchmod(fd, 0666); }); }},
      {"GiveAnEngineAway", [](To to) { return answer(::chown(engine(to).c_str(), 65534, 65534)); }},
      {"DateAnEngine", [](To to) { return answer(::utimensat(AT_FDCWD, engine(to).c_str(), nullptr, 0)); }},
      {"LockTheCache",
       [](To to) { return on_engine(to, [](int fd) { return ::flock(fd, LOCK_EX | LOCK_NB); }); }},
      {"LeaseAnEngine",
       [](To to) { return on_engine(to, [](int fd) { return ::fcntl(fd, F_SETLEASE, F_RDLCK); }); }},
      {"ConnectByTcp", connect_tcp},
      {"OpenALocalSocket", [](To) { return answer(::socket(AF_UNIX, SOCK_STREAM, 0)); }},
      {"HoldMemoryThatNobodyCounts", [](To) { return answer(::memfd_create("x", 0)); }},
      {"ShareMemoryThatStays", share_memory},
      {"TraceAProcess", [](To to) { return answer(::ptrace(PTRACE_SEIZE, to.victim, nullptr, nullptr)); }},
      {"ReadAProcess", read_victim},
      {"KillAProcess", [](To to) { return answer(::kill(to.victim, SIGKILL)); }},
      {"KillByASignalOfChoice", have_the_kernel_signal},
      {"OutliveTheCaller", [](To) { return answer(::prctl(PR_SET_PDEATHSIG, 0)); }},
      {"OutliveTheCallersEnd", [](To) { return answer(::prctl(PR_SET_PDEATHSIG, SIGCONT)); }},
      {"FreezeAnEngine",
       [](To to) {
         return on_engine(to, [](int fd) {
           int flags = 0;
           return ::ioctl(fd, FS_IOC_SETFLAGS, &flags);
         });
       }},
      {"SlowAProcess",
       [](To to) { return answer(::setpriority(PRIO_PROCESS, static_cast<id_t>(to.victim), 19)); }},
      {"LimitAProcess", limit_victim},
      {"RaiseALimit", raise_limit},
      {"TypeIntoTheTerminal", [](To to) { return answer(::ioctl(to.terminal, TIOCSTI, "x")); }},
      {"TypeWithHighBits", [](To to) { return answer(::ioctl(to.terminal, TIOCSTI | (1UL << 40U), "x")); }},
      {"Mount", mount_and_unmount},
      {"LeaveNamespaces", [](To) { return answer(::unshare(CLONE_NEWNS)); }},
      {"AddAKey", add_key},
      {"WatchTheCpu", watch_the_cpu},
      {"QueueBehindTheFilter", ring},
      {"LeaveTheSession", [](To) { return in_fork([] { return answer(::setsid()); }); }},
      {"Fork", [](To) { return in_fork([] { return 0; }); }, true},
      {"RunAProgram", run_a_program, true},
  };
  return acts;
}

const std::vector<Act>& harmless_acts() {
  using To = const Targets&;
  static const std::vector<Act> acts = {
      {"WriteWithin", write_within},
      {"ReadAnEngine", [](To to) { return opened(engine(to), O_RDONLY); }},
      {"ListAFolder", [](To to) { return opened(to.outside.string(), O_RDONLY | O_DIRECTORY); }},
      {"WriteToNull", [](To) { return opened("/dev/null", O_WRONLY | O_TRUNC); }},
      {"UseThreads", use_threads},
      {"SignalItself", signal_itself},
      {"AskForLimits", ask_for_limits},
      {"EndWithTheCaller", [](To) { return answer(::prctl(PR_SET_PDEATHSIG, SIGKILL)); }},
      {"MakeAPair",
       [](To) {
         int ends[2];
         return answer(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
       }},
      {"ChooseItsCores",
       [](To) {
         cpu_set_t cores;
         return ::sched_getaffinity(0, sizeof cores, &cores) == 0
                    ? answer(::sched_setaffinity(0, sizeof cores, &cores))
                    : errno;
       }},
  };
  return acts;
}

}  // namespace skua::test
