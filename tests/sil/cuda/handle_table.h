// Objects by the handle that the caller holds. Handles are never pointers and never given twice, so a stale
// one is found and not followed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace sil {

template <typename Handle, typename Object>
class HandleTable {
 public:
  Handle add(std::shared_ptr<Object> object) {
    objects_.emplace(++last_, std::move(object));
    return reinterpret_cast<Handle>(kFirst + last_);
  }

  std::shared_ptr<Object> find(Handle handle) const {
    const auto found = objects_.find(number(handle));
    return found == objects_.end() ? nullptr : found->second;
  }

  /// The object, no longer known by its handle; nullptr where it was not.
  std::shared_ptr<Object> remove(Handle handle) {
    const auto found = objects_.find(number(handle));
    if (found == objects_.end()) return nullptr;
    std::shared_ptr<Object> removed = std::move(found->second);
    objects_.erase(found);
    return removed;
  }

  int size() const { return static_cast<int>(objects_.size()); }
  void clear() { objects_.clear(); }
  auto begin() const { return objects_.begin(); }
  auto end() const { return objects_.end(); }

 private:
  // No address that a program could have.
  static constexpr std::uintptr_t kFirst = std::uintptr_t{1} << 62U;

  static std::uintptr_t number(Handle handle) { return reinterpret_cast<std::uintptr_t>(handle) - kFirst; }

  std::map<std::uintptr_t, std::shared_ptr<Object>> objects_;
  std::uintptr_t last_ = 0;
};

}  // namespace sil
