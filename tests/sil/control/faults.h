// Orders to fail and the count of calls. Every public function of the SIL asks here before it does anything.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sil {

enum class Effect { fail_call, hang_call, fail_work, hang_work, report };

struct Order {
  Effect effect = Effect::fail_call;
  std::string function;
  int nth = 1;  ///< kEveryCall: each
  int code = 0;
  bool is_sticky = false;
  int seen = 0;  ///< calls since the order was given
};

/// What the work that a call puts on a stream is to suffer.
struct WorkOrder {
  bool hangs = false;
  int code = 0;
  std::uint64_t release = 0;  ///< it hangs until the count of releases differs
};

class Faults {
 public:
  void add(Order order);
  /// Counts the call; hangs or answers as ordered.
  std::optional<int> ask(const char* function);
  /// The order for the next work of this thread, handed out once.
  static std::optional<WorkOrder> take_work_order();
  /// The code that the call just asked for is to report beside its right answer, handed out once.
  static std::optional<int> take_report();
  void wait_for_release(std::uint64_t release);
  void release();
  void clear();  ///< orders and counts; releases what hangs
  int calls(const std::string& function);
  /// The function of an order that nobody will ever ask for; empty when there is none.
  std::string unknown_function();
  std::vector<std::string> functions();
  std::vector<std::string> functions_since_failure();

 private:
  std::optional<Order> next_order(const char* function);

  std::mutex mutex_;
  std::condition_variable released_;
  std::uint64_t releases_ = 0;
  std::vector<Order> orders_;
  std::map<std::string, int, std::less<>> calls_;
  bool has_failed_ = false;
  std::set<std::string, std::less<>> since_failure_;
};

/// One per process, never destroyed. The first use carries out SKUA_SIL_FAULTS.
Faults& faults();

}  // namespace sil
