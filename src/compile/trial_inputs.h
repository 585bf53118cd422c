// Inputs for trial runs and golden vectors: pseudo-random, but the same for the same model and name on every
// machine.
#pragma once

#include <string_view>

#include "skua/sha256.h"
#include "skua/tensor.h"

namespace skua::compile {

/// Floats in [0, 1), integers 0 to 3, bools alternating.
void fill_trial_input(const TensorView& view, const Sha256& model, std::string_view name) noexcept;

}  // namespace skua::compile
