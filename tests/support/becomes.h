// Waiting in a test for what another thread brings about.
#pragma once

#include <chrono>
#include <thread>

namespace skua::test {

/// Whether `holds()` is true within half a minute, which only a hang takes.
template <typename Predicate>
bool becomes(Predicate holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace skua::test
