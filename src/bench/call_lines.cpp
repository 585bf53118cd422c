#include "bench/call_lines.h"

#include <utility>

namespace skua::bench {
namespace {

Estimate in_us(const Estimate& ns) { return scaled(ns, 1e-3); }

Verdict verdict_of(bool is_reached) { return is_reached ? Verdict::kReached : Verdict::kNotReached; }

std::string percentiles_text(const SubjectTimes& times) {
  const Percentiles all = percentiles_of(times.calls_ns);
  return "calls " + std::to_string(all.count) + ": p50 " + number_text(all.p50_us) + ", p95 " +
         number_text(all.p95_us) + ", p99 " + number_text(all.p99_us) + ", max " + number_text(all.max_us) +
         " us";
}

}  // namespace

void CallLines::times_of_each() {
  for (const SubjectTimes& subject : times_.subjects) {
    add(subject.name, "us", in_us(estimate_median(subject.round_ns)), "", Verdict::kNoBar,
        conditions_ + "; " + percentiles_text(subject));
  }
}

void CallLines::ratio(std::string_view subject, std::string_view reference, double bar) {
  const Comparison found = compare(*times_.find(subject), *times_.find(reference));
  const bool has_bar = bar > 0.0;
  add(found.subject + " / " + found.reference, "ratio", found.ratio, has_bar ? "<= " + number_text(bar) : "",
      has_bar ? verdict_of(found.ratio.is_bounded && found.ratio.upper <= bar) : Verdict::kNoBar,
      conditions_);
  figures_.back().sides = sides_of(*times_.find(subject), *times_.find(reference));
}

void CallLines::added(std::string_view subject, std::string_view reference) {
  const SubjectTimes& beside = *times_.find(reference);
  const Comparison found = compare(*times_.find(subject), beside);
  add(found.subject + " - " + found.reference, "us", in_us(found.added_ns), "<= max(1 %, 2 us)",
      verdict_of(is_no_slower(found, beside)), conditions_);
  figures_.back().sides = sides_of(*times_.find(subject), beside);
}

void CallLines::add(const std::string& name, std::string unit, const Estimate& value, std::string asked,
                    Verdict verdict, std::string note) {
  figures_.push_back(
      {"call", model_ + ": " + name, std::move(unit), value, std::move(asked), verdict, std::move(note)});
}

}  // namespace skua::bench
