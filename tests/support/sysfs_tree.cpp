#include "sysfs_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace skua::test {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& file, std::string_view text) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  if (!stream) {
    fs::create_directories(file.parent_path());
    stream.open(file, std::ios::binary | std::ios::trunc);
  }
  stream << text << std::flush;
  if (!stream) throw std::runtime_error("cannot write " + file.string());
}

std::string content_of(std::string text) {
  if (text.ends_with("\\0")) return text.replace(text.size() - 2, 2, 1, '\0');
  return text + "\n";
}

// "first rest of the line" in two.
std::pair<std::string, std::string> split(const std::string& text, const std::string& separator) {
  const auto at = text.find(separator);
  if (at == std::string::npos) throw std::runtime_error("expected '" + separator + "' in: " + text);
  return {text.substr(0, at), text.substr(at + separator.size())};
}

void make_link(const fs::path& link, const std::string& target) {
  fs::create_directories(link.parent_path());
  fs::create_directories(link.parent_path() / target);
  fs::create_directory_symlink(target, link);
}

fs::path memory_folder() { return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path(); }

}  // namespace

SysfsTree::SysfsTree(std::string_view name) : folder_(memory_folder()) {
  fs::permissions(root(), fs::perms(0755));  // another user must get to the files, as in /sys
  load(std::string(name) + ".tree");
}

fs::path SysfsTree::path(std::string_view sys_path) const {
  return root() / fs::path(sys_path).relative_path();
}

void SysfsTree::set(std::string_view sys_path, std::string_view text) const {
  write_file(path(sys_path), text);
}

void SysfsTree::replace(std::string_view sys_path, std::string_view text) const {
  const fs::path fresh = path(sys_path).string() + ".new";
  write_file(fresh, text);
  fs::rename(fresh, path(sys_path));
}

void SysfsTree::remove(std::string_view sys_path) const { fs::remove_all(path(sys_path)); }

void SysfsTree::apply(const std::string& line) const {
  if (line.front() == '/') {
    const auto [file, text] = split(line, " = ");
    return set(file, content_of(text));
  }
  const auto [directive, rest] = split(line, " ");
  if (directive == "!include") return load(rest);
  if (directive == "!mode") {
    const auto [mode, file] = split(rest, " ");
    return fs::permissions(path(file), fs::perms(std::stoi(mode, nullptr, 8)));
  }
  if (directive == "!link") {
    const auto [link, target] = split(rest, " -> ");
    return make_link(path(link), target);
  }
  const bool is_digits = directive == "!digits";
  const auto [count, file] = is_digits ? split(rest, " ") : std::pair(std::string("0"), rest);
  remove(file);
  if (is_digits) return set(file, std::string(std::stoul(count), '7'));
  if (directive == "!remove") return;
  fs::create_directories(path(file).parent_path());
  const bool is_made = directive == "!folder" ? fs::create_directory(path(file))
                                              : directive == "!fifo" && mkfifo(path(file).c_str(), 0644) == 0;
  if (!is_made) throw std::runtime_error("not understood, or not to be made: " + line);
}

void SysfsTree::load(const std::string& name) const {
  const std::string file = SKUA_SOURCE_DIR "/tests/fixtures/thermal/" + name;
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("no fixture " + file);
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    try {
      apply(line);
    } catch (const std::exception& error) {
      throw std::runtime_error(name + ":" + std::to_string(number) + ": " + error.what());
    }
  }
}

}  // namespace skua::test
