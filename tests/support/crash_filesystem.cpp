#include "crash_filesystem.h"

#include <algorithm>
#include <map>
#include <random>

namespace skua::test {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMostViolations = 5;

/// A file with bytes that no sync covers yet.
struct PendingFile {
  std::uint64_t inode = 0;
  std::string bytes;        ///< as written
  std::size_t durable = 0;  ///< so many of them are on the disk for certain
  std::size_t blocks() const { return (bytes.size() + kBlock - 1) / kBlock; }
};

/// What reached the disk of a PendingFile: its length, and which blocks are not zeros.
struct FileChoice {
  std::size_t length = 0;
  std::vector<bool> has_block;
};

std::string content_of(const PendingFile& file, const FileChoice& choice) {
  std::string content = file.bytes.substr(0, std::max(choice.length, file.durable));
  for (std::size_t at = file.durable; at < content.size(); ++at) {
    if (!choice.has_block[at / kBlock]) content[at] = '\0';
  }
  return content;
}

FileChoice all_of(const PendingFile& file) {
  return {file.bytes.size(), std::vector<bool>(file.blocks(), true)};
}
FileChoice none_of(const PendingFile& file) { return {0, std::vector<bool>(file.blocks(), false)}; }
FileChoice zeros_of(const PendingFile& file) {
  return {file.bytes.size(), std::vector<bool>(file.blocks(), false)};
}
FileChoice half_of(const PendingFile& file) {
  return {file.blocks() / 2 * kBlock, std::vector<bool>(file.blocks(), true)};
}

}  // namespace

/// The power goes after the first `count` operations of a log: what is on the disk then for certain, and what
/// may be.
class CrashExplorer::Moment {
 public:
  Moment(const CrashLog& log, std::size_t count) : log_(log), count_(count), base_(log.before) {
    for (std::size_t i = 0; i < count; ++i) {
      for (const EntryChange& change : log.ops[i].changes) {
        base_.ensure(change.folder, true, 0755);
        if (change.inode != 0) base_.ensure(change.inode, change.is_folder, change.mode);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (log.ops[i].kind == DiskOpKind::kEntries && !is_synced(i)) entries_.push_back(i);
    }
    collect_files();
  }

  std::size_t promises() const {
    const auto& given = log_.promises;
    return static_cast<std::size_t>(
        std::count_if(given.begin(), given.end(), [&](std::size_t at) { return at <= count_; }));
  }
  const std::vector<std::size_t>& entries() const { return entries_; }
  const std::vector<PendingFile>& files() const { return files_; }

  /// `has_entry` and `choices` go with entries() and files().
  MemoryTree state(const std::vector<bool>& has_entry, const std::vector<FileChoice>& choices) const {
    MemoryTree tree = base_;
    std::size_t next = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const bool is_open = next < entries_.size() && entries_[next] == i;
      const bool is_there = !is_open || has_entry[next];
      if (is_open) ++next;
      if (!is_there) continue;
      for (const EntryChange& change : log_.ops[i].changes) apply_change(tree, change);
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      tree.at(files_[i].inode).bytes = std::make_shared<const std::string>(content_of(files_[i], choices[i]));
    }
    return tree;
  }

  std::string text() const {
    const std::string last = count_ == 0 ? "the start" : log_.ops[count_ - 1].text;
    return "power off after operation " + std::to_string(count_) + " (" + last + ")";
  }
  /// What of the choice is not on the disk.
  std::string lost(const std::vector<bool>& has_entry) const {
    std::string text;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!has_entry[i]) text += (text.empty() ? "" : ", ") + log_.ops[entries_[i]].text;
    }
    return text.empty() ? "all entries kept" : "lost: " + text;
  }

 private:
  bool is_synced(std::size_t op) const {
    const auto is_folder_synced = [&](const EntryChange& change) {
      for (std::size_t i = op + 1; i < count_; ++i) {
        const DiskOp& later = log_.ops[i];
        if (later.kind == DiskOpKind::kSyncFolder && later.inode == change.folder) return true;
      }
      return false;
    };
    const auto& changes = log_.ops[op].changes;
    return std::all_of(changes.begin(), changes.end(), is_folder_synced);
  }

  void collect_files() {
    std::map<std::uint64_t, PendingFile> files;
    for (std::size_t i = 0; i < count_; ++i) {
      const DiskOp& op = log_.ops[i];
      if (op.kind != DiskOpKind::kWrite && op.kind != DiskOpKind::kSyncFile) continue;
      PendingFile& file = files[op.inode];
      file.inode = op.inode;
      if (op.kind == DiskOpKind::kSyncFile) {
        file.durable = file.bytes.size();
      } else {
        file.bytes += op.bytes;  // files are only ever written from their beginning to their end
      }
    }
    for (auto& [inode, file] : files) {
      // A file from before that was only synced.
      if (file.bytes.empty()) continue;
      base_.at(inode).bytes = std::make_shared<const std::string>(file.bytes);
      if (file.durable < file.bytes.size()) files_.push_back(std::move(file));
    }
  }

  const CrashLog& log_;
  std::size_t count_;
  MemoryTree base_;
  std::vector<std::size_t> entries_;
  std::vector<PendingFile> files_;
};

void CrashExplorer::judge(const MemoryTree& tree, const Moment& moment, const std::string& what) {
  const std::string digest = tree.digest().hex();
  states_.insert(digest);
  if (!judged_.emplace(digest, moment.promises()).second) return;
  MemoryFileSystem disk(tree);
  const std::string verdict = judge_(disk, moment.promises());
  if (verdict.empty() || violations_.size() >= kMostViolations) return;
  violations_.push_back(moment.text() + ", " + what + ": " + verdict);
}

namespace {

template <typename Choose>
std::vector<FileChoice> choices(const std::vector<PendingFile>& files, Choose choose) {
  std::vector<FileChoice> chosen;
  for (const PendingFile& file : files) chosen.push_back(choose(file));
  return chosen;
}

/// All kept, none kept, all but one, only one.
std::vector<std::vector<bool>> edge_choices(std::size_t count) {
  std::vector<std::vector<bool>> result;
  for (const bool rest : {true, false}) {
    const std::vector<bool> base(count, rest);
    result.push_back(base);
    for (std::size_t i = 0; i < count; ++i) {
      result.push_back(base);
      result.back()[i] = !rest;
    }
  }
  return result;
}

FileChoice chance_of(const PendingFile& file, std::mt19937_64& random) {
  if (random() % 4 == 0) return all_of(file);
  FileChoice choice;
  choice.length = random() % 2 == 0 ? file.bytes.size()
                                    : std::min(file.bytes.size(), random() % (file.blocks() + 1) * kBlock);
  for (std::size_t i = 0; i < file.blocks(); ++i) choice.has_block.push_back(random() % 2 == 0);
  return choice;
}

}  // namespace

void CrashExplorer::explore_edges(const CrashLog& log) {
  for (std::size_t count = log.from; count <= log.ops.size(); ++count) {
    const Moment moment(log, count);
    for (const std::vector<bool>& has_entry : edge_choices(moment.entries().size())) {
      for (const auto choose : {all_of, none_of, zeros_of, half_of}) {
        if (is_over()) return;
        judge(moment.state(has_entry, choices(moment.files(), choose)), moment, moment.lost(has_entry));
        if (moment.files().empty()) break;
      }
    }
  }
}

void CrashExplorer::explore_by_chance(const CrashLog& log, std::size_t wanted, std::uint64_t seed) {
  constexpr int kMostIdleRounds = 12;
  std::mt19937_64 random(seed);
  std::vector<Moment> moments;
  for (std::size_t count = log.from; count <= log.ops.size(); ++count) moments.emplace_back(log, count);
  for (int idle = 0; idle < kMostIdleRounds; ++idle) {
    const std::size_t before = states_.size();
    for (const Moment& moment : moments) {
      if (states_.size() >= wanted || is_over()) return;
      const std::uint64_t of_four = 1 + random() % 3;  // how many of four entries are kept, about
      std::vector<bool> has_entry;
      for (std::size_t i = 0; i < moment.entries().size(); ++i) has_entry.push_back(random() % 4 < of_four);
      const auto chosen =
          choices(moment.files(), [&](const PendingFile& file) { return chance_of(file, random); });
      judge(moment.state(has_entry, chosen), moment, moment.lost(has_entry));
    }
    if (states_.size() != before) idle = -1;
  }
}

}  // namespace skua::test
