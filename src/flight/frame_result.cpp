#include "flight/frame_result.h"

namespace skua::flight {

std::string_view to_string(Stage stage) noexcept {
  switch (stage) {
    case Stage::kVpr:
      return "vpr";
    case Stage::kFeatures:
      return "features";
    case Stage::kRerank:
      return "rerank";
    case Stage::kMatch:
      return "match";
    case Stage::kAdhop:
      return "adhop";
    case Stage::kSolve:
      return "solve";
    case Stage::kOwn:
      return "own";
    case Stage::kFrame:
      return "frame";
    case Stage::kAcquire:
      return "acquire";
  }
  return "frame";
}

}  // namespace skua::flight
