#include "core/host_probe.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "core/host_files.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSmallFile = std::size_t{64} << 10U;
constexpr std::size_t kCpuInfoLimit = std::size_t{4} << 20U;    // some hundred cores
constexpr std::size_t kPackagesLimit = std::size_t{64} << 20U;  // a desktop has about 5 MB

// Source: NVIDIA's published list of JetPack releases (JetPack archive and Jetson Linux release notes).
// Several L4T releases share one JetPack: in a file name it is a label, and the gate compares the L4T release
// itself as well.
struct JetpackRow {
  std::string_view l4t, jetpack;
};
constexpr std::array kJetpacks = {
    JetpackRow{"35.1.0", "5.0.2"}, JetpackRow{"35.2.1", "5.1"},   JetpackRow{"35.3.1", "5.1.1"},
    JetpackRow{"35.4.1", "5.1.2"}, JetpackRow{"35.5.0", "5.1.3"}, JetpackRow{"35.6.0", "5.1.4"},
    JetpackRow{"35.6.1", "5.1.5"}, JetpackRow{"35.6.2", "5.1.5"}, JetpackRow{"35.6.3", "5.1.5"},
    JetpackRow{"35.6.4", "5.1.6"}, JetpackRow{"36.0.0", "6.0"},   JetpackRow{"36.2.0", "6.0"},
    JetpackRow{"36.3.0", "6.0"},   JetpackRow{"36.4.0", "6.1"},   JetpackRow{"36.4.2", "6.1"},
    JetpackRow{"36.4.3", "6.2"},   JetpackRow{"36.4.4", "6.2.1"}, JetpackRow{"36.4.7", "6.2.1"},
    JetpackRow{"36.5.0", "6.2.2"}, JetpackRow{"38.2.0", "7.0"},   JetpackRow{"38.2.1", "7.0"},
    JetpackRow{"38.2.2", "7.0"},   JetpackRow{"38.4.0", "7.1"},   JetpackRow{"39.0.0", "7.2"},
    JetpackRow{"39.2.0", "7.2"},
};

std::string first_part(std::string_view text, std::string_view separators) {
  return std::string(text.substr(0, text.find_first_of(separators)));
}

// "# R36 (release), REVISION: 4.3, GCID: ..." is 36.4.3.
std::string l4t_of_release_file(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  constexpr std::string_view kStart = "# R", kRevision = "REVISION:";
  const auto revision_at = line.find(kRevision);
  if (!line.starts_with(kStart) || revision_at == std::string_view::npos) return {};
  const std::string major = first_part(line.substr(kStart.size()), " (,");
  const std::string revision(trimmed(first_part(line.substr(revision_at + kRevision.size()), ",")));
  std::string l4t = major + "." + revision;
  const bool has_three_parts = std::count(l4t.begin(), l4t.end(), '.') == 2;
  return is_dotted_digits(l4t) && has_three_parts ? l4t : std::string();
}

// "36.4.3-20250107174145" is 36.4.3; also "10.3.0.30-1+cuda12.5".
std::string upstream_version(const std::string& package_version) {
  std::string version = first_part(package_version, "-+~");
  return is_dotted_digits(version) ? version : std::string();
}

std::string version_of(const fs::path& root, const std::vector<std::string>& packages) {
  const std::string status = read_host_file(root / "var/lib/dpkg/status", kPackagesLimit);
  const auto versions = package_versions(status, packages);
  for (const std::string& package : packages) {
    const auto found = versions.find(package);
    if (found != versions.end()) return upstream_version(found->second);
  }
  return {};
}

std::string probe_l4t(const fs::path& root) {
  std::string l4t = l4t_of_release_file(read_host_file(root / "etc/nv_tegra_release", kSmallFile));
  return l4t.empty() ? version_of(root, {"nvidia-l4t-core"}) : l4t;
}

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
  std::string major_minor() const { return std::to_string(major) + "." + std::to_string(minor); }
  std::string text() const { return major_minor() + "." + std::to_string(patch); }
};

std::optional<Version> library_version(std::string_view file_name) {
  constexpr std::string_view kStart = "libnvinfer.so.";
  if (!file_name.starts_with(kStart)) return std::nullopt;
  std::string_view rest = file_name.substr(kStart.size());
  std::vector<int> numbers;
  while (is_dotted_digits(rest)) {
    const auto number = parse_int64(first_part(rest, "."));
    if (!number || *number > 9999) return std::nullopt;
    numbers.push_back(static_cast<int>(*number));
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (numbers.size() != 3) return std::nullopt;  // libnvinfer.so.10 is a link to the full name
  return Version{numbers[0], numbers[1], numbers[2]};
}

// The newest one, when several are installed: what a program that asks for the newest would load.
std::optional<Version> probe_tensorrt(const fs::path& root) {
  std::optional<Version> newest;
  for (const char* folder : {"usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib"}) {
    std::error_code error;
    for (fs::directory_iterator it(root / folder, error), end; !error && it != end; it.increment(error)) {
      const auto version = library_version(it->path().filename().string());
      if (version && (!newest || *newest < *version)) newest = version;
    }
  }
  return newest;
}

// The package knows the fourth number. A package of another version than the library says nothing about it.
std::string tensorrt_build(const fs::path& root, const Version& library) {
  const std::string build =
      version_of(root, {"libnvinfer" + std::to_string(library.major), "libnvinfer-bin"});
  const bool is_same = build == library.text() || build.starts_with(library.text() + ".");
  return is_same ? build : library.text();
}

// version.json of the CUDA toolkit: {"cuda": {"version": ...}, "cuda_cudart": {"version": ...}, ...}
std::string probe_cuda_runtime(const fs::path& root) {
  const auto json = parse_json(read_host_file(root / "usr/local/cuda/version.json", kSmallFile));
  if (!json.ok() || !json->is_object()) return {};
  for (const char* component : {"cuda_cudart", "cuda"}) {
    const auto entry = json->find(component);
    if (entry == json->end() || !entry->is_object()) continue;
    const auto version = entry->find("version");
    if (version == entry->end() || !version->is_string()) continue;
    const auto& text = version->get_ref<const std::string&>();
    if (is_dotted_digits(text)) return text;
  }
  return {};
}

// The device tree ends its texts with NUL.
std::string probe_module_name(const fs::path& root) {
  const std::string text = read_host_file(root / "proc/device-tree/model", kSmallFile);
  const std::string_view name = trimmed(std::string_view(text).substr(0, text.find('\0')));
  constexpr std::size_t kLongest = 256;
  const bool is_printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return is_printable && name.size() <= kLongest ? std::string(name) : std::string();
}

std::string machine_name() {
  utsname names{};
  return uname(&names) == 0 ? names.machine : "";
}

}  // namespace

std::string jetpack_of_l4t(std::string_view l4t) {
  const auto* row =
      std::find_if(kJetpacks.begin(), kJetpacks.end(), [&](const JetpackRow& r) { return r.l4t == l4t; });
  return row == kJetpacks.end() ? std::string() : std::string(row->jetpack);
}

HostTuple probe_host(const fs::path& root, GpuProbe& gpu) {
  HostTuple host;
  host.l4t = probe_l4t(root);
  if (!host.l4t.empty()) {
    // A release that the table does not know stands under its own number: never a guess at the nearest
    // JetPack.
    const std::string jetpack = jetpack_of_l4t(host.l4t);
    host.jetpack = jetpack.empty() ? host.l4t : jetpack;
  }
  if (const auto tensorrt = probe_tensorrt(root)) {
    host.tensorrt = tensorrt->major_minor();
    host.tensorrt_build = tensorrt_build(root, *tensorrt);
  }
  if (const auto facts = gpu.probe()) {
    host.sm = facts->sm;
    host.sm_count = facts->sm_count;
    host.cuda_driver = facts->driver;
  }
  host.cuda_runtime = probe_cuda_runtime(root);
  host.module_name = probe_module_name(root);
  host.cpu_arch = machine_name();
  host.cpu_features = cpu_features_of(read_host_file(root / "proc/cpuinfo", kCpuInfoLimit));
  return host;
}

}  // namespace skua
