// Opens libtorch from one absolute path, and behind it the libraries that call it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "runtimes/pytorch/torch_bridge.h"
#include "skua/runtime_config.h"

namespace skua::pytorch {

inline constexpr std::string_view kRuntimeLabel = "pytorch_fp16";

/// libtorch.so as `config` names it: its own path, or the one fixed when Skua was built.
std::filesystem::path library_path(const RuntimeConfig& config);

/// The device that `config` names, or the one that the libtorch Skua was built for is made for; never what
/// happens to be plugged in.
std::string device_of(const RuntimeConfig& config);

/// RuntimeNotAvailableError: sdk_missing; sdk_foreign for another version than the one compiled for, and
/// where the process has mapped a libtorch that is not ours (`import torch`): two of them in one process
/// crash. Maps libtorch; the second call is quick. Nothing is ever closed.
Result<const RunBridge*> open_run_bridge(const RuntimeConfig& config);

/// The two steps of that, for other libraries behind libtorch (ground_bridges.h): the entry function of
/// `file` beside libskua, and whether the table that it returned is of this build.
Result<void*> open_bridge_symbol(const RuntimeConfig& config, const char* file, const char* symbol);
Status check_bridge(const RunBridge* bridge, const RuntimeConfig& config, const char* file);

/// Whether the configured device is there. RuntimeNotAvailableError (provider_not_available) otherwise; the
/// CPU never stands in for a GPU.
Status check_device(const TorchFacts& facts, const std::string& device);

}  // namespace skua::pytorch
