// Tests run as root may read everything; this takes that right away.
#pragma once

#include <unistd.h>

#include <cstdlib>

namespace skua::test {

/// This process without its right to read everything; restored at the end. Requires that no other thread
/// runs.
class AsNobody {
 public:
  AsNobody() : is_done_(geteuid() != 0 || seteuid(65534) == 0) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (getuid() == 0 && seteuid(0) != 0) std::abort();
  }
  /// False in a sandbox that allows no other user id.
  bool is_done() const { return is_done_; }

 private:
  bool is_done_;
};

}  // namespace skua::test
