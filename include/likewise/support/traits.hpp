// What a pair filter is: which keys a query may speak to, told by their places alone.
#pragma once

#include <concepts>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// Who asks: the keys themselves; rows beside them that were given together with the keys (a cross-operator's queries, an
/// attention's); or new points, of whom a support that was fitted with the keys knows nothing.
enum class Askers { keys, beside, new_points };

/// The operator whose pairs are asked for.
struct PairShape {
  Index n_queries = 0, n_keys = 0;
  Askers askers = Askers::beside;
};

/// The keys that a query may speak to: [begin, end) save `hole` (-1: none). Where `all` is false only some of these, as
/// admits() tells.
struct AdmittedKeys {
  Index begin, end;
  Index hole = -1;
  bool all = true;
};

/// A filter's laws. From them follow tiles, what is skipped, masks and derivatives (src/operator/pair_filters): none has a default.
template <class F>
concept PairFilterLeaf = SlotValue<F> && requires(const F& f, Index i, const PairShape& shape) {
  /// Whether query i may speak to key j.
  { f.admits(i, i, shape) } -> std::same_as<bool>;
  /// Outside of these admits(i, j) is false for every j.
  { f.keys_of(i, shape) } -> std::same_as<AdmittedKeys>;
  /// admits(i, j) = admits(j, i) for all pairs.
  { f.symmetric(shape) } -> std::same_as<bool>;
  /// InvalidArgument, naming the filter, where it does not fit that shape or those who ask.
  f.check(shape);
  /// Excludes pairs (i, i) and no others: new points, which are none of the keys, are not concerned.
  { F::only_self } -> std::convertible_to<bool>;
};

}  // namespace likewise
