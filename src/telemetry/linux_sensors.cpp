// Where the sensors of a Linux machine are. Chip names and labels: Linux Documentation/hwmon (coretemp.rst,
// k10temp.rst) and Documentation/gpu/amdgpu (thermal); files: Documentation/hwmon/sysfs-interface.rst.
#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "telemetry/linux_source.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxChips = 64, kMaxInputs = 64, kMaxZones = 64, kMaxCoolingDevices = 512,
                      kMaxCpus = 256;
constexpr std::size_t kMaxPolicies = 64;  // each keeps a descriptor open, of the usual 1024

constexpr std::array<std::string_view, 4> kCpuChips = {"coretemp", "k10temp", "zenpower", "cpu_thermal"};
constexpr std::array<std::string_view, 3> kGpuChips = {"amdgpu", "nouveau", "radeon"};
// Thermal zones of the processor, for machines whose processor has no hwmon chip.
constexpr std::array<std::string_view, 3> kCpuZones = {"x86_pkg_temp", "cpu-thermal", "cpu_thermal"};

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// "temp3_crit" beside "temp3_input".
fs::path sibling(const fs::path& input, std::string_view suffix) {
  std::string text = input.string();
  text.replace(text.size() - std::string_view("input").size(), std::string::npos, suffix);
  return text;
}

// Of a processor's inputs, those that say its temperature: the package where there is one (it is the hottest
// of the cores), and not Tctl where there is Tdie (Tctl may be 10 or 27 C too high, for the fan's sake).
std::vector<fs::path> processor_inputs(const std::vector<fs::path>& inputs) {
  std::vector<fs::path> packages, others;
  const bool has_die = std::any_of(inputs.begin(), inputs.end(), [](const fs::path& input) {
    return read_sensor_text(sibling(input, "label")) == "Tdie";
  });
  for (const fs::path& input : inputs) {
    const std::string label = read_sensor_text(sibling(input, "label"));
    if (label.starts_with("Package id")) packages.push_back(input);
    if (!(has_die && label == "Tctl")) others.push_back(input);
  }
  return packages.empty() ? others : packages;
}

void add_input(const fs::path& input, const SensorIdentity& chip, std::vector<LabelledFile>& into,
               LinuxSensors& sensors) {
  into.push_back({SysfsFile(input.string(), chip), chip.text});
  const fs::path critical = sibling(input, "crit");
  if (&into != &sensors.other && is_there(critical)) {
    sensors.critical.push_back({SysfsFile(critical.string(), chip), chip.text});
  }
}

// The first input of a graphics chip is its edge, by which others mean the GPU's temperature; junction and
// memory are hotter and count for the hottest zone.
void find_gpu_chip(const fs::path& folder, const SensorIdentity& chip, const std::vector<fs::path>& inputs,
                   LinuxSensors& sensors) {
  for (const fs::path& input : inputs) {
    add_input(input, chip, &input == &inputs.front() ? sensors.gpu : sensors.other, sensors);
  }
  if (!sensors.gpu_clock && read_sensor_text(folder / "freq1_label") == "sclk") {
    sensors.gpu_clock.emplace((folder / "freq1_input").string(), chip);
  }
}

void find_hwmon(const fs::path& root, LinuxSensors& sensors) {
  for (const fs::path& folder : numbered_folders(root / "sys/class/hwmon", "hwmon", kMaxChips)) {
    const SensorIdentity chip{(folder / "name").string(), read_sensor_text(folder / "name")};
    const std::vector<fs::path> inputs = numbered_files(folder, "temp", "_input", kMaxInputs);
    if (contains(kCpuChips, chip.text)) {
      for (const fs::path& input : processor_inputs(inputs)) add_input(input, chip, sensors.cpu, sensors);
    } else if (contains(kGpuChips, chip.text)) {
      find_gpu_chip(folder, chip, inputs, sensors);
    } else if (chip.text == "acpitz") {
      for (const fs::path& input : inputs) add_input(input, chip, sensors.other, sensors);
    }
  }
}

void find_zones(const fs::path& root, LinuxSensors& sensors) {
  const bool has_chip = !sensors.cpu.empty();
  for (const fs::path& folder : numbered_folders(root / "sys/class/thermal", "thermal_zone", kMaxZones)) {
    const SensorIdentity zone{(folder / "type").string(), read_sensor_text(folder / "type")};
    if (zone.text.empty()) continue;
    auto& into = !has_chip && contains(kCpuZones, zone.text) ? sensors.cpu : sensors.other;
    into.push_back({SysfsFile((folder / "temp").string(), zone), zone.text});
  }
}

// Threads of one core share its counter, and cores of one package the package's: each is read once.
void find_throttle_counters(const fs::path& root, LinuxSensors& sensors) {
  std::set<std::string> cores, packages;
  for (const fs::path& cpu : numbered_folders(root / "sys/devices/system/cpu", "cpu", kMaxCpus)) {
    const std::string package = read_sensor_text(cpu / "topology/physical_package_id");
    const std::string core = package + ":" + read_sensor_text(cpu / "topology/core_id");
    const fs::path core_count = cpu / "thermal_throttle/core_throttle_count";
    const fs::path package_count = cpu / "thermal_throttle/package_throttle_count";
    if (is_there(core_count) && cores.insert(core).second) {
      sensors.core_throttles.emplace_back(SysfsFile(core_count.string()));
    }
    if (is_there(package_count) && packages.insert(package).second) {
      sensors.package_throttles.emplace_back(SysfsFile(package_count.string()));
    }
  }
}

void find_processors(const fs::path& root, LinuxSensors& sensors) {
  for (const fs::path& folder :
       numbered_folders(root / "sys/class/thermal", "cooling_device", kMaxCoolingDevices)) {
    const SensorIdentity device{(folder / "type").string(), read_sensor_text(folder / "type")};
    sensors.has_unknown_cooling = sensors.has_unknown_cooling || device.text.empty();
    if (device.text != "Processor" || sensors.processors.size() == kMaxCpus) continue;
    sensors.processors.emplace_back((folder / "cur_state").string(), device);
  }
}

}  // namespace

LinuxSensors find_linux_sensors(const fs::path& root) {
  LinuxSensors sensors;
  find_hwmon(root, sensors);
  find_zones(root, sensors);
  find_throttle_counters(root, sensors);
  find_processors(root, sensors);
  for (const fs::path& folder :
       numbered_folders(root / "sys/devices/system/cpu/cpufreq", "policy", kMaxPolicies)) {
    sensors.cpu_clocks.emplace_back((folder / "scaling_cur_freq").string());
  }
  return sensors;
}

}  // namespace skua
