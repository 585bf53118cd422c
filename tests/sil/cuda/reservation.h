// A range of addresses that nobody may touch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sil {

class Reservation {
 public:
  Reservation() = default;
  /// `bytes` and at least one page more, so that no two ranges touch. Throws std::bad_alloc.
  explicit Reservation(std::size_t bytes);
  /// The range stays reserved for a while: a stale address does not soon belong to somebody else.
  ~Reservation();
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;

  std::uintptr_t address() const { return address_; }  ///< at the beginning of a page; 0: nothing reserved

 private:
  std::uintptr_t address_ = 0;
  std::size_t bytes_ = 0;
};

std::size_t page_bytes();

}  // namespace sil
