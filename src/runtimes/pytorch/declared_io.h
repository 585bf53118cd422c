// What a TorchScript file says of its inputs and outputs in the extra file "skua.io":
// docs/formats/torchscript-io.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "skua/tensor.h"

namespace skua::pytorch {

struct DeclaredInput {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;  ///< -1 where a profile decides
};

struct DeclaredIo {
  std::vector<DeclaredInput> inputs;
  std::vector<std::string> outputs;
};

/// EngineBuildError (model_malformed) naming the field, the expected and the found.
Result<DeclaredIo> parse_declared_io(std::string_view text);

}  // namespace skua::pytorch
