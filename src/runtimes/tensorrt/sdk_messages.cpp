#include "runtimes/tensorrt/sdk_messages.h"

#include <exception>
#include <string>

namespace skua::tensorrt {

void SdkMessages::on_log(Severity severity, std::string_view text) noexcept {
  if (severity > Severity::kWARNING) return;
  const std::uint32_t line = lines_.fetch_add(1, std::memory_order_relaxed);
  if (line > kMostLines) return;
  try {
    const std::string message = line == kMostLines ? "TensorRT says more than " + std::to_string(kMostLines) +
                                                         " things; the rest is left out"
                                                   : "TensorRT: " + one_line(text);
    device_->tell({Level::kWarn,
                   "c7.sdk_message",
                   message,
                   {{"sdk", std::string("tensorrt")}, {"severity", static_cast<std::int64_t>(severity)}}});
  } catch (const std::exception&) {
  }
}

}  // namespace skua::tensorrt
