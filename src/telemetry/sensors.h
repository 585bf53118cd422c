// What the sources that read the kernel's files share: figures in our units, counters, finding folders, and
// the texts that every source keeps. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/source.h"
#include "telemetry/sysfs_file.h"

namespace skua {

/// A sensor's value in the unit of its field, or why there is none.
struct Figure {
  SensorProblem problem = SensorProblem::kMissing;
  double value = 0.0;

  bool ok() const noexcept { return problem == SensorProblem::kNone; }
};

/// Temperatures outside of this are no measurement. Jetson sensors that are powered down say -256 C
/// [jetson_stats, temperature.py], others have said -44 C; the widest range in which a module may run is -40
/// C to 105 C (Jetson industrial modules), and machines cut their power well below 150 C.
inline constexpr double kLowestPlausibleC = -40.0;
inline constexpr double kHighestPlausibleC = 150.0;

/// value / per_unit; dividing keeps decimals as they were written (1113600 kHz is 1113.6 MHz).
Figure in_units(const SensorValue& value, double per_unit) noexcept;
/// Thousandths of a degree C (Linux: thermal zones `temp`, hwmon `tempN_input`) as degrees C within the
/// plausible.
Figure read_temperature(SysfsFile& file) noexcept;
/// The same for a limit, which must also be above 0 C: the kernel's "not set" is 0 or -274 C.
Figure read_limit(SysfsFile& file) noexcept;
/// A clock above 0 in MHz; the file counts `per_mhz` to one MHz.
Figure read_clock(SysfsFile& file, double per_mhz) noexcept;
/// `best` becomes the higher (lower) of the two; a problem stays only while there is no value.
void keep_highest(Figure& best, const Figure& next) noexcept;
void keep_lowest(Figure& best, const Figure& next) noexcept;

/// A counter of the kernel: how far it rose since it was first read. One that fell was reset and counts anew.
class RisingCounter {
 public:
  /// Reads the first value, if there is one now; else the first poll that finds one sets the start.
  explicit RisingCounter(SysfsFile file);
  /// The whole rise until now. Allocates nothing.
  Figure poll() noexcept;
  /// The rise that the last poll saw; 0 when it saw no value.
  double last_rise() const noexcept { return last_rise_; }
  const std::string& path() const noexcept { return file_.path(); }

 private:
  SysfsFile file_;
  std::int64_t last_ = -1;  ///< -1: never read
  double total_ = 0.0, last_rise_ = 0.0;
};

/// The folders `folder/prefixN`, by N; at most `limit`. Empty when there is no such folder. Allocates.
std::vector<std::filesystem::path> numbered_folders(const std::filesystem::path& folder,
                                                    std::string_view prefix, std::size_t limit);
/// The files `folder/prefixN` + `suffix` (regular files or what stands in their place), by N. Allocates.
std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                  std::string_view prefix, std::string_view suffix,
                                                  std::size_t limit);

/// Whether anything stands at this path; a path that cannot be looked at counts as nothing.
bool is_there(const std::filesystem::path& file) noexcept;

struct OriginPart {
  std::string path;
  std::string label;  ///< may be empty
};
/// "path (label)"; several as a shell would expand them: "/sys/.../cooling_device{3,4}/cur_state (a, b)".
std::string origin_text(const std::vector<OriginPart>& parts);

/// The texts of a source. A field is supported when it has an origin.
class SourceBase : public ThermalSource {
 public:
  std::string_view name() const noexcept override { return name_; }
  std::string_view origin(ThermalField field) const noexcept override;
  std::string_view cause(std::size_t index) const noexcept override;

 protected:
  explicit SourceBase(std::string_view name) noexcept : name_(name) {}
  bool is_supported(ThermalField field) const noexcept { return !origin(field).empty(); }
  void set_origin(ThermalField field, std::string text);
  /// The bit of a cause; 32 and more cannot be told apart and share the last bit.
  std::uint32_t add_cause(std::string text);
  /// Value or offline; nothing for a field without an origin.
  void put(ThermalReading& reading, ThermalField field, const Figure& figure) noexcept;

 private:
  std::string_view name_;  ///< static text
  std::array<std::string, kThermalFieldCount> origins_;
  std::vector<std::string> causes_;
};

}  // namespace skua
