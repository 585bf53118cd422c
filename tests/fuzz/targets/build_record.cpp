// The build record beside an engine.
#include "cache/build_record.h"

#include "../fuzz.h"
#include "skua/engine_filename.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto record = decode_build_record(fuzz::text_of(data, size));
  if (!record.ok()) {
    fuzz::require(record.error().code == ErrorCode::kEngineDeserialize, "an EngineDeserializeError");
    fuzz::require_refusal(record.error(), {Reason::kBuildRecordMalformed});
    return 0;
  }
  const auto name = EngineFilenameSchema::parse(record->file);
  // A name that is no engine's is for the gate to judge.
  fuzz::require(!name.ok() || name->model == record->model, "the file's name is that of the model");
  for (const auto* side : {&record->inputs, &record->outputs})
    for (const TensorSpec& tensor : *side)
      fuzz::require(tensor.max_shape.is_static() && tensor.max_shape.rank() == tensor.shape.rank(),
                    "max_shape is static and of the shape's rank");
  fuzz::require_round_trip(*record, decode_build_record, encode_build_record);
  return 0;
}
