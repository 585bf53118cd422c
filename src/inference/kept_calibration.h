// The calibration cache beside an engine, before and after a build that may need it. The build process only
// reads there: what is moved or published, is so here, under the cache's lock.
#pragma once

#include <string>

#include "cache/engine_record.h"
#include "inference/compile.h"

namespace skua {

class WriterLock;

/// Before a build: a calibration cache that is damaged, or that nothing vouches for, is moved aside and told
/// as an error (docs/design/calibration.md). CalibrationCacheError: with `strict_calibration`, which stops
/// instead and moves nothing; or the file system's.
Status reject_untrusted_calibration(WriterLock& cache, const std::string& artifact,
                                    const CompileContext& context);

/// What a build has calibrated, from its staging folder; empty when it has not.
Result<std::string> staged_calibration(WriterLock& cache, const std::string& staging,
                                       const std::string& artifact);

/// Publishes it beside the engine, whose record names its digest, and tells why it was needed.
/// CalibrationCacheError: another text than the recorded one, or the file system's.
Status keep_calibration(WriterLock& cache, const std::string& text, const EngineRecord& record,
                        EventSink& events);

}  // namespace skua
