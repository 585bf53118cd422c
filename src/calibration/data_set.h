// The files that a network is calibrated with, and the one digest that names all of them.
// docs/formats/data-set.md specifies both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/filesystem.h"
#include "skua/sha256.h"

namespace skua::calibration {

enum class SampleKind : std::uint8_t {
  kNpz,    ///< one .npz a sample, one array in it an input
  kImage,  ///< one PNG or JPEG a sample, made into an input as preprocess.yaml says
};

inline constexpr std::string_view kPreprocessName = "preprocess.yaml";

struct DataSetFile {
  std::string name;  ///< relative to the data set's folder, '/' between folders
  std::uint64_t size_bytes = 0;
  Sha256 sha256;
  bool operator==(const DataSetFile&) const = default;
};

struct DataSet {
  SampleKind kind = SampleKind::kNpz;
  std::vector<DataSetFile> samples;  ///< by the bytes of their names, whatever order the folder has
  std::vector<DataSetFile> others;   ///< preprocess.yaml of images; nothing for .npz
  Sha256 digest;                     ///< of all names and contents, and of nothing else
  std::uint64_t size_bytes = 0;      ///< of all files
};

struct DataSetOptions {
  std::size_t workers = 0;  ///< threads that hash; 0: the cores that this process may use
  std::function<bool()> cancel_requested = [] { return false; };       ///< called by all of them
  std::function<void(std::size_t done, std::size_t all)> on_progress;  ///< files; called by one at a time
};

/// Lists and hashes a data set, folders in it included. Nothing but samples of one kind and, for images,
/// preprocess.yaml may lie there: what is unknown is refused, never left out.
///
/// EngineBuildError: data_set_malformed (a link, a device, a FIFO, an unknown or an empty file, both kinds,
/// no sample, a name that is not printable UTF-8, too many files or folders), data_set_changed (a file
/// changed, came or went while it was read), and the file system's. The message names the file, or the first
/// of them by name. Cost: reads every byte once. Thread-safe for different folders.
Result<DataSet> read_data_set(Folder& folder, const DataSetOptions& options = {});

/// The same for the folder at `path`, which the messages name.
Result<DataSet> read_data_set_at(FileSystem& files, const std::filesystem::path& path,
                                 const DataSetOptions& options = {});

/// The bytes of one file, which are those that were hashed. EngineBuildError: data_set_changed, and the file
/// system's. Cost: the file in memory. Thread-safe.
Result<std::vector<std::byte>> read_data_file(Folder& folder, const DataSetFile& file);

}  // namespace skua::calibration
