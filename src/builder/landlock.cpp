#include "builder/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "builder/refused.h"
#include "core/descriptor.h"

namespace skua::builder {
namespace {

// The kernel's ABI (include/uapi/linux/landlock.h): fixed for ever, and newer than many a system's headers.
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1;
constexpr int kPathBeneath = 1;

constexpr std::uint64_t kWriteFile = 1U << 1U, kRemoveFolder = 1U << 4U, kRemoveFile = 1U << 5U;
constexpr std::uint64_t kMakeFolder = 1U << 7U, kMakeFile = 1U << 8U;
constexpr std::uint64_t kMakeOthers = (1U << 6U) | (0xFU << 9U);  // devices, socket, pipe, link
constexpr std::uint64_t kRefer = 1U << 13U, kTruncate = 1U << 14U, kControlDevice = 1U << 15U;
constexpr std::uint64_t kBindAndConnectTcp = 3;
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;

struct RulesetAttributes {
  std::uint64_t files, network, scoped;
};

struct __attribute__((packed)) PathRule {
  std::uint64_t allowed;
  std::int32_t folder;
};

/// What this kernel can hold us to.
RulesetAttributes handled_by(int abi) {
  RulesetAttributes handled{kWriteFile | kRemoveFolder | kRemoveFile | kMakeFolder | kMakeFile | kMakeOthers,
                            0, 0};
  if (abi >= 2) handled.files |= kRefer;
  if (abi >= 3) handled.files |= kTruncate;
  if (abi >= 4) handled.network = kBindAndConnectTcp;
  if (abi >= 5) handled.files |= kControlDevice;
  if (abi >= 6) handled.scoped = kAbstractSocketsAndSignals;
  return handled;
}

std::size_t size_known_to(int abi) {
  if (abi >= 6) return sizeof(RulesetAttributes);
  return abi >= 4 ? offsetof(RulesetAttributes, scoped) : offsetof(RulesetAttributes, network);
}

/// Whoever is not there cannot be written to: no rule, no error.
Status allow(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
  const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!place.is_open() || ::fstat(place.get(), &status) != 0) return {};
  if (!S_ISDIR(status.st_mode)) rights &= kWriteFile | kTruncate | kControlDevice;
  const PathRule rule{rights, place.get()};
  if (::syscall(kAddRule, ruleset, kPathBeneath, &rule, 0) == 0) return {};
  return refused("Landlock: a rule for " + path.string());
}

}  // namespace

int landlock_abi() noexcept {
  const long abi = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Status restrict_writing(const LandlockRules& rules, int abi) {
  const RulesetAttributes handled = handled_by(abi);
  const Descriptor ruleset(static_cast<int>(::syscall(kCreateRuleset, &handled, size_known_to(abi), 0)));
  if (!ruleset.is_open()) return refused("Landlock: a set of rules");
  std::uint64_t below = handled.files & (kWriteFile | kTruncate | kMakeFile | kRemoveFile);
  if (rules.may_make_folders) below |= kMakeFolder | kRemoveFolder;
  SKUA_RETURN_IF_ERROR(allow(ruleset.get(), rules.folder, below));
  const std::uint64_t device = handled.files & (kWriteFile | kTruncate | kControlDevice);
  for (const auto& path : rules.devices) SKUA_RETURN_IF_ERROR(allow(ruleset.get(), path, device));
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0)
    return refused("Landlock: holding this process to its rules");
  return {};
}

}  // namespace skua::builder
