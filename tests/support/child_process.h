// Runs a function in a process of its own: for limits, mounts, users and kills that must not touch the
// test's.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#include "leave_child.h"

namespace skua::test {

struct Child {
  pid_t pid = -1;
  int output = -1;  ///< what the child writes to the descriptor it is given
};

/// Starts `work`, which gets a descriptor to write to and never returns to the test.
inline Child start_child(const std::function<void(int)>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    close(ends[0]);
    work(ends[1]);
    leave_child(0);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

/// All that is still to be read; waits for the end of the child and closes the descriptor.
inline std::string rest_of(const Child& child) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(child.output, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(child.output);
  int status = 0;
  waitpid(child.pid, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    text += "the child was ended by signal " + std::to_string(WTERMSIG(status));
  }
  return text;
}

/// The text that `work` returns, or what ended it.
inline std::string in_child(const std::function<std::string()>& work) {
  return rest_of(start_child([&](int output) {
    std::string text;
    try {
      text = work();
    } catch (const std::exception& error) {
      text = std::string("exception: ") + error.what();
    }
    if (write(output, text.data(), text.size()) < 0) _exit(1);
  }));
}

/// In a child: a mount namespace of its own with an empty file system of `size` at `folder`. The empty text,
/// or why it cannot be had here.
inline std::string mount_small_disk(const std::string& folder, const std::string& size) {
  if (unshare(CLONE_NEWNS) != 0) return std::string("no private mounts here: ") + std::strerror(errno);
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) {
    return std::string("cannot mount here: ") + std::strerror(errno);
  }
  return {};
}

/// Why mounts cannot be had; empty where they can.
inline std::string why_no_mounts(const std::string& folder) {
  return in_child([&] { return mount_small_disk(folder, "64k"); });
}

}  // namespace skua::test
