#include "runtimes/tensorrt/plan_file.h"

#include "cache/plan_header.h"

namespace skua::tensorrt {
namespace {

constexpr std::size_t kVersionOffset = 24;

Error mismatch(const std::string& where, const std::string& text) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kPlanHeaderMismatch,
                    where + ": " + text + "; compile the engine again with this host's TensorRT");
}

}  // namespace

std::string PlanHeader::version_text() const {
  std::string text;
  for (const unsigned part : version) text += (text.empty() ? "" : ".") + std::to_string(part);
  return text;
}

Result<PlanHeader> read_plan_header(std::span<const std::byte> plan, const std::string& where) {
  if (plan.size() < kPlanHeaderBytes) {
    return mismatch(where, "expected a plan of at least " + std::to_string(kPlanHeaderBytes) +
                               " bytes, found " + std::to_string(plan.size()));
  }
  PlanHeader header;
  for (std::size_t i = 0; i < 4; ++i) header.tag += static_cast<char>(plan[i]);
  if (header.tag != kPlanTag && header.tag != kRtxPlanTag) {
    return mismatch(where, "expected a plan that begins with 'ftrt', found something else");
  }
  for (std::size_t i = 0; i < 4; ++i) header.layout |= std::to_integer<std::uint32_t>(plan[4 + i]) << (8 * i);
  if (header.layout != 0)
    return mismatch(where, "expected plan layout 0, found " + std::to_string(header.layout));
  for (std::size_t i = 0; i < header.version.size(); ++i) {
    header.version[i] = std::to_integer<unsigned>(plan[kVersionOffset + i]);
  }
  return header;
}

}  // namespace skua::tensorrt
