// The calibration cache beside a TensorRT engine, before and after a build that may need it. The build
// process only reads there: what is moved, removed or published, is so here, under the cache's lock.
#pragma once

#include <optional>
#include <string>

#include "cache/engine_record.h"
#include "calibration/cache_files.h"
#include "inference/compile.h"

namespace skua {

class WriterLock;

/// What the build record of an engine says of its cache; nothing where there is none that can be read, or
/// none that speaks of a cache. An error of the disk is no such record: CalibrationCacheError,
/// OutOfMemoryError.
Result<std::optional<calibration::RecordedOrigin>> recorded_calibration(Folder& folder,
                                                                        const std::string& artifact);

/// Before a build: a calibration cache that is damaged, or that nothing vouches for, is moved aside and told
/// as an error (docs/design/calibration.md); why, or nothing. CalibrationCacheError: with
/// `strict_calibration`, which stops instead and moves nothing; or the file system's.
Result<std::optional<std::string>> reject_untrusted_calibration(WriterLock& cache,
                                                                const std::string& artifact,
                                                                const CompileContext& context);

/// The error of a build that had to calibrate because a cache was moved aside, and could not: there is no
/// ranges to trust then. CalibrationCacheError where the samples or the calibration are to blame.
Error without_calibration(Error error, const std::string& why);

/// What a build has calibrated, from its staging folder; empty when it has not. CalibrationCacheError:
/// another text than the one that `record` names, or one that is none.
Result<std::string> staged_calibration(WriterLock& cache, const std::string& staging,
                                       const EngineRecord& record);

/// Before an engine is published: a cache that its record does not name goes, so that nobody takes it for
/// evidence. CalibrationCacheError: the file system's.
Status drop_calibration(WriterLock& cache, const EngineRecord& record);

/// After it: publishes what was calibrated, and tells why that was needed. Nothing for an empty text.
/// CalibrationCacheError: the file system's.
Status keep_calibration(WriterLock& cache, const std::string& text, const EngineRecord& record,
                        EventSink& events);

}  // namespace skua
