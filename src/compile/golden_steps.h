// Golden vectors while compiling: the user's file or values that a runtime has computed, and the judgement of
// the artifact by them. Who computes them, and on what, is the runtime's part.
#pragma once

#include <string>

#include "compile/compilation.h"
#include "inference/strategy.h"

namespace skua::compile {

/// A tolerance for every output of the record: the request's, or the default. InvalidArgumentError for one
/// that names no output.
Status settle_tolerances(Compilation& compilation);

/// The user's golden file (the request must have one), held to the record's inputs, outputs and profiles.
/// EngineBuildError: golden_missing, golden_malformed, and read_file's.
Status read_golden(Compilation& compilation);
/// The same for a golden file from elsewhere.
Status read_golden(Compilation& compilation, const GoldenSource& source);

/// Puts a copy of what `view` shows into `map`.
Status keep_copy(TensorMap& map, const std::string& name, const TensorView& view);

/// Writes the golden file into the staging folder, the user's byte for byte, and speaks of it in the record.
Status write_golden(Compilation& compilation);

/// These inputs, one for each of the record's, into a placed execution.
Status feed(const EngineRecord& record, const TensorMap& inputs, Execution& execution);

/// The artifact, as `execution` runs it, must reproduce the golden outputs; how near it came, and which
/// outputs are not finite, goes into the record's proof. EngineBuildError: golden_mismatch, or the reason of
/// a failed run.
Status compare_with_golden(Compilation& compilation, Execution& execution);

}  // namespace skua::compile
