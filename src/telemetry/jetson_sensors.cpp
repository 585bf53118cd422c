// Where the sensors of a Jetson are. Names: NVIDIA Jetson Linux Developer Guide (thermal zones and throttle
// alerts per module), records of Orin Nano (L4T 36.5), AGX Orin and Thor; device-tree node names of GPUs as
// jetson_stats looks for them.
#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "telemetry/jetson_source.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxZones = 64, kMaxCoolingDevices = 64, kMaxTrips = 16, kMaxPolicies = 64,
                      kMaxHwmon = 64;

constexpr std::array<std::string_view, 9> kAlerts = {
    "cpu-throttle-alert",  "gpu-throttle-alert",  "cv0-throttle-alert",
    "cv1-throttle-alert",  "cv2-throttle-alert",  "soc0-throttle-alert",
    "soc1-throttle-alert", "soc2-throttle-alert", "soc012-throttle-alert"};
// The device-tree names of NVIDIA's GPUs: Xavier, TX2, Orin, Thor. "gpu" is a common word and proves nothing.
constexpr std::array<std::string_view, 4> kNvidiaGpuNodes = {"gv11b", "gp10b", "ga10b", "gb10b"};

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// "cpu" of "cpu-thermal" (JetPack 6) and of "CPU-therm" (JetPack 5); empty for a zone that is none of the
// module's. PMIC-Die always says 100 C [balena-os/balena-jetson#142] and thermal-fan-est is an estimate:
// neither counts.
std::string zone_base(std::string_view type) {
  std::string name(type);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "tboard_tegra" || name == "tdiode_tegra") return name;
  for (const std::string_view suffix : {"-thermal", "-therm"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix))
      return name.substr(0, name.size() - suffix.size());
  }
  return {};
}

JetsonZoneKind kind_of(std::string_view base) {
  if (base == "cpu" || base == "mcpu" || base == "bcpu") return JetsonZoneKind::kCpu;
  if (base == "gpu") return JetsonZoneKind::kGpu;
  return base == "tj" ? JetsonZoneKind::kTj : JetsonZoneKind::kOther;
}

void find_trips(const fs::path& folder, const SensorIdentity& identity, JetsonZone& zone) {
  for (const fs::path& file : numbered_files(folder, "trip_point_", "_type", kMaxTrips)) {
    const std::string type = read_sensor_text(file);
    if (type != "passive" && type != "critical") continue;  // "active" trips are steps of the fan
    std::string temp = file.string();
    temp.replace(temp.size() - std::string_view("type").size(), std::string::npos, "temp");
    (type == "passive" ? zone.passive : zone.critical).emplace_back(std::move(temp), identity);
  }
}

void find_zones(const fs::path& root, JetsonSensors& sensors) {
  for (const fs::path& folder : numbered_folders(root / "sys/class/thermal", "thermal_zone", kMaxZones)) {
    const SensorIdentity identity{(folder / "type").string(), read_sensor_text(folder / "type")};
    const std::string base = zone_base(identity.text);
    if (base.empty()) continue;
    JetsonZone zone{identity.text, kind_of(base), SysfsFile((folder / "temp").string(), identity), {}, {}};
    find_trips(folder, identity, zone);
    sensors.is_jetson = sensors.is_jetson || zone.kind == JetsonZoneKind::kTj;
    sensors.zones.push_back(std::move(zone));
  }
}

// The devfreq cooling device of the GPU: "devfreq-17000000.gpu" (JetPack 6), ".ga10b" and the like before.
// Thor's "devfreq-gpu-gpc-0" has no unit address and stands above 0 in normal use.
bool is_gpu_cap(std::string_view type) {
  constexpr std::string_view kPrefix = "devfreq-";
  if (type.starts_with(kPrefix)) type.remove_prefix(kPrefix.size());
  const std::size_t dot = type.find('.');
  if (dot == 0 || dot == std::string_view::npos) return false;
  const std::string_view address = type.substr(0, dot), node = type.substr(dot + 1);
  return address.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         (node == "gpu" || contains(kNvidiaGpuNodes, node));
}

void find_cooling(const fs::path& root, JetsonSensors& sensors) {
  for (const fs::path& folder :
       numbered_folders(root / "sys/class/thermal", "cooling_device", kMaxCoolingDevices)) {
    const SensorIdentity identity{(folder / "type").string(), read_sensor_text(folder / "type")};
    sensors.has_unknown_cooling = sensors.has_unknown_cooling || identity.text.empty();
    const bool is_alert = contains(kAlerts, identity.text);
    if (!is_alert && !is_gpu_cap(identity.text)) continue;
    SysfsFile state((folder / "cur_state").string(), identity);
    const fs::path transitions = folder / "stats/total_trans";
    if (is_alert && is_there(transitions)) {
      const SensorValue now = state.read();
      RisingCounter counter(SysfsFile(transitions.string(), identity));
      sensors.transitions.push_back({std::move(counter), now.ok() && now.value > 0});
    }
    sensors.is_jetson = sensors.is_jetson || is_alert;
    sensors.cooling.push_back({identity.text, is_alert, std::move(state), 0});
  }
}

void find_gpu_clock(const fs::path& root, JetsonSensors& sensors) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator it(root / "sys/class/devfreq", error), end; !error && it != end;
       it.increment(error)) {
    folders.push_back(it->path());
  }
  std::sort(folders.begin(), folders.end());  // Thor: gpu-gpc-0 (the graphics clock) before gpu-nvd-0
  for (const fs::path& folder : folders) {
    const fs::path node = folder / "device/of_node/name";
    const SensorIdentity identity{node.string(), read_sensor_text(node)};
    const bool is_nvidia = contains(kNvidiaGpuNodes, identity.text);
    if (!is_nvidia && identity.text != "gpu") continue;
    sensors.gpu_clock.emplace((folder / "cur_freq").string(), identity);
    sensors.gpu_clock_max.emplace((folder / "max_freq").string(), identity);
    sensors.is_jetson = sensors.is_jetson || is_nvidia;
    return;
  }
}

// oc1 under-voltage, oc2 average and oc3 instantaneous over-current [Tegra234 soctherm-oc-event driver]. The
// files ocN_throt_en beside them say what is configured, not what happens.
void find_over_current(const fs::path& root, JetsonSensors& sensors) {
  for (const fs::path& folder : numbered_folders(root / "sys/class/hwmon", "hwmon", kMaxHwmon)) {
    const SensorIdentity identity{(folder / "name").string(), read_sensor_text(folder / "name")};
    if (identity.text != "soctherm_oc") continue;
    sensors.is_jetson = true;
    for (const fs::path& file : numbered_files(folder, "oc", "_event_cnt", kMaxTrips)) {
      sensors.over_current.emplace_back(SysfsFile(file.string(), identity));
    }
  }
}

void find_cpu_clocks(const fs::path& root, JetsonSensors& sensors) {
  for (const fs::path& folder :
       numbered_folders(root / "sys/devices/system/cpu/cpufreq", "policy", kMaxPolicies)) {
    sensors.cpu_clocks.emplace_back((folder / "scaling_cur_freq").string());
  }
}

}  // namespace

JetsonSensors find_jetson_sensors(const fs::path& root) {
  JetsonSensors sensors;
  find_zones(root, sensors);
  find_cooling(root, sensors);
  find_gpu_clock(root, sensors);
  find_over_current(root, sensors);
  find_cpu_clocks(root, sensors);
  return sensors;
}

}  // namespace skua
