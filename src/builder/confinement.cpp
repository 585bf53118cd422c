#include "builder/confinement.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#include "builder/landlock.h"
#include "builder/refused.h"
#include "builder/system_calls.h"
#include "skua_sdk_paths.h"

namespace skua::builder {
namespace {

namespace fs = std::filesystem;

/// Never raises a limit. A build within a build has those of the outer one, and cannot change them.
Status limit(int resource, rlim_t most, const char* what) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &now) != 0) return refused(what);
  const rlimit wanted{std::min(now.rlim_cur, most), std::min(now.rlim_max, most)};
  if (wanted.rlim_cur == now.rlim_cur && wanted.rlim_max == now.rlim_max) return {};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted) == 0) return {};
  if (errno == EPERM && now.rlim_max != RLIM_INFINITY) return {};
  return refused(what);
}

/// Private writable memory that this process has mapped already (VmData): libraries' data, and what a
/// sanitizer has reserved.
std::uint64_t mapped_already() {
  constexpr std::uint64_t kKib = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t size = 0;
    if (word == "VmData:" && status >> size) return size * kKib;
  }
  return 0;
}

/// A write past RLIMIT_FSIZE is an error, not a signal. An engine is made in memory before it is written.
Status set_limits(const Confinement& confinement) {
  ::signal(SIGXFSZ, SIG_IGN);
  SKUA_RETURN_IF_ERROR(limit(RLIMIT_CORE, 0, "no core dumps"));
  SKUA_RETURN_IF_ERROR(limit(RLIMIT_MSGQUEUE, 0, "no message queues"));
  SKUA_RETURN_IF_ERROR(limit(RLIMIT_FSIZE, confinement.memory_bytes, "a limit of the size of files"));
  SKUA_RETURN_IF_ERROR(
      limit(RLIMIT_CPU, static_cast<rlim_t>(confinement.cpu_seconds), "a limit of processor time"));
  return limit(RLIMIT_DATA, mapped_already() + confinement.memory_bytes, "a limit of memory");
}

/// Root's rights, but that of reading every file: whoever builds as root does so to read something. Root
/// could raise its limits again otherwise.
Status drop_capabilities() {
  constexpr std::uint32_t kKept = 1U << CAP_DAC_READ_SEARCH;
  for (unsigned long each = 0; ::prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; ++each) {
    if (each != CAP_DAC_READ_SEARCH) ::prctl(PR_CAPBSET_DROP, each, 0, 0, 0);  // EPERM: it has none to drop
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return refused("asking for capabilities");
  sets[0].permitted &= kKept;
  sets[0].effective = sets[0].permitted;
  sets[0].inheritable = 0;
  sets[1] = {};
  if (::syscall(SYS_capset, &header, sets.data()) != 0) return refused("giving up capabilities");
  return {};
}

/// GPU device files by the names that NVIDIA's drivers give them, on a PC and on a Jetson.
bool is_gpu_device(const std::string& name) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"nvidia", "nvhost", "nvmap",
                                                         "nvgpu",  "nvsci",  "host1x"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::vector<fs::path> devices_for(const Confinement& confinement) {
  std::vector<fs::path> devices{"/dev/null"};
  if (!confinement.may_use_device) return devices;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored)) {
    if (is_gpu_device(entry.path().filename())) devices.push_back(entry.path());
  }
  devices.emplace_back("/dev/dri");
  devices.emplace_back("/dev/dma_heap");
  return devices;
}

}  // namespace

Confinement confinement_for(const CompileRequest& request) {
  constexpr std::uint64_t kMib = 1U << 20U;
  const RuntimeConfig& config = request.config;
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const bool is_tensorrt = request.runtime_label == "tensorrt";
  const std::string torch_device = config.device.empty() ? SKUA_TORCH_DEVICE : config.device;
  const bool is_torch_on_gpu = request.runtime_label == "pytorch_fp16" && torch_device != "cpu";
  const bool is_onnx_on_gpu = request.runtime_label == "onnx_trt_ep" && config.execution_provider != "cpu";
  Confinement needed;
  needed.staging = request.staging_dir;
  needed.memory_bytes = static_cast<std::uint64_t>(config.build_memory_mb) * kMib;
  // Every core for the whole time, and some more: the caller ends a build that takes too long, this is for
  // one that nobody ends.
  constexpr int kSlackS = 60;
  const std::int64_t seconds = (std::int64_t{config.trtexec_timeout_s} + kSlackS) * cores;
  needed.cpu_seconds = static_cast<int>(std::min<std::int64_t>(seconds, std::numeric_limits<int>::max()));
  needed.may_start_programs = is_tensorrt;  // trtexec, polygraphy, and the build of the reference
  needed.may_use_device = is_tensorrt || is_torch_on_gpu || is_onnx_on_gpu;  // no other runtime has one
  return needed;
}

Means means_of_this_system() noexcept { return {landlock_abi(), has_call_filters()}; }

Result<std::string> confine(const Confinement& confinement, const Means& means) {
  std::string had;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return refused("giving up the rights of set-user-id files");
  SKUA_RETURN_IF_ERROR(set_limits(confinement));
  SKUA_RETURN_IF_ERROR(drop_capabilities());
  if (means.landlock_abi > 0) {
    const LandlockRules rules{confinement.staging,
                              confinement.may_start_programs || confinement.may_use_device,
                              devices_for(confinement)};
    SKUA_RETURN_IF_ERROR(restrict_writing(rules, means.landlock_abi));
    had += "landlock " + std::to_string(means.landlock_abi) + ", ";
  }
  if (means.has_call_filters) {
    SKUA_RETURN_IF_ERROR(filter_system_calls({confinement.may_start_programs, confinement.may_use_device}));
    had += "seccomp, ";
  }
  return had + "limits";
}

}  // namespace skua::builder
