// Inputs for trial runs and golden vectors: pseudo-random, but the same for the same model and name on every
// machine.
#pragma once

#include <cstdint>
#include <string_view>

#include "inference/strategy.h"
#include "skua/build_config.h"
#include "skua/engine_cache_entry.h"
#include "skua/sha256.h"

namespace skua::ort {

/// Floats in [0, 1), integers 0 to 3, bools alternating.
void fill_trial_input(const TensorView& view, const Sha256& model, std::string_view name) noexcept;

}  // namespace skua::ort
