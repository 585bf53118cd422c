// A file system in memory, for tests that need thousands of disks: quick to copy, compared by one digest, and
// with a log of everything that changed it. Folders and files only, owned by whoever runs the test. One
// thread at a time writes; several may read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/filesystem.h"
#include "skua/sha256.h"

namespace skua::test {

struct MemoryNode {
  bool is_folder = false;
  std::uint32_t mode = 0;
  std::map<std::string, std::uint64_t> entries;  ///< of a folder: name -> inode
  std::shared_ptr<const std::string> bytes;      ///< of a file
};

/// What a disk holds. A value; a copy shares the files' bytes.
class MemoryTree {
 public:
  static constexpr std::uint64_t kRoot = 1;
  MemoryTree();

  const MemoryNode& at(std::uint64_t inode) const { return nodes_.at(inode); }
  MemoryNode& at(std::uint64_t inode) { return nodes_.at(inode); }
  /// The node is made when it is not there yet.
  MemoryNode& ensure(std::uint64_t inode, bool is_folder, std::uint32_t mode);
  std::uint64_t next_inode() noexcept { return ++last_inode_; }

  /// Of all that can be reached. What is random is left out: names of temporaries and staging folders, and
  /// the bytes of signatures and temporaries, of which only the length and the blocks that are zero count.
  Sha256 digest() const;
  /// The same without temporaries and staging folders: what a reader may see.
  Sha256 visible_digest() const;
  /// The same of one folder, "/sets/set-1", without the files called `left_out`; nothing: no such folder.
  std::optional<Sha256> digest_below(const std::string& path, const std::string& left_out = "") const;

 private:
  std::map<std::uint64_t, MemoryNode> nodes_;
  std::uint64_t last_inode_ = kRoot;
};

enum class DiskOpKind : std::uint8_t { kEntries, kWrite, kSyncFile, kSyncFolder };

/// An entry that appears, changes or goes (inode 0).
struct EntryChange {
  std::uint64_t folder = 0;
  std::string name;
  std::uint64_t inode = 0;
  bool is_folder = false;
  std::uint32_t mode = 0;
};

void apply_change(MemoryTree& tree, const EntryChange& change);

/// One change of the disk, or one sync.
struct DiskOp {
  DiskOpKind kind = DiskOpKind::kEntries;
  std::string text;                  ///< "rename /sets/.tmp-12 CURRENT", for messages
  std::vector<EntryChange> changes;  ///< kEntries; more than one happen together or not at all (a rename)
  std::uint64_t inode = 0;           ///< of the file or folder that is written or synced
  std::uint64_t offset = 0;          ///< kWrite
  std::string bytes;                 ///< kWrite
};

class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(MemoryTree tree = {});
  ~MemoryFileSystem() override;
  const MemoryTree& tree() const;
  /// Everything from here on, in order.
  const std::vector<DiskOp>& log() const;

  /// Absolute paths only.
  Result<std::unique_ptr<Folder>> open_folder(const std::filesystem::path& path) override;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace skua::test
