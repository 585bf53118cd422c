// A folder that watches its reader: how often each file is opened, how much of it is read; and that nobody
// writes.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/filesystem.h"

namespace skua::test {

/// What a SpyFolder saw and may falsify.
struct Spy {
  std::map<std::string, int> opens;
  std::map<std::string, std::uint64_t> bytes_read;
  std::function<void(const std::string&, FileInfo&)> edit_info = [](const std::string&, FileInfo&) {};
  /// Called after the n-th byte of a file was delivered.
  std::function<void(const std::string&)> on_read = [](const std::string&) {};
};

class SpyFile final : public ReadFile {
 public:
  SpyFile(std::unique_ptr<ReadFile> real, std::string name, Spy& spy)
      : real_(std::move(real)), name_(std::move(name)), spy_(spy) {}
  Result<FileInfo> info() const override {
    SKUA_ASSIGN_OR_RETURN(FileInfo info, real_->info());
    spy_.edit_info(name_, info);
    return info;
  }
  Result<std::size_t> read(std::span<std::byte> into) override {
    SKUA_ASSIGN_OR_RETURN(const std::size_t got, real_->read(into));
    spy_.bytes_read[name_] += got;
    spy_.on_read(name_);
    return got;
  }

 private:
  std::unique_ptr<ReadFile> real_;
  std::string name_;
  Spy& spy_;
};

/// A read-only view of a folder that counts how often each file is opened and how much of it is read.
class SpyFolder final : public Folder {
 public:
  SpyFolder(std::unique_ptr<Folder> real, Spy& spy) : real_(std::move(real)), spy_(spy) {}
  const std::filesystem::path& path() const noexcept override { return real_->path(); }
  Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) override {
    ++spy_.opens[std::string(name)];
    SKUA_ASSIGN_OR_RETURN(auto file, real_->open_read(name));
    return std::unique_ptr<ReadFile>(std::make_unique<SpyFile>(std::move(file), std::string(name), spy_));
  }
  Result<std::unique_ptr<Folder>> open_folder(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(auto folder, real_->open_folder(name));
    return std::unique_ptr<Folder>(std::make_unique<SpyFolder>(std::move(folder), spy_));
  }
  Result<FileInfo> info(std::string_view name) override {
    SKUA_ASSIGN_OR_RETURN(FileInfo info, real_->info(name));
    spy_.edit_info(std::string(name), info);
    return info;
  }
  Result<FileInfo> info() const override {
    SKUA_ASSIGN_OR_RETURN(FileInfo info, real_->info());
    spy_.edit_info(path().filename().string(), info);
    return info;
  }
  Result<std::vector<std::string>> list() override { return real_->list(); }
  // The gates write nothing: whoever calls one of these from a gate fails the test.
  Result<std::unique_ptr<WriteFile>> create(std::string_view) override { return written(); }
  Result<std::unique_ptr<WriteFile>> create_private(std::string_view) override { return written(); }
  Status make_folder(std::string_view) override { return written(); }
  Status rename(std::string_view, std::string_view) override { return written(); }
  Status move_into(std::string_view, std::string_view, std::string_view) override { return written(); }
  Status remove(std::string_view) override { return written(); }
  Status sync() override { return written(); }
  Status sync_file(std::string_view) override { return written(); }
  Status lock() override { return written(); }
  Status lock_shared() override { return real_->lock_shared(); }

 private:
  static Error written() {
    ADD_FAILURE() << "a gate wrote to the folder";
    return make_error(ErrorCode::kInternal, Reason::kInternal, "a gate wrote to the folder");
  }
  std::unique_ptr<Folder> real_;
  Spy& spy_;
};

}  // namespace skua::test
