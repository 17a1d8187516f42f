// The list of normalizations: which diagonal scalings l and r. A new one is a file in normalization/, a line
// here and its two formulas in src/operator/scalings.cpp.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <likewise/normalization/bistochastic.hpp>
#include <likewise/normalization/column.hpp>
#include <likewise/normalization/density.hpp>
#include <likewise/normalization/global.hpp>
#include <likewise/normalization/row_stochastic.hpp>
#include <likewise/normalization/symmetric.hpp>
#include <likewise/normalization/unnormalized.hpp>

namespace likewise {

using Normalization =
    std::variant<RowStochastic, Unnormalized, Symmetric, Density, Bistochastic, Column, Global>;

/// Laws of the leaf.
RightFrom right_from(const Normalization& normalization);
bool divides_by_row_mass(const Normalization& normalization);
bool rows_stand_alone(const Normalization& normalization);

std::string repr(const Normalization& normalization);
/// Throws InvalidArgument unless null_mass >= 0, alpha is finite, tol > 0 and max_iter >= 1.
void validate(const Normalization& normalization);

/// "row", "none", "symmetric", "density", "bistochastic", "column", "global"
Normalization normalization_from_name(const std::string& name);
const std::vector<std::string>& normalization_names();

}  // namespace likewise
