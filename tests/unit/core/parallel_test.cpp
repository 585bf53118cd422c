#include "core/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

namespace skua {
namespace {

TEST(ForEachIndex, CallsEveryIndexOnceWhateverTheWorkers) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{1000}}) {
    for (const std::size_t workers : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{8}}) {
      std::vector<std::atomic<int>> calls(count);
      std::atomic<bool> is_worker_legal{true};
      for_each_index(count, workers, [&](std::size_t worker, std::size_t index) {
        ++calls[index];
        if (worker >= std::max<std::size_t>(workers, 1)) is_worker_legal = false;
      });
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(calls[i], 1) << i << " of " << count;
      EXPECT_TRUE(is_worker_legal);
    }
  }
}

TEST(ForEachIndex, OneWorkerNeverOverlapsItself) {
  constexpr std::size_t kWorkers = 4;
  std::vector<int> plain(kWorkers, 0);  // not atomic: the thread sanitizer sees an overlap
  for_each_index(4000, kWorkers, [&](std::size_t worker, std::size_t) { ++plain[worker]; });
  int total = 0;
  for (const int calls : plain) total += calls;
  EXPECT_EQ(total, 4000);
}

TEST(ForEachIndex, OneWorkerIsTheCallerInRisingOrder) {
  std::vector<std::size_t> order;
  for_each_index(6, 1, [&](std::size_t, std::size_t index) { order.push_back(index); });
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
}

TEST(ForEachIndex, AFailureIsThrownToTheCallerAfterAllHaveEnded) {
  std::atomic<int> running{0}, calls{0};
  const auto work = [&](std::size_t, std::size_t index) {
    ++running, ++calls;
    if (index == 3) {
      --running;
      throw std::runtime_error("three");
    }
    --running;
  };
  EXPECT_THROW(for_each_index(1000000, 3, work), std::runtime_error);
  EXPECT_EQ(running, 0);
  EXPECT_LT(calls, 1000000) << "the rest is left out";
}

TEST(UsableCores, ThereIsOneAtLeast) { EXPECT_GE(usable_cores(), 1U); }

}  // namespace
}  // namespace skua
