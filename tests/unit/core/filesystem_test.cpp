#include "core/filesystem.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

#include "as_nobody.h"
#include "bytes_of.h"
#include "check.h"
#include "child_process.h"
#include "core/posix_error.h"
#include "fault_filesystem.h"
#include "temp_folder.h"

namespace skua {
namespace {

using test::bytes_of;
using test::FaultFileSystem;
using test::is_error;
using test::is_invalid;
using test::is_ok;
using test::TempFolder;
using testing::ElementsAre;

class PosixFiles : public testing::Test {
 protected:
  std::unique_ptr<Folder> open() { return posix_file_system().open_folder(root_.path()).value(); }
  Status write(std::string_view name, std::string_view text) {
    SKUA_ASSIGN_OR_RETURN(const auto file, folder_->create(name));
    SKUA_RETURN_IF_ERROR(file->write(bytes_of(text)));
    return file->sync();
  }
  TempFolder root_;
  std::unique_ptr<Folder> folder_ = open();
};

TEST_F(PosixFiles, InfoOfAnOpenFolderIsItsOwnWhateverHasItsName) {
  ASSERT_TRUE(is_ok(folder_->make_folder("a")));
  const auto a = folder_->open_folder("a").value();
  ASSERT_EQ(chmod((root_.path() / "a").c_str(), 0711), 0);
  ASSERT_TRUE(is_ok(folder_->rename("a", "b")));
  ASSERT_TRUE(is_ok(write("a", "another")));
  const FileInfo info = a->info().value();
  EXPECT_EQ(info.kind, FileKind::kFolder);
  EXPECT_EQ(info.mode, 0711U);
  EXPECT_EQ(info.owner, geteuid());
}

/// What a program prints goes to descriptors 1 and 2, whatever stands there.
std::string create_with_closed_streams(Folder& folder) {
  for (const int fd : {0, 1, 2}) close(fd);
  const auto file = folder.create("file");
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) != -1) return "a stream's number is taken";
  }
  return file.ok() && (*file)->write(bytes_of("text")).ok() ? "good" : "not written";
}

TEST_F(PosixFiles, ANewFileNeverStandsUnderAStreamsNumber) {
  EXPECT_EQ(test::in_child([&] { return create_with_closed_streams(*folder_); }), "good");
  EXPECT_EQ(read_text(*folder_, "file", 4).value(), "text");
}

/// From here on this process gets no copy of a descriptor (EMFILE). A low RLIMIT_NOFILE would do, too, but
/// takes from a sanitizer the descriptors that it checks types with.
bool forbid_copies() {
  constexpr auto kEmfile = static_cast<std::uint32_t>(EMFILE);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_DUPFD_CLOEXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | kEmfile),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// The file gets number 0 and cannot be moved away from it.
std::string create_without_a_number(Folder& folder) {
  close(0);
  if (!forbid_copies()) return "no filter";
  const auto file = folder.create("file");
  return file.ok() ? "made" : std::to_string(file.error().native_code);
}

TEST_F(PosixFiles, ANewFileThatCannotBeHeldIsNone) {
  const std::string found = test::in_child([&] { return create_without_a_number(*folder_); });
  if (found == "no filter") GTEST_SKIP() << "this kernel has no system call filters";
  EXPECT_EQ(found, std::to_string(EMFILE));
  EXPECT_THAT(folder_->list().value(), ElementsAre());
}

TEST_F(PosixFiles, NoNameLeavesTheFolder) {
  ASSERT_TRUE(is_ok(folder_->make_folder("a")));
  for (const char* bad : {"", ".", "..", "a/b"}) {
    EXPECT_TRUE(is_invalid(folder_->move_into(bad, "a", "x"), "not allowed here")) << bad;
    EXPECT_TRUE(is_invalid(folder_->move_into("x", bad, "x"), "not allowed here")) << bad;
    EXPECT_TRUE(is_invalid(folder_->move_into("x", "a", bad), "not allowed here")) << bad;
    EXPECT_TRUE(is_invalid(folder_->sync_file(bad), "not allowed here")) << bad;
  }
  for (const std::filesystem::path& path :
       {std::filesystem::path(), std::filesystem::path(std::string("a\0b", 3))})
    EXPECT_FALSE(posix_file_system().open_folder(path).ok());
  EXPECT_TRUE(is_ok(posix_file_system().open_folder("/")));
}

TEST_F(PosixFiles, AFileInAFoldersPlaceIsNoLink) {
  ASSERT_TRUE(is_ok(write("file", "text")));
  const auto file = folder_->open_folder("file");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().native_code, ENOTDIR);
  std::filesystem::create_symlink("file", root_.path() / "link");
  const auto link = folder_->open_folder("link");
  ASSERT_FALSE(link.ok());
  EXPECT_EQ(link.error().native_code, ELOOP);
}

TEST_F(PosixFiles, RoomForNothingIsThere) { EXPECT_TRUE(is_ok(folder_->create("file").value()->reserve(0))); }

TEST_F(PosixFiles, WritesAndReads) {
  ASSERT_TRUE(is_ok(write("file", "hello")));
  EXPECT_EQ(read_text(*folder_, "file", 5).value(), "hello");
  const FileInfo info = folder_->info("file").value();
  EXPECT_EQ(info.kind, FileKind::kRegular);
  EXPECT_EQ(info.size, 5U);
  EXPECT_EQ(info.links, 1U);
  EXPECT_EQ(info.owner, geteuid());
  EXPECT_EQ(info.mode & 0022U, 0U);  // never writable by others, whatever the umask
}

TEST_F(PosixFiles, SyncsWhatOthersWrote) {
  root_.write("sub/file", "x");
  root_.write("file", "x");
  std::filesystem::create_symlink("gone", root_.path() / "link");
  EXPECT_TRUE(is_ok(folder_->sync_file("file")));
  EXPECT_TRUE(is_error(folder_->sync_file("none"), ErrorCode::kIo, Reason::kNotFound));
  EXPECT_FALSE(folder_->sync_file("link").ok()) << "links are not followed";
  FaultFileSystem files;
  const auto folder = files.open_folder(root_.path()).value();
  files.arm({});
  EXPECT_TRUE(is_ok(sync_tree(*folder)));
  std::vector<std::string> syncs;
  for (const std::string& step : files.journal()) {
    if (step.starts_with("sync")) syncs.push_back(step);
  }
  EXPECT_THAT(syncs, testing::ElementsAre("sync-file file", "sync-file file", "sync-folder", "sync-folder"));
}

TEST_F(PosixFiles, ReadTellsTheEnd) {
  ASSERT_TRUE(is_ok(write("file", "hello")));
  const auto file = folder_->open_read("file").value();
  std::array<std::byte, 4> piece;
  EXPECT_EQ(file->read(piece).value(), 4U);
  EXPECT_EQ(file->read(piece).value(), 1U);
  EXPECT_EQ(file->read(piece).value(), 0U);
}

TEST_F(PosixFiles, CreateNeverOverwrites) {
  ASSERT_TRUE(is_ok(write("file", "old")));
  EXPECT_TRUE(is_error(folder_->create("file"), ErrorCode::kIo, Reason::kExists, "file"));
  EXPECT_EQ(root_.read("file"), "old");
}

TEST_F(PosixFiles, MissingNamesAreNotFoundWithPathAndErrno) {
  const auto error = folder_->open_read("none");
  EXPECT_TRUE(is_error(error, ErrorCode::kIo, Reason::kNotFound, (root_.path() / "none").string()));
  EXPECT_EQ(error.error().native_code, ENOENT);
  EXPECT_TRUE(is_error(folder_->info("none"), ErrorCode::kIo, Reason::kNotFound));
  EXPECT_TRUE(is_error(folder_->remove("none"), ErrorCode::kIo, Reason::kNotFound));
  EXPECT_TRUE(is_error(folder_->rename("none", "other"), ErrorCode::kIo, Reason::kNotFound));
  EXPECT_TRUE(is_error(folder_->open_folder("none"), ErrorCode::kIo, Reason::kNotFound));
  EXPECT_TRUE(
      is_error(posix_file_system().open_folder(root_.path() / "none"), ErrorCode::kIo, Reason::kNotFound));
}

TEST_F(PosixFiles, NamesAreSingleComponents) {
  root_.write("sub/file", "x");
  using namespace std::string_view_literals;
  // Absolute, but a place of this test's own: should the guard ever be broken, this is what gets moved away.
  const std::string absolute = (root_.path() / "sub").string();
  for (const std::string_view name :
       {""sv, "."sv, ".."sv, "sub/file"sv, std::string_view(absolute), "sub/"sv, "sub\0x"sv}) {
    const auto refuses = [&](const auto& result) {
      return is_error(result, ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "file name");
    };
    EXPECT_TRUE(refuses(folder_->open_read(name))) << name;
    EXPECT_TRUE(refuses(folder_->create(name))) << name;
    EXPECT_TRUE(refuses(folder_->open_folder(name))) << name;
    EXPECT_TRUE(refuses(folder_->make_folder(name))) << name;
    EXPECT_TRUE(refuses(folder_->info(name))) << name;
    EXPECT_TRUE(refuses(folder_->remove(name))) << name;
    EXPECT_TRUE(refuses(folder_->rename(name, "x"))) << name;
    EXPECT_TRUE(refuses(folder_->rename("sub", name))) << name;
  }
  EXPECT_TRUE(is_ok(folder_->open_folder("sub")));
  EXPECT_TRUE(is_ok(folder_->create("..x")));
}

TEST_F(PosixFiles, LinksAreNotFollowed) {
  root_.write("real/file", "x");
  std::filesystem::create_symlink("real/file", root_.path() / "link");
  std::filesystem::create_directory_symlink("real", root_.path() / "folder-link");
  EXPECT_TRUE(is_error(folder_->open_read("link"), ErrorCode::kIo, Reason::kNotRegularFile, "link"));
  EXPECT_TRUE(is_error(folder_->open_folder("folder-link"), ErrorCode::kIo, Reason::kNotRegularFile, "link"));
  EXPECT_EQ(folder_->info("link").value().kind, FileKind::kLink);
  for (const char* spelling : {"folder-link", "folder-link/"}) {
    EXPECT_TRUE(is_error(posix_file_system().open_folder(root_.path() / spelling), ErrorCode::kIo,
                         Reason::kNotRegularFile))
        << spelling;
  }
  EXPECT_TRUE(is_ok(posix_file_system().open_folder(root_.path() / "real/")));
}

TEST_F(PosixFiles, AFileIsNoFolder) {
  root_.write("file", "x");
  EXPECT_TRUE(is_error(folder_->open_folder("file"), ErrorCode::kIo, Reason::kIo, "a folder is expected"));
  EXPECT_TRUE(is_error(posix_file_system().open_folder(""), ErrorCode::kIo, Reason::kNotFound));
}

TEST_F(PosixFiles, AFifoDoesNotBlock) {
  ASSERT_EQ(mkfifo((root_.path() / "fifo").c_str(), 0600), 0);
  const auto file = folder_->open_read("fifo").value();
  EXPECT_EQ(file->info().value().kind, FileKind::kOther);
  EXPECT_TRUE(is_error(read_text(*folder_, "fifo", 10), ErrorCode::kIo, Reason::kNotRegularFile));
}

TEST_F(PosixFiles, FoldersAreMadeListedAndRemoved) {
  ASSERT_TRUE(is_ok(folder_->make_folder("b")));
  ASSERT_TRUE(is_ok(write("a", "")));
  EXPECT_THAT(folder_->list().value(), ElementsAre("a", "b"));
  EXPECT_THAT(folder_->list().value(), ElementsAre("a", "b"));  // a second look starts from the beginning
  EXPECT_TRUE(is_error(folder_->make_folder("b"), ErrorCode::kIo, Reason::kExists));
  EXPECT_TRUE(is_ok(folder_->sync()));
  EXPECT_TRUE(is_ok(folder_->remove("b")));
  EXPECT_TRUE(is_ok(folder_->remove("a")));
  EXPECT_TRUE(folder_->list().value().empty());
}

TEST_F(PosixFiles, RenameReplacesFilesButNoFullFolder) {
  ASSERT_TRUE(is_ok(write("new", "new")));
  ASSERT_TRUE(is_ok(write("old", "old")));
  ASSERT_TRUE(is_ok(folder_->rename("new", "old")));
  EXPECT_EQ(root_.read("old"), "new");
  root_.write("full/file", "x");
  ASSERT_TRUE(is_ok(folder_->make_folder("empty")));
  EXPECT_TRUE(is_error(folder_->rename("empty", "full"), ErrorCode::kIo, Reason::kExists));
  EXPECT_TRUE(is_error(folder_->remove("full"), ErrorCode::kIo, Reason::kExists));
  EXPECT_EQ(root_.read("full/file"), "x");
}

TEST_F(PosixFiles, LockIsExclusiveUntilItsHolderGoes) {
  ASSERT_TRUE(is_ok(folder_->lock()));
  ASSERT_TRUE(is_ok(folder_->lock()));  // the holder has it
  auto other = open();
  EXPECT_TRUE(is_error(other->lock(), ErrorCode::kIo, Reason::kFolderBusy, root_.path().string()));
  folder_.reset();
  EXPECT_TRUE(is_ok(other->lock()));
}

TEST_F(PosixFiles, AFileThatMayNotGrowIsReportedAsNoSpace) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write("file", "12345");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(is_error(status, ErrorCode::kIo, Reason::kDiskFull, "file"));
  EXPECT_EQ(root_.read("file"), "1234");  // the short write went on to its error
}

TEST_F(PosixFiles, ReadTextIsBounded) {
  root_.write("file", "12345");
  EXPECT_EQ(read_text(*folder_, "file", 5).value(), "12345");
  EXPECT_TRUE(is_error(read_text(*folder_, "file", 4), ErrorCode::kIo, Reason::kTooLarge, "4 bytes"));
  root_.write("empty", "");
  EXPECT_EQ(read_text(*folder_, "empty", 0).value(), "");
  std::filesystem::create_directory(root_.path() / "folder");
  EXPECT_TRUE(is_error(read_text(*folder_, "folder", 4), ErrorCode::kIo, Reason::kNotRegularFile));
}

TEST_F(PosixFiles, RemoveTreeTakesAllBelowButFollowsNoLink) {
  root_.write("kept/file", "x");
  root_.write("tree/a/b/file", "x");
  std::filesystem::create_directory_symlink(root_.path() / "kept", root_.path() / "tree/a/link");
  EXPECT_TRUE(is_ok(remove_tree(*folder_, "tree")));
  EXPECT_FALSE(root_.has("tree"));
  EXPECT_EQ(root_.read("kept/file"), "x");
  EXPECT_TRUE(is_ok(remove_tree(*folder_, "tree")));  // nothing there is fine
}

/// As a hostile build would; one level after the other, as deep as it likes.
void make_deep(const std::filesystem::path& folder, int levels) {
  int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < levels; ++i) {
    ASSERT_EQ(mkdirat(fd, "d", 0700), 0);
    const int below = openat(fd, "d", O_RDONLY | O_DIRECTORY);
    close(fd);
    fd = below;
  }
  ASSERT_GE(fd, 0);
  close(openat(fd, "file", O_WRONLY | O_CREAT, 0600));
  close(fd);
}

TEST_F(PosixFiles, RemoveTreeTakesATreeOfAnyDepth) {
  std::filesystem::create_directory(root_.path() / "tree");
  make_deep(root_.path() / "tree", 300);
  std::filesystem::create_directory(root_.path() / "tree/moved-0");  // a name that is taken
  root_.write("kept/file", "x");
  std::filesystem::create_directory_symlink(root_.path() / "kept", root_.path() / "tree/link");
  EXPECT_TRUE(is_ok(remove_tree(*folder_, "tree")));
  EXPECT_FALSE(root_.has("tree"));
  EXPECT_EQ(root_.read("kept/file"), "x");
}

TEST_F(PosixFiles, RemoveTreeTakesFoldersThatMayNotBeEntered) {
  ASSERT_EQ(chmod(root_.path().c_str(), 0777), 0);
  const test::AsNobody nobody;
  if (!nobody.is_done()) GTEST_SKIP() << "this sandbox allows no other user";
  root_.write("tree/a/b/file", "x");
  root_.write("tree/c/file", "x");
  for (const auto& [name, mode] : {std::pair{"tree/a/b", 0}, std::pair{"tree/a", 0500},
                                   std::pair{"tree/c", 0600}, std::pair{"tree", 0100}}) {
    ASSERT_EQ(chmod((root_.path() / name).c_str(), static_cast<mode_t>(mode)), 0);
  }
  ASSERT_LT(::open((root_.path() / "tree").c_str(), O_RDONLY | O_DIRECTORY),
            0);  // control: closed to this user
  EXPECT_TRUE(is_ok(remove_tree(*folder_, "tree")));
  EXPECT_FALSE(root_.has("tree"));
}

TEST(PosixError, MapsErrnoOnce) {
  const std::pair<int, Reason> cases[] = {
      {ENOENT, Reason::kNotFound},
      {EEXIST, Reason::kExists},
      {ENOTEMPTY, Reason::kExists},
      {EACCES, Reason::kPermissionDenied},
      {EPERM, Reason::kPermissionDenied},
      {EROFS, Reason::kPermissionDenied},
      {ENOSPC, Reason::kDiskFull},
      {EDQUOT, Reason::kDiskFull},
      {EFBIG, Reason::kDiskFull},
      {ELOOP, Reason::kNotRegularFile},
      {EIO, Reason::kIo},
      {EMFILE, Reason::kIo},
      {ENOMEM, Reason::kOutOfMemory},
  };
  for (const auto& [number, reason] : cases) EXPECT_EQ(reason_of_errno(number), reason) << number;
}

TEST(PosixError, ALackOfMemoryHasItsOwnClass) {
  const Error error = posix_error("reading", "/x", ENOMEM);
  EXPECT_EQ(error.code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(error.message, testing::HasSubstr("end other programs"));
}

TEST(PosixError, MessageHasOperationPathTextAndRemedy) {
  const Error error = posix_error("writing", "/x/y", ENOSPC);
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_EQ(error.native_code, ENOSPC);
  EXPECT_EQ(error.message,
            "writing '/x/y': No space left on device; free space there, or use another folder");
}

}  // namespace
}  // namespace skua
