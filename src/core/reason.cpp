#include "skua/reason.h"

#include <array>
#include <cstddef>

namespace skua {
namespace {

struct Row {
  std::string_view text;
  std::string_view sentence;
};

constexpr std::array kRows = {
#define SKUA_REASON_ROW(name, text, sentence) Row{text, sentence},
    SKUA_REASONS(SKUA_REASON_ROW)
#undef SKUA_REASON_ROW
};

constexpr std::array kReasons = {
#define SKUA_REASON_VALUE(name, text, sentence) Reason::name,
    SKUA_REASONS(SKUA_REASON_VALUE)
#undef SKUA_REASON_VALUE
};

static_assert(kRows.size() <= 256, "Reason is one byte");

const Row& row_of(Reason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < kRows.size() ? kRows[index] : kRows.back();  // no such reason: a defect, "internal"
}

}  // namespace

std::string_view to_string(Reason reason) noexcept { return row_of(reason).text; }

std::string_view sentence_of(Reason reason) noexcept { return row_of(reason).sentence; }

std::span<const Reason> all_reasons() noexcept { return kReasons; }

}  // namespace skua
