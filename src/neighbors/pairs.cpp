#include "neighbors/pairs.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "engine/cost_source.hpp"
#include "engine/prefetch.hpp"

namespace likewise::neighbors {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// |x - z|^2 in float64. Four sums: one alone would wait for each of its additions.
template <class T> double squared_distance(const T* x, const T* z, Index width) {
  double sums[4] = {};
  const auto square = [&](Index k) {
    const double difference = static_cast<double>(x[k]) - static_cast<double>(z[k]);
    return difference * difference;
  };
  Index k = 0;
  for (; k + 4 <= width; k += 4)
    for (Index s = 0; s < 4; ++s) sums[s] += square(k + s);
  for (; k < width; ++k) sums[0] += square(k);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

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
      constexpr Index ahead = 8;  // neighbors lie scattered in memory
      const auto ask_for = [&](Index m) { engine::prefetch(keys_.row(keys[m]).data(), keys_.cols()); };
      for (Index m = 0; m < std::min(ahead, n); ++m) ask_for(m);
      for (Index m = 0; m < n; ++m) {
        if (m + ahead < n) ask_for(m + ahead);
        out[m] = engine::convert_power(
            squared_distance(queries_.row(i).data(), keys_.row(keys[m]).data(), queries_.cols()), 2, to);
      }
      return;
    }
    Matrix<double> pair(2, queries_.cols());
    const RowRef<double> x = pair.row(0), z = pair.row(1);
    Matrix<double> other;  // Bilinear's keys may have another width
    if (keys_.cols() != queries_.cols()) other.resize(1, keys_.cols());
    pair.row(0) = queries_.row(i).template cast<double>();
    for (Index m = 0; m < n; ++m) {
      if (other.size()) {
        other.row(0) = keys_.row(keys[m]).template cast<double>();
        out[m] = metric_.template cost<double>(x, other.row(0));
      } else {
        pair.row(1) = keys_.row(keys[m]).template cast<double>();
        out[m] = metric_.template cost<double>(x, z);
      }
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
    for (Index m = 0; m < n; ++m) out[m] = costs_->pair(i, keys[m], engine::CostUnit::reported);
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
