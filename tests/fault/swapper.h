// A thread that spoils the files of a set while others load it, and mends them again: another file renamed
// over one, bytes written in place, a file cut short.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "flight_world.h"

namespace skua::test {

class Swapper {
 public:
  /// Of every file of the set in `set_dir` and of CURRENT beside it; `other_set` lends the contents of its
  /// files of the same name, and its id.
  Swapper(const World& world, const fs::path& set_dir, const fs::path& other_set) : place_(world.root) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(set_dir)) {
      if (entry.is_regular_file()) add(entry.path(), other_set / fs::relative(entry.path(), set_dir));
    }
    targets_.push_back({world.sets() / kCurrentName, content_of(world.sets() / kCurrentName),
                        other_set.filename().string() + "\n"});
    thread_ = std::thread([this] { run(); });
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;
  ~Swapper() { end(); }

  /// Everything is mended when this returns.
  void end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  /// How often something was spoilt so far.
  std::uint64_t swaps() const noexcept { return swaps_; }

 private:
  struct Target {
    fs::path path;
    std::string good, other;
  };

  static std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void add(const fs::path& path, const fs::path& other) {
    Target target{path, content_of(path), content_of(other)};
    if (target.other.empty() || target.other == target.good) {  // this file is the same in both sets
      target.other = target.good;
      target.other[target.other.size() / 2] = static_cast<char>(target.other[target.other.size() / 2] ^ 1);
    }
    targets_.push_back(std::move(target));
  }

  void rename_over(const Target& target, const std::string& content) const {
    const fs::path fresh = place_ / "fresh";
    std::ofstream(fresh, std::ios::binary) << content;
    fs::rename(fresh, target.path);
  }

  static void write_in_place(const Target& target, const std::string& content) {
    const int file = open(target.path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    static_cast<void>(!pwrite(file, content.data(), content.size(), 0));
    close(file);
  }

  void spoil(const Target& target) {
    switch (random_() % 3) {
      case 0:
        rename_over(target, target.other);
        break;
      case 1:
        write_in_place(target, target.other);
        break;
      default:
        fs::resize_file(target.path, random_() % target.good.size());
        break;
    }
  }

  void pause() {
    const auto microseconds = random_() % 1000;
    if (microseconds > 200) std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }

  void run() {
    while (!is_over_) {
      const Target& target = targets_[random_() % targets_.size()];
      spoil(target);
      ++swaps_;
      pause();
      rename_over(target, target.good);
      pause();
    }
  }

  fs::path place_;
  std::vector<Target> targets_;
  std::mt19937 random_{20260403};
  std::atomic<bool> is_over_{false};
  std::atomic<std::uint64_t> swaps_{0};
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace skua::test
