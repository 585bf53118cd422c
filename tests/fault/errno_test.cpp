// Every system call of publish, verify, sign and the ratchet fails once with every errno that a disk, a
// quota, a limit or a signal can give it, and moves fewer bytes than asked for: each time a typed error or,
// where the call is to be continued, success; no temporary left, no descriptor open, and the old set loads.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <random>

#include "child.h"
#include "counts.h"
#include "ground_operations.h"
#include "stepper.h"

namespace skua::test {
namespace {

#ifdef SKUA_COUNTS_BRANCHES  // each child writes its counts, which takes long; these two take every way
constexpr std::array kErrors = {EIO, EINTR};
#else
constexpr std::array kErrors = {EIO, ENOSPC, EDQUOT, EMFILE, EROFS, EACCES, EINTR, ENOMEM};
#endif

/// How a system call is disturbed.
enum class CallKind {
  kFile,    ///< by every errno
  kMemory,  ///< by ENOMEM
  kSure,    ///< cannot fail, or nobody asks whether it did
};

/// Nothing for a call that is not known here: then somebody has to say which kind it is.
std::optional<CallKind> kind_of(const std::string& call) {
  static const std::map<std::string, CallKind> kKinds = {
      {"openat", CallKind::kFile},     {"read", CallKind::kFile},      {"write", CallKind::kFile},
      {"fstat", CallKind::kFile},      {"fsync", CallKind::kFile},     {"close", CallKind::kFile},
      {"newfstatat", CallKind::kFile}, {"renameat", CallKind::kFile},  {"unlinkat", CallKind::kFile},
      {"mkdirat", CallKind::kFile},    {"flock", CallKind::kFile},     {"getdents64", CallKind::kFile},
      {"fallocate", CallKind::kFile},  {"getrandom", CallKind::kFile}, {"fcntl", CallKind::kFile},
      {"renameat2", CallKind::kFile},  {"mmap", CallKind::kMemory},    {"brk", CallKind::kMemory},
      {"mremap", CallKind::kMemory},   {"munmap", CallKind::kSure},    {"madvise", CallKind::kSure},
      {"geteuid", CallKind::kSure},    {"getpid", CallKind::kSure},    {"lseek", CallKind::kSure}};
  const auto found = kKinds.find(call);
  return found == kKinds.end() ? std::nullopt : std::optional(found->second);
}

struct Injection {
  const Operation* operation = nullptr;
  StepPlan plan;
  std::string call;
};

std::string text_of(const Injection& injection) {
  const std::string what = injection.plan.what == Intervention::kShorten
                               ? "short"
                               : std::string(strerrorname_np(injection.plan.error_number));
  return std::string(injection.operation->name) + ", " + injection.call + " " +
         std::to_string(injection.plan.at) + ", " + what;
}

/// Where Linux lets a signal interrupt the call, and where the rest of the bytes has to be asked for.
bool must_go_on(const Injection& injection) {
  static const std::set<std::string> kContinued = {"openat", "read",      "write",    "fsync",
                                                   "flock",  "fallocate", "getrandom"};
  if (injection.call == "close" || injection.plan.what == Intervention::kShorten) return true;
  return injection.plan.error_number == EINTR && kContinued.count(injection.call) != 0;
}

/// Where a failure may be nobody's: all other errors have to be told, even if what is looked at afterwards is
/// there. After an fsync that failed it always is, until the power goes.
bool may_be_got_over(const Injection& injection) {
  // What a writer who was killed left behind: the next one clears it away.
  static const std::set<std::string> kClearing = {"fcntl", "getdents64", "newfstatat", "openat", "unlinkat"};
  static const std::map<std::string_view, std::set<std::string>> kKnown = {
      {"adopt", kClearing},
      {"publish engine", kClearing},
      // A set that cannot be judged stays, and the report says so.
      {"collect", {"fcntl", "flock", "getdents64", "newfstatat", "openat", "read"}},
      // A reset is for copies that cannot be read.
      {"reset ratchet", {"newfstatat", "openat", "read"}},
      // A file system without locks is read, too.
      {"verify", {"flock"}}};
  if (must_go_on(injection)) return true;
  const auto known = kKnown.find(injection.operation->name);
  return known != kKnown.end() && known->second.count(injection.call) != 0;
}

std::vector<Injection> injections_into(const Operation& operation, const std::vector<long>& calls) {
  std::vector<Injection> injections;
  std::map<long, std::size_t> seen;
  for (const long number : calls) {
    const std::string call = call_name(number);
    const std::size_t at = seen[number]++;
    const auto kind = kind_of(call);
    EXPECT_TRUE(kind.has_value()) << operation.name << " makes " << call << ": say how it may fail";
    const auto add = [&](Intervention what, int error_number) {
      injections.push_back({&operation, {what, at, error_number, number}, call});
    };
    if (kind == CallKind::kMemory) add(Intervention::kFail, ENOMEM);
    if (kind != CallKind::kFile) continue;
    for (const int error_number : kErrors) {
      if (call != "getrandom" || error_number != ENOMEM)
        add(Intervention::kFail, error_number);  // it has none
    }
    if (call == "read" || call == "write") add(Intervention::kShorten, 0);
  }
  return injections;
}

/// An error that a caller can act on: its class, its reason, the system's own number, and a text.
std::string judge_error(const Injection& injection, const Outcome& outcome) {
  const bool is_memory = outcome.code == ErrorCode::kOutOfMemory || outcome.is_thrown;
  if (injection.plan.error_number == ENOMEM) return is_memory ? "" : "no memory, but another error";
  if (outcome.is_thrown) return "std::bad_alloc";
  if (outcome.code == ErrorCode::kInternal || outcome.reason == Reason::kInternal) return "internal";
  // OpenSSL asks for random numbers by itself, and hands on that there were none, not why.
  const bool is_of_openssl = injection.call == "getrandom" && outcome.native_code == 0 &&
                             std::strstr(outcome.message, "random numbers") != nullptr;
  if (outcome.native_code != injection.plan.error_number && !is_of_openssl) return "the error lost its errno";
  if (std::strlen(outcome.message) < 20) return "an error without a text";
  return "";
}

struct Verdict {
  std::string complaint;   ///< empty: nothing is wrong
  bool is_ok = false;      ///< the operation got through
  bool is_reached = true;  ///< false: it did not ask for memory this time
};

Verdict disturb(const WorldTemplate& origin, const Injection& injection) {
  const Operation& operation = *injection.operation;
  const World world = origin.fresh();
  operation.prepare(world);
  const Shared<Outcome> outcome;
  const StepTrace trace = run_stepped(
      [&] {
        try {
          tell(*outcome, operation.act(world));
        } catch (const std::bad_alloc&) {
          outcome->is_thrown = true;
          outcome->is_done = true;
        }
      },
      injection.plan);
  const bool is_leaking = WIFEXITED(trace.status) && WEXITSTATUS(trace.status) == kLeakedDescriptor;
  if (!trace.has_fired && injection.plan.error_number == ENOMEM) return {"", false, false};
  if (!trace.has_fired) return {"not reached"};
  if (!outcome->is_done) return {"it died, wait status " + std::to_string(trace.status)};
  std::string why;
  const After after = operation.look(world, why);
  if (after == After::kBad) return {"bad state: " + why};
  if (!operation.is_cleared) {
    for (const fs::path& folder : {world.sets(), world.cache()}) clear_leftovers(posix_file_system(), folder);
  }
  if (const auto left = leftovers(world.root); !left.empty()) return {"left behind: " + left.front()};
  // A close that is not made leaves the descriptor open: that is the injection's doing.
  if (is_leaking && injection.call != "close") return {"a descriptor was left open"};
  const bool is_right = after == After::kNew || operation.may_skip;
  if (outcome->is_ok && !is_right) return {"success without the new state"};
  if (outcome->is_ok) return {may_be_got_over(injection) ? "" : "nobody was told", true};
  if (must_go_on(injection)) return {"not continued: " + std::string(outcome->message)};
  const std::string untyped = judge_error(injection, *outcome);
  return {untyped.empty() ? "" : untyped + ": " + outcome->message};
}

struct Injections {
  std::int64_t made = 0, answered_ok = 0;
  std::vector<std::string> complaints;
};

/// One in `stride` of them, from a seeded start.
Injections inject(const WorldTemplate& origin, const Operation& operation, std::int64_t stride) {
  Injections done;
  const World world = origin.fresh();
  operation.prepare(world);
  const StepTrace dry = run_stepped([&] { operation.act(world).value(); });
  EXPECT_EQ(dry.status, 0) << operation.name << " does not get through undisturbed";
  const auto all = injections_into(operation, dry.calls);
  std::mt19937 random(static_cast<unsigned>(stride));
  const auto first = random() % static_cast<std::size_t>(stride);
  for (std::size_t index = first; index < all.size(); index += static_cast<std::size_t>(stride)) {
    const Verdict verdict = disturb(origin, all[index]);
    done.made += verdict.is_reached ? 1 : 0;
    done.answered_ok += verdict.is_ok ? 1 : 0;
    if (!verdict.complaint.empty()) done.complaints.push_back(text_of(all[index]) + ": " + verdict.complaint);
  }
  std::cout << operation.name << ": " << dry.calls.size() << " system calls, " << done.made
            << " injections, of which " << done.answered_ok << " were got over\n";
  return done;
}

class ErrnoInjection : public testing::Test {
 protected:
  WorldTemplate origin_{memory_folder()};
};

TEST_F(ErrnoInjection, IsATypedErrorAndLeavesNothingBehind) {
  const WorldTemplate three_sets(memory_folder(), 3);
  std::int64_t made = 0;
  for (const Operation& operation :
       {publish_operation(origin_.record()), after_a_kill(publish_operation(origin_.record())),
        sign_operation(origin_.record()), verify_operation(), admit_operation(origin_.record()),
        accept_operation(true), accept_operation(false), reset_operation(), read_operation(),
        collect_operation(), engine_operation(origin_.record()), keys_operation(),
        adopt_operation(origin_.record()), sidecar_operation()}) {
    const WorldTemplate& origin = operation.name == "collect" ? three_sets : origin_;
    const Injections done = inject(origin, operation, skua_test::count("errno_stride"));
    for (const std::string& complaint : done.complaints) ADD_FAILURE() << complaint;
    made += done.made;
  }
  skua_test::reached("errno_injections", made);
  EXPECT_GE(made, skua_test::count("errno_injections"));
}

/// What a call answers that nobody has ever seen answer so: no room can be taken on this file system, and a
/// write that takes nothing, which would be tried for ever.
TEST_F(ErrnoInjection, OfReserveAndWriteTheOddAnswersAreKnown) {
  const World world = origin_.fresh();
  const auto write_file = [&](long call, int error_number) {
    fs::remove(world.state() / "f");
    const Shared<Outcome> outcome;
    const StepTrace trace = run_stepped(
        [&] {
          const auto folder = posix_file_system().open_folder(world.state()).value();
          const auto file = folder->create("f").value();
          Status done = file->reserve(4096);
          if (done.ok()) done = file->write(std::as_bytes(std::span("text", 4)));
          tell(*outcome, done);
        },
        {Intervention::kFail, 0, error_number, call});
    EXPECT_TRUE(trace.has_fired);
    return *outcome;
  };
  EXPECT_TRUE(write_file(SYS_fallocate, EOPNOTSUPP).is_ok);
  EXPECT_TRUE(write_file(SYS_fallocate, ENOSYS).is_ok);
  EXPECT_EQ(write_file(SYS_fallocate, ENOSPC).reason, Reason::kDiskFull);
  EXPECT_EQ(write_file(SYS_write, 0).native_code, EIO);
}

/// Negative control: one write, no look at how much it wrote, no cleaning up, and an error without a type.
TEST_F(ErrnoInjection, ACarelessWriterIsCaught) {
  Operation careless = publish_operation(origin_.record());
  careless.act = [](const World& world) -> Status {
    const std::string temporary = world.sets() / ".tmp-00c0ffee00c0ffee", content = set_id_of(1) + "\n";
    const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    const bool is_done =
        file >= 0 && write(file, content.data(), content.size()) > 0 && fsync(file) == 0 &&
        renameat(AT_FDCWD, temporary.c_str(), AT_FDCWD, (world.sets() / kCurrentName).c_str()) == 0;
    close(file);
    if (!is_done) return make_error(ErrorCode::kInternal, Reason::kInternal, "it did not work");
    return {};
  };
  careless.look = [](const World& world, std::string& why) { return flying_is(world, 1, 1, why); };
  std::string text;
  for (const std::string& complaint : inject(origin_, careless, 1).complaints) text += complaint + "\n";
  EXPECT_NE(text.find("write 0, short: bad state"), std::string::npos) << text;
  EXPECT_NE(text.find("fsync 0, EIO: left behind"), std::string::npos) << text;
  EXPECT_NE(text.find("openat 0, EACCES: internal"), std::string::npos) << text;
  EXPECT_NE(text.find("openat 0, EINTR: not continued"), std::string::npos) << text;
}

/// Negative control: all is there, but whether it is on the disk nobody asked.
TEST_F(ErrnoInjection, AnErrorThatIsKeptBackByACarelessWriterIsCaught) {
  Operation careless = accept_operation(false);
  careless.act = [](const World& world) -> Status {
    SKUA_ASSIGN_OR_RETURN(const auto state, posix_file_system().open_folder(world.state()));
    static_cast<void>(state->sync());
    return accept_sequence(posix_file_system(), world.state(), 6);
  };
  const Injections done = inject(origin_, careless, 1);
  EXPECT_THAT(done.complaints,
              testing::Contains(testing::HasSubstr("accept, fsync 0, EIO: nobody was told")));
}

}  // namespace
}  // namespace skua::test
