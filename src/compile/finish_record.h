// The last step: what is left of the record.
#pragma once

#include <map>
#include <string>

#include "compile/compilation.h"

namespace skua::compile {

/// What only the runtime can say of its artifact.
struct RuntimeFacts {
  std::string runtime_label;
  std::map<std::string, std::string> options;  ///< the variant, as the run half will check it
  std::string arithmetic;
  std::string model_id, weights_sha256, exporter;  ///< from the model's metadata; empty when it has none
};

/// Completes the record from the request, the facts, and the bytes of artifact and golden file. The reuse key
/// is that of the golden file in the staging folder: of the bytes that were read, whatever the user's file
/// holds by now. The caller adds what else proves its artifact.
Status finish_record(Compilation& compilation, RuntimeFacts facts);

}  // namespace skua::compile
