// What may be fed to a network, and how it is told that a sample may not: shared by all kinds of samples.
#pragma once

#include <string>
#include <string_view>

#include "skua/tensor.h"

namespace skua::calibration {

/// EngineBuildError, data_set_malformed: "data set, <where>: expected ..., found ...; <remedy>". Without one:
/// to repair or take out a sample, and to change preprocess.yaml.
Error malformed(const std::string& where, const std::string& expected, const std::string& found,
                std::string_view remedy = {});
/// The same from an error that says what was expected and found itself.
Error malformed(const std::string& where, const Error& cause);

/// Whether the input takes such a tensor: its type, its dimensions where they are fixed, at most those of
/// `max_shape` (where it is told) otherwise, and not empty. `where` names the file in the error: malformed.
Status check_input(const TensorSpec& input, DType dtype, const Shape& shape, const std::string& where);

/// Malformed when a value is NaN or infinite; only types that have such are looked at. Reads every byte.
Status check_finite(const std::string& input, const TensorView& values, const std::string& where);

}  // namespace skua::calibration
