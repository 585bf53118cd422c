// Verdicts on results and errors.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "skua/result.h"

namespace skua::test {

template <typename T>
testing::AssertionResult is_ok(const Result<T>& result) {
  if (result.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().describe();
}

/// The result is an error of this class and reason, and its message has `part`.
template <typename T>
testing::AssertionResult is_error(const Result<T>& result, ErrorCode code, Reason reason,
                                  const std::string& part = "") {
  if (result.ok()) return testing::AssertionFailure() << "is no error";
  const Error& error = result.error();
  if (error.code == code && error.reason == reason && error.message.find(part) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << error.describe() << " is not " << error_class_name(code) << " ["
                                     << to_string(reason) << "] with '" << part << "'";
}

template <typename T>
testing::AssertionResult is_build_error(const Result<T>& result, Reason reason,
                                        const std::string& part = "") {
  return is_error(result, ErrorCode::kEngineBuild, reason, part);
}

}  // namespace skua::test
