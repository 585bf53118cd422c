// The samples of a data set as the Python half of `skua quantize` reads them.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string_view>

#include "calibration/data_set.h"
#include "core/json_fwd.h"

namespace skua {

struct SampleConversion {
  FileSystem* files = nullptr;
  std::filesystem::path model;                          ///< absolute; its inputs say what an image becomes
  Folder* data = nullptr;                               ///< the data set's
  Folder* staging = nullptr;                            ///< gets a .npz for each image
  const std::atomic<bool>* cancel_requested = nullptr;  ///< null: never
  std::function<void(std::string_view)> on_progress;    ///< may be empty
};

/// Path and SHA-256 of every sample. An image becomes a .npz in the staging folder, one at a time, and has
/// the image's own SHA-256 and path as third and fourth elements: samples are split by what they were made
/// from, and messages name what the user has.
/// EngineBuildError: data_set_malformed and data_set_changed, naming the image; model_malformed, model_empty,
/// model_unsupported; cancelled; the file system's. Disk: what the network's inputs need, for every image.
Result<Json> samples_for_tool(const SampleConversion& conversion, const calibration::DataSet& set);

}  // namespace skua
