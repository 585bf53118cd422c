// The compile half behind the boundary. Includes no header of libtorch.
#pragma once

#include "runtimes/pytorch/torch_bridge.h"

namespace skua::pytorch {

Result<Converted> convert(std::span<const std::byte> source, Precision precision);
Result<std::unique_ptr<TrialModule>> open_trial(std::span<const std::byte> archive, const RunPlan& plan);

}  // namespace skua::pytorch
