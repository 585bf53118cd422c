#include "sil/control/orders_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "sil/control/settings.h"

namespace sil {
namespace {

using Words = std::vector<std::string_view>;

Words split(std::string_view text, char separator) {
  Words words;
  while (true) {
    const std::size_t end = text.find(separator);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

bool is_function(std::string_view name) {
  if (name.empty() || name.front() == ':' || name.back() == ':') return false;
  for (std::size_t at = name.find(':'); at != std::string_view::npos; at = name.find(':', at + 2)) {
    if (name.substr(at, 2) != "::" || name[at + 2] == ':') return false;
  }
  return true;
}

/// Cuts the last of the words off.
std::string_view cut_last(std::string_view& words) {
  const std::size_t colon = words.rfind(':');
  const std::string_view last = colon == std::string_view::npos ? words : words.substr(colon + 1);
  words.remove_suffix(std::min(words.size(), last.size() + 1));
  return last;
}

/// fail:FUNCTION:NTH:CODE[:sticky], fail_work:FUNCTION:NTH:CODE, hang:FUNCTION:NTH, hang_work:FUNCTION:NTH.
/// Read from the end: FUNCTION may have colons of its own.
std::optional<Order> call_order(std::string_view entry) {
  const std::string_view word = entry.substr(0, entry.find(':'));
  const bool has_code = word == "fail" || word == "fail_work";
  const bool is_work = word == "fail_work" || word == "hang_work";
  if (!has_code && word != "hang" && word != "hang_work") return std::nullopt;
  std::string_view rest = entry.substr(std::min(entry.size(), word.size() + 1));
  Order order;
  order.is_sticky = word == "fail" && rest.ends_with(":sticky");
  if (order.is_sticky) static_cast<void>(cut_last(rest));
  const std::optional<int> code = has_code ? number<int>(cut_last(rest)) : 0;
  const std::optional<int> nth = number<int>(cut_last(rest));
  if (!nth || !code || !is_function(rest)) return std::nullopt;
  order.effect = has_code ? (is_work ? Effect::fail_work : Effect::fail_call)
                          : (is_work ? Effect::hang_work : Effect::hang_call);
  order.function = rest;
  order.nth = *nth;
  order.code = *code;
  return order;
}

bool follow_flag(std::string_view word) {
  Settings& values = settings();
  if (word == "no_driver") return values.has_driver = false, true;
  if (word == "discrete") return values.is_integrated = false, true;
  if (word == "hold_streams") return values.are_streams_held = true;
  if (word == "corrupt_plans") return values.corrupts_plans = true;
  if (word == "crash_builder") return values.crashes_builder = true;
  return false;
}

bool follow_release(std::string_view word, Faults& orders) {
  if (word != "release") return false;
  orders.release();
  return true;
}

bool follow_figure(std::string_view word, std::string_view figure) {
  if (word == "memory") {
    const auto bytes = number<std::size_t>(figure);
    if (bytes) settings().device_memory_bytes = *bytes;
    return bytes.has_value();
  }
  std::atomic<int>* const counted = word == "flood_log"            ? &settings().log_flood_count
                                    : word == "ignore_constraints" ? &settings().unconstrained_layer
                                    : word == "end_calibration"    ? &settings().calibration_limit
                                                                   : nullptr;
  const auto count = counted == nullptr ? std::nullopt : number<int>(figure);
  if (count) *counted = *count;
  return count.has_value();
}

}  // namespace

std::string follow_orders(const std::string& text, Faults& orders) {
  for (const std::string_view entry : split(text, ';')) {
    if (entry.empty()) continue;
    const Words words = split(entry, ':');
    if (words.size() == 1 && (follow_flag(words[0]) || follow_release(words[0], orders))) continue;
    if (words.size() == 2 && follow_figure(words[0], words[1])) continue;
    std::optional<Order> order = call_order(entry);
    if (!order) return "'" + std::string(entry) + "' is no order; the grammar is in tests/sil/README.md";
    orders.add(*std::move(order));
  }
  return {};
}

void follow_environment(Faults& orders) {
  const char* const text = std::getenv("SKUA_SIL_FAULTS");
  if (text == nullptr) return;
  std::string problem = follow_orders(text, orders);
  if (const std::string unknown = orders.unknown_function(); problem.empty() && !unknown.empty())
    problem = "there is no function " + unknown + " that could be given an order";
  if (problem.empty()) return;
  std::fprintf(stderr, "SKUA_SIL_FAULTS: %s\n", problem.c_str());
  std::abort();
}

}  // namespace sil
