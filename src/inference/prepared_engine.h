// An engine behind the first half of its gate: read, hashed, and its golden vectors beside it.
#pragma once

#include <cstdint>

#include "cache/engine_gate.h"
#include "cache/golden.h"
#include "skua/ports.h"

namespace skua {

struct PreparedEngine {
  Result<VerifiedEngine> engine;
  Result<GoldenVectors> golden;  ///< empty where the engine was refused
  std::int64_t verify_ns = 0;

  /// The engine's refusal, else the golden file's.
  Status status() const;
};

/// Reads the golden vectors of an engine that was admitted; `start_ns` is when its admission began.
PreparedEngine prepare_engine(Result<VerifiedEngine> engine, Folder& golden, const Clock& clock,
                              std::int64_t start_ns);

}  // namespace skua
