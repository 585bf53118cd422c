// The run half behind the boundary: an archive as a LoadedEngine. Includes no header of libtorch.
#pragma once

#include "runtimes/pytorch/torch_bridge.h"

namespace skua::pytorch {

Result<TorchFacts> torch_facts();
Status fix_threads(int intra_op_threads);
Result<std::unique_ptr<LoadedEngine>> load_engine(std::span<const std::byte> archive,
                                                  const EngineRecord& record, const RunPlan& plan);

}  // namespace skua::pytorch
