// Reading what lies beside an engine.
#pragma once

#include "cache/engine_record.h"
#include "cache/golden.h"
#include "core/buffer.h"
#include "core/filesystem.h"

namespace skua {

/// The golden vectors that `ref` names in `folder`, decoded from the bytes that were hashed.
Result<GoldenVectors> read_golden(Folder& folder, const GoldenRef& ref, BufferPool& pool);

/// Whether an engine runs on the GPU (record.options["device"] is not "cpu"): decides which finer host facts
/// bind it.
bool uses_gpu(const EngineRecord& record);

}  // namespace skua
