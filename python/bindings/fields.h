// What a caller gave, field by field, as C++ values. A field of the wrong kind raises InvalidArgumentError
// that names it. Everything here needs the GIL.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "errors.h"
#include "skua/engine_cache_entry.h"
#include "skua/engine_set.h"

namespace skua::python {

/// InvalidArgumentError: "<field>: expected <expected>, found <repr of the value>", raised from `cause`.
[[noreturn]] void refuse_field(const char* field, std::string_view expected, nanobind::handle found,
                               nanobind::handle cause = {});
/// Its repr, or its type where it has none, as a number of thousands of digits.
std::string shown(nanobind::handle value);
/// The attribute, or null where there is none.
nanobind::object optional_attribute(nanobind::handle object, const char* name);

void read(nanobind::handle value, const char* field,
          std::string& into);  ///< a str, or an enumeration's value
void read(nanobind::handle value, const char* field, std::filesystem::path& into);
void read(nanobind::handle value, const char* field, bool& into);
void read(nanobind::handle value, const char* field, int& into);
void read(nanobind::handle value, const char* field, std::uint64_t& into);
void read(nanobind::handle value, const char* field, std::int64_t& into);
void read(nanobind::handle value, const char* field, double& into);
void read(nanobind::handle value, const char* field, Shape& into);
void read(nanobind::handle value, const char* field, Sha256& into);
void read(nanobind::handle value, const char* field, Precision& into);
void read(nanobind::handle value, const char* field, DType& into);
void read(nanobind::handle value, const char* field, TensorSpec& into);
void read(nanobind::handle value, const char* field, OptimizationProfile& into);
void read(nanobind::handle value, const char* field, HostTuple& into);
void read(nanobind::handle value, const char* field, Tolerance& into);
void read(nanobind::handle value, const char* field, GoldenSource& into);
void read(nanobind::handle value, const char* field, AccuracyLimits& into);
void read(nanobind::handle value, const char* field, CalibrationProvenance& into);
void read(nanobind::handle value, const char* field, BuildRoute& into);
void read(nanobind::handle value, const char* field, ExpiryRule& into);
void read(nanobind::handle value, const char* field, BuildConfig& into);
void read(nanobind::handle value, const char* field, EngineCacheEntry& into);
void read(nanobind::handle value, const char* field, GatePolicy& into);

/// The object of ours that a caller gave: a handle, a lane, a runtime.
template <typename T>
T& given_as(nanobind::handle value, const char* field, std::string_view expected) {
  T* found = nullptr;
  if (!nanobind::try_cast(value, found) || found == nullptr) refuse_field(field, expected, value);
  return *found;
}

/// The items of a mapping, each held.
std::vector<std::pair<nanobind::object, nanobind::object>> mapping_items(nanobind::handle value,
                                                                         const char* field);

template <typename T>
T read_as(nanobind::handle value, const char* field) {
  T result{};
  read(value, field, result);
  return result;
}

/// What may stand for a class of skua.types.
enum class Accepted { kInstances, kAnyAlike };

/// The attributes of an object.
class Fields {
 public:
  /// Requires an instance of the class `type` of skua.types; with kAnyAlike, any object that has the
  /// attributes without a default there. What else it lacks has that default.
  Fields(nanobind::handle object, const char* field, const char* type,
         Accepted accepted = Accepted::kInstances);

  template <typename T>
  const Fields& operator()(const char* name, T& into) const {
    read_any(attribute(name), name, into);
    return *this;
  }
  nanobind::object attribute(const char* name) const;
  /// An object that has only defaults is none that was meant: demands this one.
  const Fields& demand(const char* name) const;
  static std::vector<nanobind::object> items_of(nanobind::handle value, const char* name);

 private:
  /// Of the class of skua.types; InvalidArgumentError where it has none.
  nanobind::object default_of(const char* name) const;
  [[noreturn]] void refuse_without(const char* name) const;
  template <typename T>
  static void read_any(nanobind::handle value, const char* name, T& into) {
    read(value, name, into);
  }
  template <typename T>
  static void read_any(nanobind::handle value, const char* name, std::optional<T>& into) {
    into.reset();
    if (!value.is_none()) read_any(value, name, into.emplace());
  }
  template <typename T>
  static void read_any(nanobind::handle value, const char* name, std::vector<T>& into) {
    into.clear();
    for (const nanobind::object& item : items_of(value, name)) read_any(item, name, into.emplace_back());
  }
  template <typename T>
  static void read_any(nanobind::handle value, const char* name, std::map<std::string, T>& into) {
    into.clear();
    for (const auto& [key, item] : pairs_of(value, name)) read_any(item, name, into[key]);
  }
  static std::vector<std::pair<std::string, nanobind::object>> pairs_of(nanobind::handle value,
                                                                        const char* name);

  nanobind::handle object_;
  const char* field_;
  const char* type_;
};

}  // namespace skua::python
