#include "memory_filesystem.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include "cache/manifest.h"
#include "cache/staged_copy.h"
#include "core/hash.h"

namespace skua::test {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint32_t kFolderMode = 0755;

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// Length, and which blocks are zero.
std::string outline(const std::string& bytes) {
  std::string text = std::to_string(bytes.size()) + ":";
  for (std::size_t at = 0; at < bytes.size(); at += kBlock) {
    const auto block = std::string_view(bytes).substr(at, kBlock);
    text += block.find_first_not_of('\0') == std::string_view::npos ? '0' : '1';
  }
  return text;
}

/// Whether an entry called `name` is left out of a digest.
using LeftOut = std::function<bool(const std::string& name)>;

/// `name` is what the node is called in its folder.
std::string node_text(const MemoryTree& tree, std::uint64_t inode, const std::string& name,
                      const LeftOut& is_left_out) {
  const MemoryNode& node = tree.at(inode);
  if (!node.is_folder) {
    const bool is_random = is_leftover(name) || name == kSignatureName;
    return "f" + (is_random ? outline(*node.bytes) : sha256_of(as_bytes(*node.bytes)).hex());
  }
  std::vector<std::string> children;
  for (const auto& [child, child_inode] : node.entries) {
    if (is_left_out(child)) continue;
    const std::string shown = is_leftover(child) ? child.substr(0, child.find('-')) : child;
    children.push_back(shown + "=" + node_text(tree, child_inode, child, is_left_out));
  }
  std::sort(children.begin(), children.end());
  std::string text;
  for (const std::string& child : children) text += child + "\n";
  return "d" + sha256_of(as_bytes(text)).hex();
}

Error memory_error(Reason reason, const std::string& doing, const std::string& path, int error_number) {
  return make_error(ErrorCode::kIo, reason, doing + " " + path + ": " + std::strerror(error_number),
                    error_number);
}

}  // namespace

MemoryTree::MemoryTree() { ensure(kRoot, true, kFolderMode); }

MemoryNode& MemoryTree::ensure(std::uint64_t inode, bool is_folder, std::uint32_t mode) {
  const auto [at, is_new] = nodes_.try_emplace(inode);
  if (is_new) {
    at->second.is_folder = is_folder;
    at->second.mode = mode;
    if (!is_folder) at->second.bytes = std::make_shared<const std::string>();
  }
  last_inode_ = std::max(last_inode_, inode);
  return at->second;
}

Sha256 MemoryTree::digest() const {
  return sha256_of(as_bytes(node_text(*this, kRoot, "", [](const std::string&) { return false; })));
}

Sha256 MemoryTree::visible_digest() const {
  const LeftOut is_left_out = [](const std::string& name) { return is_leftover(name); };
  return sha256_of(as_bytes(node_text(*this, kRoot, "", is_left_out)));
}

std::optional<Sha256> MemoryTree::digest_below(const std::string& path, const std::string& left_out) const {
  std::uint64_t inode = kRoot;
  for (const auto& part : std::filesystem::path(path).relative_path()) {
    const auto& entries = at(inode).entries;
    const auto found = entries.find(part.string());
    if (found == entries.end() || !at(found->second).is_folder) return std::nullopt;
    inode = found->second;
  }
  const LeftOut is_left_out = [&](const std::string& name) { return name == left_out; };
  return sha256_of(as_bytes(node_text(*this, inode, "", is_left_out)));
}

/// The disk, its log, and who holds locks.
struct MemoryFileSystem::State {
  MemoryTree tree;
  std::vector<DiskOp> log;
  struct Lock {
    int shared = 0;
    bool is_exclusive = false;
  };
  std::map<std::uint64_t, Lock> locks;
};

namespace {

using StatePtr = std::shared_ptr<MemoryFileSystem::State>;

FileInfo info_of(const MemoryNode& node, std::uint64_t inode) {
  FileInfo info;
  info.kind = node.is_folder ? FileKind::kFolder : FileKind::kRegular;
  info.size = node.is_folder ? 0 : node.bytes->size();
  info.owner = ::geteuid();
  info.mode = node.mode;
  info.links = 1;  // names are moved as a whole: nothing here ever has two
  info.device = 1;
  info.inode = inode;
  return info;
}

class MemoryReadFile final : public ReadFile {
 public:
  explicit MemoryReadFile(FileInfo info, std::shared_ptr<const std::string> bytes)
      : info_(info), bytes_(std::move(bytes)) {}
  Result<FileInfo> info() const override { return info_; }
  Result<std::size_t> read(std::span<std::byte> into) override {
    const std::size_t got = std::min(into.size(), bytes_->size() - at_);
    std::memcpy(into.data(), bytes_->data() + at_, got);
    at_ += got;
    return got;
  }

 private:
  FileInfo info_;
  std::shared_ptr<const std::string> bytes_;
  std::size_t at_ = 0;
};

class MemoryWriteFile final : public WriteFile {
 public:
  MemoryWriteFile(StatePtr state, std::uint64_t inode, std::string path)
      : state_(std::move(state)), inode_(inode), path_(std::move(path)) {}
  Status write(std::span<const std::byte> bytes) override {
    MemoryNode& node = state_->tree.at(inode_);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.empty()) return {};
    state_->log.push_back({DiskOpKind::kWrite, "write " + path_, {}, inode_, node.bytes->size(), text});
    node.bytes = std::make_shared<const std::string>(*node.bytes + text);
    return {};
  }
  Status reserve(std::uint64_t) override { return {}; }
  Status sync() override {
    state_->log.push_back({DiskOpKind::kSyncFile, "sync " + path_, {}, inode_, 0, {}});
    return {};
  }

 private:
  StatePtr state_;
  std::uint64_t inode_;
  std::string path_;
};

class MemoryFolder final : public Folder {
 public:
  MemoryFolder(StatePtr state, std::uint64_t inode, std::filesystem::path path)
      : state_(std::move(state)), inode_(inode), path_(std::move(path)) {}
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  ~MemoryFolder() override { unlock(); }

  const std::filesystem::path& path() const noexcept override { return path_; }
  Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("opening", name));
    const MemoryNode& node = state_->tree.at(inode);
    return std::unique_ptr<ReadFile>(std::make_unique<MemoryReadFile>(info_of(node, inode), node.bytes));
  }
  Result<std::unique_ptr<WriteFile>> create(std::string_view name) override { return create(name, 0644); }
  Result<std::unique_ptr<WriteFile>> create_private(std::string_view name) override {
    return create(name, 0600);
  }
  Result<std::unique_ptr<Folder>> open_folder(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("opening folder", name));
    if (!state_->tree.at(inode).is_folder) return error(Reason::kIo, "opening folder", name, ENOTDIR);
    return std::unique_ptr<Folder>(std::make_unique<MemoryFolder>(state_, inode, path_ / name));
  }
  Status make_folder(std::string_view name) override {
    if (entry(name) != 0) return error(Reason::kExists, "making folder", name, EEXIST);
    const std::uint64_t inode = state_->tree.next_inode();
    change("make-folder " + text(name), {{inode_, std::string(name), inode, true, kFolderMode}});
    return {};
  }
  Result<FileInfo> info(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("looking at", name));
    return info_of(state_->tree.at(inode), inode);
  }
  Result<FileInfo> info() const override { return info_of(state_->tree.at(inode_), inode_); }
  Status rename(std::string_view from, std::string_view to) override {
    return move("rename " + text(from) + " " + std::string(to), from, inode_, to);
  }
  Status move_into(std::string_view from, std::string_view folder, std::string_view to) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t into, find("opening folder", folder));
    return move("move " + text(from) + " " + std::string(folder) + "/" + std::string(to), from, into, to);
  }
  Status remove(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("removing", name));
    if (!state_->tree.at(inode).entries.empty()) return error(Reason::kIo, "removing", name, ENOTEMPTY);
    change("remove " + text(name), {{inode_, std::string(name), 0, false, 0}});
    return {};
  }
  Result<std::vector<std::string>> list() override {
    std::vector<std::string> names;
    for (const auto& [name, inode] : state_->tree.at(inode_).entries) names.push_back(name);
    return names;
  }
  Status sync() override {
    state_->log.push_back({DiskOpKind::kSyncFolder, "sync-folder " + path_.string(), {}, inode_, 0, {}});
    return {};
  }
  Status sync_file(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("syncing", name));
    state_->log.push_back({DiskOpKind::kSyncFile, "sync " + text(name), {}, inode, 0, {}});
    return {};
  }
  Status lock() override {
    unlock();
    auto& lock = state_->locks[inode_];
    if (lock.shared != 0 || lock.is_exclusive) return busy();
    lock.is_exclusive = is_exclusive_ = true;
    return {};
  }
  Status lock_shared() override {
    unlock();
    auto& lock = state_->locks[inode_];
    if (lock.is_exclusive) return busy();
    ++lock.shared;
    is_shared_ = true;
    return {};
  }

 private:
  std::string text(std::string_view name) const { return (path_ / name).string(); }
  Error error(Reason reason, const std::string& doing, std::string_view name, int error_number) const {
    return memory_error(reason, doing, text(name), error_number);
  }
  Error busy() const { return memory_error(Reason::kFolderBusy, "locking", path_.string(), EWOULDBLOCK); }
  std::uint64_t entry(std::string_view name) const {
    const auto& entries = state_->tree.at(inode_).entries;
    const auto found = entries.find(std::string(name));
    return found == entries.end() ? 0 : found->second;
  }
  Result<std::uint64_t> find(const std::string& doing, std::string_view name) const {
    const std::uint64_t inode = entry(name);
    if (inode == 0) return error(Reason::kNotFound, doing, name, ENOENT);
    return inode;
  }
  Result<std::unique_ptr<WriteFile>> create(std::string_view name, std::uint32_t mode) {
    if (entry(name) != 0) return error(Reason::kExists, "creating", name, EEXIST);
    const std::uint64_t inode = state_->tree.next_inode();
    change("create " + text(name), {{inode_, std::string(name), inode, false, mode}});
    return std::unique_ptr<WriteFile>(std::make_unique<MemoryWriteFile>(state_, inode, text(name)));
  }
  Status move(const std::string& what, std::string_view from, std::uint64_t into, std::string_view to) {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t inode, find("renaming", from));
    const auto& there = state_->tree.at(into).entries;
    const auto replaced = there.find(std::string(to));
    if (replaced != there.end() && !state_->tree.at(replaced->second).entries.empty()) {
      return error(Reason::kIo, "renaming", from, ENOTEMPTY);
    }
    const MemoryNode& node = state_->tree.at(inode);
    change(what, {{inode_, std::string(from), 0, false, 0},
                  {into, std::string(to), inode, node.is_folder, node.mode}});
    return {};
  }
  void change(const std::string& what, std::vector<EntryChange> changes) {
    for (const EntryChange& one : changes) apply_change(state_->tree, one);
    state_->log.push_back({DiskOpKind::kEntries, what, std::move(changes), 0, 0, {}});
  }
  void unlock() {
    auto& lock = state_->locks[inode_];
    if (is_exclusive_) lock.is_exclusive = false;
    if (is_shared_) --lock.shared;
    is_exclusive_ = is_shared_ = false;
  }

  StatePtr state_;
  std::uint64_t inode_;
  std::filesystem::path path_;
  bool is_exclusive_ = false, is_shared_ = false;
};

}  // namespace

void apply_change(MemoryTree& tree, const EntryChange& change) {
  auto& entries = tree.at(change.folder).entries;
  if (change.inode == 0) {
    entries.erase(change.name);
    return;
  }
  tree.ensure(change.inode, change.is_folder, change.mode);
  tree.at(change.folder).entries[change.name] = change.inode;
}

MemoryFileSystem::MemoryFileSystem(MemoryTree tree) : state_(std::make_shared<State>()) {
  state_->tree = std::move(tree);
}

MemoryFileSystem::~MemoryFileSystem() = default;

const MemoryTree& MemoryFileSystem::tree() const { return state_->tree; }

const std::vector<DiskOp>& MemoryFileSystem::log() const { return state_->log; }

Result<std::unique_ptr<Folder>> MemoryFileSystem::open_folder(const std::filesystem::path& path) {
  std::unique_ptr<Folder> folder = std::make_unique<MemoryFolder>(state_, MemoryTree::kRoot, "/");
  for (const auto& part : path.relative_path()) {
    if (part.empty()) continue;
    SKUA_ASSIGN_OR_RETURN(folder, folder->open_folder(part.string()));
  }
  return folder;
}

}  // namespace skua::test
