#include "builder/system_calls.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/tiocl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

#include "builder/refused.h"

namespace skua::builder {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "expected x86-64 or aarch64: name this architecture's AUDIT_ARCH here"
#endif
constexpr std::uint32_t kFirstX32Call = 0x40000000;

// Numbers that are the same on every architecture and that older headers lack.
constexpr int kIoUringSetup = 425, kOpenTree = 428, kMoveMount = 429, kFsOpen = 430, kFsMount = 432;
constexpr int kClone3 = 435, kPidfdGetfd = 438, kProcessMadvise = 440, kMountSetattr = 442;
constexpr int kProcessMrelease = 448, kFchmodat2 = 452, kPidfdSendSignal = 424, kSetxattrat = 463;
constexpr int kRemovexattrat = 466, kFileSetattr = 469;

/// Other processes: their memory, their descriptors, their limits and their turn on the CPU.
constexpr int kOthers[] = {SYS_ptrace,
                           SYS_process_vm_readv,
                           SYS_process_vm_writev,
                           SYS_kcmp,
                           kPidfdGetfd,
                           kPidfdSendSignal,
                           kProcessMadvise,
                           kProcessMrelease,
                           SYS_setpriority,
                           SYS_sched_setscheduler,
                           SYS_sched_setparam,
                           SYS_sched_setattr,
                           SYS_ioprio_set,
                           SYS_migrate_pages,
                           SYS_move_pages,
                           SYS_setrlimit,
                           SYS_rt_tgsigqueueinfo,
                           SYS_rt_sigqueueinfo};
/// The system: its mounts, names, keys, clock and kernel.
constexpr int kSystem[] = {
    SYS_mount,           SYS_umount2,       SYS_pivot_root,    SYS_chroot,        kOpenTree,
    kMoveMount,          kFsOpen,           kFsMount,          kMountSetattr,     SYS_unshare,
    SYS_setns,           SYS_keyctl,        SYS_add_key,       SYS_request_key,   SYS_bpf,
    SYS_perf_event_open, SYS_userfaultfd,   SYS_init_module,   SYS_finit_module,  SYS_delete_module,
    SYS_kexec_load,      SYS_reboot,        SYS_swapon,        SYS_swapoff,       SYS_acct,
    SYS_quotactl,        SYS_settimeofday,  SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
    SYS_sethostname,     SYS_setdomainname, SYS_syslog,        SYS_vhangup,       SYS_open_by_handle_at};
/// Files outside of the staging folder in ways that Landlock does not know: owners, rights, dates, and the
/// locks that are to be had by reading. And what outlives a process, or is counted to nobody's memory.
constexpr int kFiles[] = {SYS_fchmod,       SYS_fchmodat,     kFchmodat2,     SYS_fchown,    SYS_fchownat,
                          SYS_setxattr,     SYS_lsetxattr,    SYS_fsetxattr,  kSetxattrat,   SYS_removexattr,
                          SYS_lremovexattr, SYS_fremovexattr, kRemovexattrat, SYS_utimensat, SYS_truncate,
                          kFileSetattr,     SYS_flock,        SYS_mq_open,    SYS_shmget,    SYS_shmat,
                          SYS_semget,       SYS_msgget};
#if defined(__x86_64__)
constexpr int kOldWays[] = {SYS_chmod,     SYS_chown, SYS_lchown, SYS_utime,      SYS_utimes,
                            SYS_futimesat, SYS_iopl,  SYS_ioperm, SYS_modify_ldt, SYS_kexec_file_load};
constexpr int kNewProcesses[] = {SYS_fork, SYS_vfork, SYS_execve, SYS_execveat};
#else
constexpr int kOldWays[] = {SYS_kexec_file_load};
constexpr int kNewProcesses[] = {SYS_execve, SYS_execveat};
#endif

constexpr std::uint32_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
/// Requests to devices that change a file through a descriptor which may only read it, or send signals.
constexpr std::uint32_t kRequestsOfFiles[] = {FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY,
                                              FIOSETOWN, SIOCSPGRP};

/// One piece of a filter after the other. Each expects the call's number in the accumulator and leaves it
/// there. Comparisons are of the lower halves of arguments, which is all that these calls look at.
class Filter {
 public:
  Filter() {
    load(offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
    answer(EPERM);  // another architecture's calls have other numbers
    load_number();
    if (kArchitecture == AUDIT_ARCH_X86_64) {
      add(BPF_JMP | BPF_JGE | BPF_K, kFirstX32Call, 0, 1);
      answer(EPERM);
    }
  }

  void refuse(int call, int error = EPERM) {
    when(call, 1);
    answer(error);
  }
  template <std::size_t N>
  void refuse_all(const int (&calls)[N]) {
    for (const int call : calls) refuse(call);
  }
  void refuse_value(int call, int argument, std::uint32_t value) {
    compare(call, argument, BPF_JEQ, value, 0, 1);
  }
  void require_value(int call, int argument, std::uint32_t value) {
    compare(call, argument, BPF_JEQ, value, 1, 0);
  }
  void refuse_bits(int call, int argument, std::uint32_t bits) {
    compare(call, argument, BPF_JSET, bits, 0, 1);
  }
  /// Where argument 0 is `first`, argument 1 must be `second`.
  void require_pair(int call, std::uint32_t first, std::uint32_t second) {
    when(call, 6);
    load(of_argument(0));
    add(BPF_JMP | BPF_JEQ | BPF_K, first, 0, 3);
    load(of_argument(1));
    add(BPF_JMP | BPF_JEQ | BPF_K, second, 1, 0);
    answer(EPERM);
    load_number();
  }
  void require_bits(int call, int argument, std::uint32_t bits) {
    compare(call, argument, BPF_JSET, bits, 1, 0);
  }
  /// A pointer: both halves count.
  void require_null(int call, int argument) {
    require_value(call, argument, 0);
    when(call, 4);
    load(of_argument(argument) + sizeof(std::uint32_t));
    add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(EPERM);
    load_number();
  }

  Status install() {
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return {};
    return refused("seccomp: a filter of system calls");
  }

 private:
  static std::uint32_t of_argument(int index) {  // its lower half: both architectures are little-endian
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                      sizeof(std::uint64_t) * static_cast<std::size_t>(index));
  }
  void add(int code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    code_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, value});
  }
  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
  void load_number() { load(offsetof(seccomp_data, nr)); }
  void answer(int error) { add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }
  /// The next `count` pieces are for this call only.
  void when(int call, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, count);
  }
  void compare(int call, int argument, int operation, std::uint32_t value, std::uint8_t if_true,
               std::uint8_t if_false) {
    when(call, 4);
    load(of_argument(argument));
    add(BPF_JMP | operation | BPF_K, value, if_true, if_false);
    answer(EPERM);
    load_number();
  }

  std::vector<sock_filter> code_;
};

/// One process, which signals nobody but itself. abort() and threads work.
void refuse_processes(Filter& filter) {
  const auto self = static_cast<std::uint32_t>(::getpid());
  filter.refuse_all(kNewProcesses);
  filter.require_bits(SYS_clone, 0, CLONE_THREAD);
  filter.require_value(SYS_kill, 0, self);
  filter.require_value(SYS_tgkill, 0, self);
  filter.refuse(SYS_tkill);
  filter.refuse(SYS_setpgid);
}

}  // namespace

bool has_call_filters() noexcept {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

Status filter_system_calls(const SystemCalls& calls) {
  Filter filter;
  filter.refuse_all(kOthers);
  filter.refuse_all(kSystem);
  filter.refuse_all(kFiles);
  filter.refuse_all(kOldWays);
  filter.refuse(kIoUringSetup, ENOSYS);           // opens and connects past every filter
  filter.refuse(SYS_setsid);                      // the session is what the caller ends
  filter.refuse_value(SYS_ioctl, 1, TIOCSTI);     // types into a terminal
  filter.refuse_value(SYS_ioctl, 1, TIOCLINUX);   // pastes into a console
  filter.refuse_value(SYS_fcntl, 1, F_SETLEASE);  // keeps others from opening a file
  filter.refuse(kClone3, ENOSYS);  // its flags lie in memory; the C library falls back to clone
  filter.refuse_bits(SYS_clone, 0, kNewNamespaces);
  for (const int command : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {  // has the kernel send a signal of choice
    filter.refuse_value(SYS_fcntl, 1, static_cast<std::uint32_t>(command));
  }
  for (const std::uint32_t request : kRequestsOfFiles) filter.refuse_value(SYS_ioctl, 1, request);
  filter.require_pair(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);  // a build ends with its caller
  filter.require_null(SYS_prlimit64, 2);                      // reading limits is free
  if (calls.may_use_device) {
    filter.require_value(SYS_socket, 0, AF_UNIX);
  } else {
    filter.refuse(SYS_socket);
    filter.refuse(SYS_memfd_create);
  }
  if (!calls.may_start_programs) refuse_processes(filter);
  return filter.install();
}

}  // namespace skua::builder
