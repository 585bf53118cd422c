// One network's lines in the table of calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/call_figures.h"

namespace skua::bench {

/// Appends to `figures`; refers to all its arguments.
class CallLines {
 public:
  CallLines(const CallTimes& times, std::string model, std::string conditions, std::vector<Figure>& figures)
      : times_(times), model_(std::move(model)), conditions_(std::move(conditions)), figures_(figures) {}

  /// Every subject's time, with its percentiles.
  void times_of_each();
  /// subject / reference, held against `bar` when that is above 0. Requires both to have been timed, as
  /// below.
  void ratio(std::string_view subject, std::string_view reference, double bar);
  /// subject - reference, held against "no slower": at most max(1 %, 2 us).
  void added(std::string_view subject, std::string_view reference);

 private:
  void add(const std::string& name, std::string unit, const Estimate& value, std::string asked,
           Verdict verdict, std::string note);

  const CallTimes& times_;
  std::string model_, conditions_;
  std::vector<Figure>& figures_;
};

}  // namespace skua::bench
