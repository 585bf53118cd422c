// The JSON type, declared but not defined: nlohmann's full header costs seconds in every file that includes
// it, so headers include this one and only the files that read or write JSON include core/json_strict.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace skua {

/// As std::allocator. It makes Json a type of ours, so that what is said of it below is said of nobody
/// else's.
template <typename T>
struct JsonAllocator {
  using value_type = T;
  JsonAllocator() noexcept = default;
  template <typename U>
  JsonAllocator(const JsonAllocator<U>&) noexcept {
  }  // NOLINT(google-explicit-constructor): as every allocator
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory); }
  template <typename U>
  friend bool operator==(const JsonAllocator&, const JsonAllocator<U>&) noexcept {
    return true;
  }
};

/// An object keeps the order of its fields. Begin one with Json::object(): a field of a value that is null
/// makes it an object before there is memory for one, and where there is none, its destructor goes astray.
/// Nor, in libskua, with a list in braces, which leaks what it has of the object when memory runs out.
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t,
                                  std::uint64_t, double, JsonAllocator>;

/// More than any file of ours has. What destroying so many takes, the reserve below has.
inline constexpr std::size_t kMaxJsonValues = std::size_t{1} << 16U;

}  // namespace skua

/// The destructor of nlohmann's type takes memory: for a stack, std::vector<Json>, instead of recursion.
/// Where there is none it would end the program, in the middle of telling that memory ran out. So this memory
/// comes from a reserve then. Nothing of ours keeps Json in such a vector; arrays have the allocator above.
template <>
class std::allocator<skua::Json> {  // NOLINT(cert-dcl58-cpp): allowed for types of one's own
 public:
  using value_type = skua::Json;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;
  allocator() noexcept = default;
  template <typename U>
  allocator(const allocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as every allocator
  /// Throws std::bad_alloc when the reserve is used up as well. Thread-safe.
  skua::Json* allocate(std::size_t count);
  void deallocate(skua::Json* memory, std::size_t count) noexcept;
  friend bool operator==(const allocator&, const allocator&) noexcept { return true; }
};
