#include "neighbors/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "engine/cost_source.hpp"
#include "engine/simd/squared_distances.hpp"

namespace likewise::neighbors {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

template <class T, class M> class LiftedPairsOf final : public LiftedPairs {
 public:
  LiftedPairsOf(const M& metric, const Points<T>& X, const engine::PreparedPoints<T>& keys)
      : metric_(metric), laws_(metric.traits()), queries_(X), prepared_(keys), keys_(keys.points()) {}

  Index n_queries() const override { return queries_.rows(); }
  Index n_keys() const override { return keys_.rows(); }

  void distances(Index i, const Index* keys, Index n, double* out) const override {
    const int to = engine::unit_power(laws_, engine::CostUnit::reported);
    const std::optional<CoordinateSum> sum = metric_.coordinate_sum();
    if (sum && sum->power == 2 && !sum->factor) {
      engine::simd::squared_distances<T>(queries_.row(i).data(), keys_.data(), keys_.outerStride(), keys, n,
                                         keys_.cols(), out);
      for (Index m = 0; m < n; ++m) out[m] = engine::convert_power(out[m], 2, to);
      return;
    }
    if (laws_.half_chord)
      engine::simd::half_chords<T>(queries_.row(i).data(), keys_.data(), keys_.outerStride(), keys, n,
                                   keys_.cols(), out);
    else
      std::fill_n(out, n, std::numeric_limits<double>::quiet_NaN());
    for (Index m = 0; m < n; ++m) {
      if (std::isnan(out[m])) out[m] = cost_of(i, keys[m]);
      out[m] = engine::convert_power(out[m], laws_.distance_power, to);
    }
  }

  Lift<double> lift_queries(Index first, Index n, const Index* rows) const override {
    return metric_.template lift_queries<double>(centered(queries_, first, n, rows));
  }
  Lift<double> lift_keys(Index first, Index n, const Index* rows) const override {
    return metric_.template lift_keys<double>(centered(keys_, first, n, rows));
  }

  double projection_error() const override {
    if (metric_.projection_size(1, 1) == 0) return 0;
    const double terms = 16 * epsilon * static_cast<double>(queries_.cols() + 4);
    return terms
           * metric_.projection_size(engine::largest_norm<T>(queries_, prepared_.center()),
                                     prepared_.largest_norm());
  }

 private:
  /// By the metric's definition.
  double cost_of(Index i, Index key) const {
    const Matrix<double> x = queries_.row(i).template cast<double>(),
                         z = keys_.row(key).template cast<double>();
    return metric_.template cost<double>(x.row(0), z.row(0));
  }
  Matrix<double> centered(const Points<T>& points, Index first, Index n, const Index* rows) const {
    if (!rows) return engine::centered<T, double>(points.middleRows(first, n), prepared_.center());
    Matrix<T> block(n, points.cols());
    for (Index a = 0; a < n; ++a) block.row(a) = points.row(rows[a]);
    return engine::centered<T, double>(block, prepared_.center());
  }

  M metric_;
  MetricTraits laws_;
  const Points<T>& queries_;
  const engine::PreparedPoints<T>& prepared_;
  const Points<T>& keys_;
};

/// Metrics that fill tiles: the tile's own arithmetic, to the last bit.
template <class T> class TiledPairs final : public Pairs {
 public:
  explicit TiledPairs(std::shared_ptr<const engine::CostSource<T>> costs) : costs_(std::move(costs)) {}
  Index n_queries() const override { return costs_->rows(); }
  Index n_keys() const override { return costs_->cols(); }
  void distances(Index i, const Index* keys, Index n, double* out) const override {
    const std::vector<int> at(keys, keys + n);
    costs_->pairs(i, at, engine::CostUnit::reported, out);
  }

 private:
  std::shared_ptr<const engine::CostSource<T>> costs_;
};

}  // namespace

template <class T>
std::unique_ptr<const LiftedPairs> make_lifted_pairs(const Points<T>& X,
                                                     const engine::PreparedPoints<T>& keys) {
  return std::visit(
      [&](const auto& leaf) -> std::unique_ptr<const LiftedPairs> {
        using M = std::decay_t<decltype(leaf)>;
        if constexpr (LiftedMetric<M>)
          return std::make_unique<const LiftedPairsOf<T, M>>(leaf, X, keys);
        else
          throw std::logic_error("a metric without a lift");
      },
      keys.metric());
}

template <class T>
std::unique_ptr<const Pairs> make_pairs(const Points<T>& X, const engine::SharedKeys<T>& keys) {
  if (traits(keys->metric()).lifts()) return make_lifted_pairs<T>(X, *keys);
  constexpr double always = std::numeric_limits<double>::infinity();
  return std::make_unique<const TiledPairs<T>>(
      keys->shared() ? engine::make_cost_source<T>(std::make_shared<const Matrix<T>>(X), keys, always)
                     : engine::make_cost_source<T>(keys->metric(), X, keys->points(), always));
}

#define LIKEWISE_INSTANTIATE(T)                                                                    \
  template std::unique_ptr<const LiftedPairs> make_lifted_pairs(const Points<T>&,                  \
                                                                const engine::PreparedPoints<T>&); \
  template std::unique_ptr<const Pairs> make_pairs(const Points<T>&, const engine::SharedKeys<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::neighbors
