#include "inference/recorded_options.h"

#include "core/text.h"

namespace skua {

std::string option_of(const EngineRecord& record, const std::string& option) {
  const auto found = record.options.find(option);
  return found == record.options.end() ? std::string() : found->second;
}

Status check_option(const EngineRecord& record, const std::string& option, std::string_view expected,
                    std::string_view found) {
  if (expected == found) return {};
  return make_error(ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch,
                    record.file + ": " + option + ": expected " + quote(expected) +
                        " (configured here), found " + quote(found) +
                        " (recorded); compile the model for this configuration");
}

}  // namespace skua
