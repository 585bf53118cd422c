// One sensor file of the kernel: kept open and read again at offset 0 (Linux
// Documentation/filesystems/sysfs.rst: a read at offset 0 calls the driver anew). Not thread-safe: an object
// belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace skua {

/// Why a sensor gave no value in this poll.
enum class SensorProblem : std::uint8_t {
  kNone,
  kMissing,      ///< there is no such file (now)
  kBusy,         ///< EAGAIN, ENODATA, EBUSY: the driver has no value now, e.g. its block is powered down
  kDenied,       ///< permission denied
  kNotAFile,     ///< a FIFO, a folder, a link or a device stands in the file's place
  kNotANumber,   ///< the content is no whole number of 64 bits, or is longer than one can be
  kImplausible,  ///< a number that this sensor cannot mean, e.g. -256 C
  kReplaced,     ///< the folder belongs to another device than when the source was opened
  kReadFailed,   ///< any other error of the system
  kCallFailed,   ///< a library's call failed (NVML)
  kRecorded,     ///< the recording says so
  kEnded,        ///< the recording is over
};

/// A sentence part for an operator: "holds no whole number". Empty for kNone. Static text.
std::string_view to_string(SensorProblem problem) noexcept;

struct SensorValue {
  SensorProblem problem = SensorProblem::kMissing;
  std::int64_t value = 0;  ///< as the file says it, in the file's unit; only when ok()

  bool ok() const noexcept { return problem == SensorProblem::kNone; }
};

/// Which device a folder belongs to: `file` (its `type` or `name`) says `text`. An empty `file` is not
/// checked.
struct SensorIdentity {
  std::string file;
  std::string text;
};

/// The text of a small file of the kernel without the white space and NUL bytes around it; empty when it is
/// missing, no regular file, unreadable or longer than 63 bytes. For discovery: allocates.
std::string read_sensor_text(const std::filesystem::path& file);

class SysfsFile {
 public:
  /// Opens nothing yet. `path` is opened without following a link in its last component (the class folders
  /// above it are links in sysfs).
  explicit SysfsFile(std::string path, SensorIdentity identity = {});
  SysfsFile(SysfsFile&& other) noexcept;
  SysfsFile& operator=(SysfsFile&& other) noexcept;
  ~SysfsFile();

  /// The file's number now. A file that was removed or replaced by another since the last call is opened anew
  /// by its path, and believed only if its folder still is the same device; so no value of a removed file is
  /// ever given. (A folder renamed as a whole keeps its files: sysfs never does that.) Allocates nothing; two
  /// system calls; blocks as long as the driver does.
  SensorValue read() noexcept;

  const std::string& path() const noexcept { return path_; }

 private:
  SensorProblem open_file() noexcept;
  SensorValue read_open_file() const noexcept;
  void close_file() noexcept;

  std::string path_;
  SensorIdentity identity_;
  int fd_ = -1;
};

}  // namespace skua
