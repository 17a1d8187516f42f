// The engine's view of a mechanism: log K_ij of any block of pairs.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <likewise/types.hpp>

#include "engine/cost_vjp.hpp"
#include "engine/parallel.hpp"
#include "engine/terms/exponents.hpp"
#include "engine/terms/pair_mask.hpp"
#include "engine/terms/scores.hpp"

namespace likewise::engine {

/// Immutable; threads share it.
template <class T> class LogWeights {
 public:
  virtual ~LogWeights() = default;
  virtual Index rows() const = 0;
  virtual Index cols() const = 0;
  /// out(a, b) = log K of query i0 + a and key j0 + b; -inf where the support does not admit the pair. Never
  /// NaN.
  virtual void fill(Index i0, Index j0, Tile<T> out) const = 0;
  /// The keys that any of `n` queries from i0 on may speak to: tiles outside are empty and are not asked for.
  virtual Block admitted_keys(Index /*i0*/, Index /*n*/) const { return {0, cols()}; }
  /// The form that the fused loop takes, before the support's filters, where there is one.
  virtual std::optional<Exponents> exponents() const { return {}; }
  /// Else scores and a profile, before the filters; none: tiles are filled.
  virtual std::optional<AnyProfiledScores> profiled() const { return {}; }
  /// The pairs that the support admits; nullptr: all.
  virtual const PairMask* mask() const { return nullptr; }
  /// As fill, with each pair's cost in the unit that its source computes in and d log K / dcost (0 where K is).
  virtual void fill_slopes(Index i0, Index j0, Tile<T> log_weights, Tile<T> costs, Tile<T> slopes) const = 0;
  /// The same of one query and the keys of a list, all of which count as admitted; rows (1, n_keys).
  virtual void fill_slopes_of(Index i, std::span<const int> keys, Tile<T> log_weights, Tile<T> costs,
                              Tile<T> slopes) const {
    for (Index e = 0; e < slopes.cols(); ++e)
      fill_slopes(i, keys[static_cast<std::size_t>(e)], log_weights.middleCols(e, 1), costs.middleCols(e, 1),
                  slopes.middleCols(e, 1));
  }
  /// A new sum of derivatives by those costs; nullptr where the metric has none.
  virtual std::unique_ptr<CostVjp<T>> vjp() const = 0;
  /// d log K / d(bandwidth or temperature) = -scale_slope() * cost * d log K / dcost; 0: the kernel has no such number.
  virtual double scale_slope() const = 0;
  /// The admitted key of least cost among those of a bias above -inf, the lowest index among equals; -1 where there is
  /// none. O(n_keys d).
  virtual Index nearest_key(Index i, const Vector<double>& key_bias) const = 0;
  /// What has been taken out of each row of `fill`, or nullptr: of queries so far away that logarithms beside it would lose
  /// their digits.
  virtual const Vector<double>* row_shift() const { return nullptr; }
  /// Those queries, and the weights as they serve all others; nothing where there is none. References this object.
  struct FarRows {
    const std::vector<bool>& far;
    const LogWeights& others;
  };
  virtual std::optional<FarRows> far_rows() const { return {}; }
};

}  // namespace likewise::engine
