// The real file system without fsync, for tests that publish hundreds of times. What is synced, and when, is
// tested by the journal of FaultFileSystem, which counts the calls before they come here.
#pragma once

#include <memory>
#include <utility>

#include "core/filesystem.h"

namespace skua::test {

class UnsyncedWriteFile final : public WriteFile {
 public:
  explicit UnsyncedWriteFile(std::unique_ptr<WriteFile> real) : real_(std::move(real)) {}
  Status write(std::span<const std::byte> bytes) override { return real_->write(bytes); }
  Status reserve(std::uint64_t size_bytes) override { return real_->reserve(size_bytes); }
  Status sync() override { return {}; }

 private:
  std::unique_ptr<WriteFile> real_;
};

class UnsyncedFolder final : public Folder {
 public:
  explicit UnsyncedFolder(std::unique_ptr<Folder> real) : real_(std::move(real)) {}
  const std::filesystem::path& path() const noexcept override { return real_->path(); }
  Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) override {
    return real_->open_read(name);
  }
  Result<std::unique_ptr<WriteFile>> create(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(auto file, real_->create(name));
    return std::unique_ptr<WriteFile>(std::make_unique<UnsyncedWriteFile>(std::move(file)));
  }
  Result<std::unique_ptr<WriteFile>> create_private(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(auto file, real_->create_private(name));
    return std::unique_ptr<WriteFile>(std::make_unique<UnsyncedWriteFile>(std::move(file)));
  }
  Result<std::unique_ptr<Folder>> open_folder(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(auto folder, real_->open_folder(name));
    return std::unique_ptr<Folder>(std::make_unique<UnsyncedFolder>(std::move(folder)));
  }
  Status make_folder(std::string_view name) override { return real_->make_folder(name); }
  Result<FileInfo> info(std::string_view name) override { return real_->info(name); }
  Result<FileInfo> info() const override { return real_->info(); }
  Status rename(std::string_view from, std::string_view to) override { return real_->rename(from, to); }
  Status move_into(std::string_view from, std::string_view folder, std::string_view to) override {
    return real_->move_into(from, folder, to);
  }
  Status remove(std::string_view name) override { return real_->remove(name); }
  Result<std::vector<std::string>> list() override { return real_->list(); }
  Status sync() override { return {}; }
  Status sync_file(std::string_view) override { return {}; }
  Status lock() override { return real_->lock(); }
  Status lock_shared() override { return real_->lock_shared(); }

 private:
  std::unique_ptr<Folder> real_;
};

class UnsyncedFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<Folder>> open_folder(const std::filesystem::path& path) override {
    SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(path));
    return std::unique_ptr<Folder>(std::make_unique<UnsyncedFolder>(std::move(folder)));
  }
};

}  // namespace skua::test
