// recorder_writer FOLDER COUNT: opens the flight recorder there, writes and flushes COUNT numbered records
// (negative: for ever), and prints the number of each after its flush. Segments are as small as they may be,
// but none is removed.
#include <cstdio>
#include <cstdlib>

#include "events/file_recorder.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  skua::FileRecorderOptions options;
  options.folder = argv[1];
  options.segment_bytes = skua::kMinSegmentBytes;
  options.limit_bytes = 1024 * options.segment_bytes;
  const auto recorder = skua::FileRecorder::open(options);
  if (!recorder.ok()) {
    std::fprintf(stderr, "%s\n", recorder.error().describe().c_str());
    return 1;
  }
  const long count = std::strtol(argv[2], nullptr, 10);
  for (long i = 0; count < 0 || i < count; ++i) {
    const std::string text(1000, 'x');
    (*recorder)->record({1772366400000000 + i, i, "c7.test", {{"number", std::int64_t{i}}, {"text", text}}});
    (*recorder)->flush();
    if (std::printf("%ld\n", i) < 0 || std::fflush(stdout) != 0) return 1;
  }
  return (*recorder)->lost_count() == 0 ? 0 : 1;
}
