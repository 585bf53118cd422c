#include "inference/prepared_engine.h"

#include <utility>

#include "core/trace.h"
#include "inference/engine_folder.h"

namespace skua {

Status PreparedEngine::status() const {
  if (!engine.ok()) return engine.error();
  if (!golden.ok()) return golden.error();
  return {};
}

PreparedEngine prepare_engine(Result<VerifiedEngine> engine, Folder& golden, const Clock& clock,
                              std::int64_t start_ns) {
  Result<GoldenVectors> vectors = GoldenVectors();
  if (engine.ok()) {
    const Span span(SpanKind::kGoldenFile);
    BufferPool pool(0);
    vectors = read_golden(golden, engine->record().golden, pool);
  }
  return {std::move(engine), std::move(vectors), clock.monotonic_ns() - start_ns};
}

}  // namespace skua
