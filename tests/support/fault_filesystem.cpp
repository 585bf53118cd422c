#include "fault_filesystem.h"

#include <mutex>
#include <optional>
#include <utility>

namespace skua::test {

struct FaultFileSystem::State {
  mutable std::mutex mutex;
  FaultPlan plan;
  std::vector<std::string> journal;

  /// The error this operation shall have, if any.
  std::optional<Error> step(std::string operation) {
    std::unique_lock lock(mutex);
    journal.push_back(std::move(operation));
    const std::uint64_t count = journal.size();
    if (plan.before) {
      const auto before = plan.before;
      lock.unlock();
      before(count);
      lock.lock();
    }
    const bool fails = plan.fail_at != 0 && (count == plan.fail_at || (plan.crash && count > plan.fail_at));
    if (!fails) return std::nullopt;
    return make_error(plan.code, plan.reason,
                      "injected fault at operation " + std::to_string(count) + ": " + journal.back(),
                      plan.error_number);
  }
  /// Torn is only the write that fails first: after a crash nothing happens any more.
  bool tears_now() const {
    const std::lock_guard lock(mutex);
    return plan.torn_write && journal.size() == plan.fail_at;
  }
};

namespace {

using StatePtr = std::shared_ptr<FaultFileSystem::State>;

#define SKUA_STEP(text) \
  if (auto fault = state_->step(text)) return *std::move(fault)

class FaultReadFile final : public ReadFile {
 public:
  FaultReadFile(std::unique_ptr<ReadFile> real, StatePtr state, std::string name)
      : real_(std::move(real)), state_(std::move(state)), name_(std::move(name)) {}
  Result<FileInfo> info() const override {
    SKUA_STEP("info-open " + name_);
    return real_->info();
  }
  Result<std::size_t> read(std::span<std::byte> into) override {
    SKUA_STEP("read " + name_);
    return real_->read(into);
  }

 private:
  std::unique_ptr<ReadFile> real_;
  StatePtr state_;
  std::string name_;
};

class FaultWriteFile final : public WriteFile {
 public:
  FaultWriteFile(std::unique_ptr<WriteFile> real, StatePtr state, std::string name)
      : real_(std::move(real)), state_(std::move(state)), name_(std::move(name)) {}
  Status write(std::span<const std::byte> bytes) override {
    if (auto fault = state_->step("write " + name_)) {
      if (state_->tears_now()) SKUA_RETURN_IF_ERROR(real_->write(bytes.first(bytes.size() / 2)));
      return *std::move(fault);
    }
    return real_->write(bytes);
  }
  Status reserve(std::uint64_t size_bytes) override {
    SKUA_STEP("reserve " + name_ + " " + std::to_string(size_bytes));
    return real_->reserve(size_bytes);
  }
  Status sync() override {
    SKUA_STEP("sync " + name_);
    return real_->sync();
  }

 private:
  std::unique_ptr<WriteFile> real_;
  StatePtr state_;
  std::string name_;
};

class FaultFolder final : public Folder {
 public:
  FaultFolder(std::unique_ptr<Folder> real, StatePtr state)
      : real_(std::move(real)), state_(std::move(state)) {}

  const std::filesystem::path& path() const noexcept override { return real_->path(); }
  Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) override {
    SKUA_STEP("open " + std::string(name));
    SKUA_ASSIGN_OR_RETURN(auto file, real_->open_read(name));
    return std::unique_ptr<ReadFile>(
        std::make_unique<FaultReadFile>(std::move(file), state_, std::string(name)));
  }
  Result<std::unique_ptr<WriteFile>> create(std::string_view name) override {
    SKUA_STEP("create " + std::string(name));
    SKUA_ASSIGN_OR_RETURN(auto file, real_->create(name));
    return std::unique_ptr<WriteFile>(
        std::make_unique<FaultWriteFile>(std::move(file), state_, std::string(name)));
  }
  Result<std::unique_ptr<WriteFile>> create_private(std::string_view name) override {
    SKUA_STEP("create-private " + std::string(name));
    SKUA_ASSIGN_OR_RETURN(auto file, real_->create_private(name));
    return std::unique_ptr<WriteFile>(
        std::make_unique<FaultWriteFile>(std::move(file), state_, std::string(name)));
  }
  Result<std::unique_ptr<Folder>> open_folder(std::string_view name) override {
    SKUA_STEP("open-folder " + std::string(name));
    SKUA_ASSIGN_OR_RETURN(auto folder, real_->open_folder(name));
    return std::unique_ptr<Folder>(std::make_unique<FaultFolder>(std::move(folder), state_));
  }
  Status make_folder(std::string_view name) override {
    SKUA_STEP("make-folder " + std::string(name));
    return real_->make_folder(name);
  }
  Result<FileInfo> info(std::string_view name) override {
    SKUA_STEP("info " + std::string(name));
    return real_->info(name);
  }
  Result<FileInfo> info() const override {
    SKUA_STEP("info-folder");
    return real_->info();
  }
  Status rename(std::string_view from, std::string_view to) override {
    SKUA_STEP("rename " + std::string(from) + " " + std::string(to));
    return real_->rename(from, to);
  }
  Status move_into(std::string_view from, std::string_view folder, std::string_view to) override {
    SKUA_STEP("move " + std::string(from) + " " + std::string(folder) + "/" + std::string(to));
    return real_->move_into(from, folder, to);
  }
  Status remove(std::string_view name) override {
    SKUA_STEP("remove " + std::string(name));
    return real_->remove(name);
  }
  Result<std::vector<std::string>> list() override {
    SKUA_STEP("list");
    return real_->list();
  }
  Status sync() override {
    SKUA_STEP("sync-folder");
    return real_->sync();
  }
  Status sync_file(std::string_view name) override {
    SKUA_STEP("sync-file " + std::string(name));
    return real_->sync_file(name);
  }
  Status lock() override {
    SKUA_STEP("lock");
    return real_->lock();
  }
  Status lock_shared() override {
    SKUA_STEP("lock-shared");
    return real_->lock_shared();
  }

 private:
  std::unique_ptr<Folder> real_;
  StatePtr state_;
};

}  // namespace

FaultFileSystem::FaultFileSystem(FileSystem& real) : real_(real), state_(std::make_shared<State>()) {}

FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::arm(const FaultPlan& plan) {
  const std::lock_guard lock(state_->mutex);
  state_->plan = plan;
  state_->journal.clear();
}

std::uint64_t FaultFileSystem::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->journal.size();
}

bool FaultFileSystem::has_fired() const {
  const std::lock_guard lock(state_->mutex);
  return state_->plan.fail_at != 0 && state_->journal.size() >= state_->plan.fail_at;
}

std::vector<std::string> FaultFileSystem::journal() const {
  const std::lock_guard lock(state_->mutex);
  return state_->journal;
}

Result<std::unique_ptr<Folder>> FaultFileSystem::open_folder(const std::filesystem::path& path) {
  SKUA_STEP("open-root " + path.filename().string());
  SKUA_ASSIGN_OR_RETURN(auto folder, real_.open_folder(path));
  return std::unique_ptr<Folder>(std::make_unique<FaultFolder>(std::move(folder), state_));
}

#undef SKUA_STEP

}  // namespace skua::test
