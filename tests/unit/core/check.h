// What the tests of this folder say about errors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "verdicts.h"

namespace skua::test {

template <typename T>
testing::AssertionResult is_invalid(const Result<T>& result, const std::string& part) {
  return is_error(result, ErrorCode::kInvalidArgument, Reason::kInvalidArgument, part);
}

}  // namespace skua::test
