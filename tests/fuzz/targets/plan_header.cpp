// The first bytes of a TensorRT plan: exactly one header fits a host whose TensorRT is known to the build.
#include "cache/plan_header.h"

#include <array>

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto plan = fuzz::bytes_of(fuzz::text_of(data, size));
  HostTuple host;
  host.tensorrt = "10.3";
  host.tensorrt_build = "10.3.0.30";
  const Status status = check_plan_header(plan, host, "net.engine");
  const std::string_view text = fuzz::text_of(data, size);
  using namespace std::string_view_literals;
  const bool fits = text.size() >= kPlanHeaderBytes && text.substr(0, 8) == "ftrt\0\0\0\0"sv &&
                    text.substr(24, 4) == "\x0a\x03\x00\x1e"sv;
  fuzz::require(status.ok() == fits, "accepted exactly when magic, layout and version fit");
  if (!status.ok()) fuzz::require_refusal(status.error(), {Reason::kPlanHeaderMismatch});
  return 0;
}
