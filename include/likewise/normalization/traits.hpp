// What a normalization is: two diagonal scalings l and r, and what they look at.
#pragma once

#include <concepts>

#include <likewise/value.hpp>

namespace likewise {

/// What r is made of: the key weights alone, the keys among themselves (new rows take over what these found), or the sums of
/// the operator's own columns.
enum class RightFrom { key_weights, keys, columns };

/// The laws of a normalization; a leaf that leaves one out does not compile.
template <class N>
concept NormalizationValue = SlotValue<N> && requires {
  { N::right_from } -> std::convertible_to<RightFrom>;
  /// l_i is 1/(null mass + mass of row i): a product finds it in its own pass.
  { N::divides_by_row_mass } -> std::convertible_to<bool>;
  /// A row does not depend on which other rows are asked.
  { N::rows_stand_alone } -> std::convertible_to<bool>;
};

}  // namespace likewise
