#include "engine/cost_source.hpp"

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <likewise/error.hpp>

#include "engine/product.hpp"

namespace likewise::engine {

int unit_power(const MetricTraits& laws, CostUnit unit) {
  switch (unit) {
    case CostUnit::distance:
      return 1;
    case CostUnit::squared_distance:
      return 2;
    case CostUnit::reported:
      return laws.reports_root ? 1 : laws.distance_power;
    case CostUnit::cost:
      break;
  }
  return laws.distance_power;
}

double convert_power(double cost, int from, int to) {
  if (from == to) return cost;
  return to == 2 ? cost * cost : std::sqrt(cost);
}

namespace {

template <class T> void convert_tile(Tile<T> tile, int from, int to) {
  if (from == to) return;
  if (to == 2)
    tile = tile.array().square();
  else
    tile = tile.array().sqrt();
}

/// What the sources of all metrics share: the metric, its points and the direct evaluation of one pair.
template <class T, class M, class Costs> class PairSource : public Costs {
 public:
  template <class... Arguments>
  PairSource(const M& metric, SharedPoints<T> X, SharedKeys<T> keys, Arguments&&... of_costs)
      : Costs(metric.traits(), std::forward<Arguments>(of_costs)...),
        metric_(metric),
        held_queries_(std::move(X)),
        held_(std::move(keys)),
        queries_(*held_queries_),
        keys_(*held_->shared()) {}

  Index rows() const override { return queries_.rows(); }
  Index cols() const override { return keys_.rows(); }
  double pair(Index i, Index j, CostUnit unit) const override {
    const RowRef<double> x = queries_.row(i).template cast<double>(),
                         z = keys_.row(j).template cast<double>();
    double cost = 0;
    if constexpr (TileMetric<M>)  // the tile's own arithmetic, to the last bit
      metric_.template fill<double>(x, z, Eigen::Map<Matrix<double>>(&cost, 1, 1));
    else
      cost = metric_.template cost<double>(x, z);
    return convert_power(cost, this->laws_.distance_power, unit_power(this->laws_, unit));
  }
  void pairs(Index i, std::span<const int> keys, CostUnit unit, double* out) const override {
    const Index m = std::ssize(keys);
    const int from = this->laws_.distance_power, to = unit_power(this->laws_, unit);
    if constexpr (TileMetric<M>) {
      const Matrix<double> x = queries_.row(i).template cast<double>();
      const Matrix<double> z = gathered_rows<T, double>(keys_, keys);
      metric_.template fill<double>(x, z, Eigen::Map<Matrix<double>>(out, 1, m));
    } else if constexpr (std::is_same_v<T, double>) {
      const RowRef<double> x = queries_.row(i);
      for (Index e = 0; e < m; ++e)
        out[e] = metric_.template cost<double>(x, keys_.row(keys[static_cast<std::size_t>(e)]));
    } else {
      const RowRef<double> x = queries_.row(i).template cast<double>();
      for (Index e = 0; e < m; ++e)
        out[e] = metric_.template cost<double>(
            x, keys_.row(keys[static_cast<std::size_t>(e)]).template cast<double>());
    }
    if (from != to)
      for (Index e = 0; e < m; ++e) out[e] = convert_power(out[e], from, to);
  }

 protected:
  M metric_;
  SharedPoints<T> held_queries_;
  SharedKeys<T> held_;
  const Matrix<T>&queries_, &keys_;
};

/// a_i + b_j + |A_i||B_j| at most, over all keys j.
template <class C> double size_of(const LiftedPoints<C>& queries, Index i, const LargestTerms<C>& keys) {
  return static_cast<double>(std::abs(queries.bias(i)) + keys.bias)
         + static_cast<double>(queries.features().row(i).norm()) * static_cast<double>(keys.norm);
}
template <class C> double largest_size(const LiftedPoints<C>& queries, const LargestTerms<C>& keys) {
  double largest = 0;
  for (Index i = 0; i < queries.bias.size(); ++i) largest = std::max(largest, size_of(queries, i, keys));
  return largest;
}

/// Costs from products of lifted points, computed in C (T or double): the same for every metric that lifts.
template <class T, class C> class LiftedCosts : public CostSource<T> {
 public:
  LiftedCosts(const MetricTraits& laws, bool same_points, LiftedPoints<C> queries,
              std::shared_ptr<const LiftedKeys<C>> keys)
      : laws_(laws),
        ratio_(laws.lift->ratio),
        same_points_(same_points),
        query_lift_(std::move(queries)),
        held_keys_(std::move(keys)),
        key_lift_(held_keys_->lift) {}

  void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const override {
    fill_exactly(i0, j0, unit, 0, out);
  }

  void fill_exactly(Index i0, Index j0, CostUnit unit, double unsure, Tile<T> out) const override {
    const Index n = out.rows(), m = out.cols();
    Matrix<C> tile = query_lift_.bias.segment(i0, n).replicate(1, m);
    tile.rowwise() += key_lift_.bias.segment(j0, m).transpose();
    add_product<C>(C(-1), as_it_is<C>(query_lift_.features().middleRows(i0, n)),
                   engine::transposed<C>(key_lift_.features().middleRows(j0, m)), tile);
    if (laws_.zero_on_self) tile = tile.array().max(C(0));
    const int from = laws_.lift_power(), to = unit_power(laws_, unit);
    if (to == 1)
      unsure = std::max(unsure, near_share<C>);  // a root magnifies what cancellation left of a small square
    if (unsure > 0 && laws_.zero_on_self) refine(i0, j0, static_cast<C>(unsure), tile);
    convert_tile<C>(tile, from, to);
    out = tile.template cast<T>();
  }

  double lift_error(Index i) const override {
    // Rounding of a sum of width + 2 terms, none of whose partial sums is larger than `size`.
    return epsilon() * static_cast<double>(query_lift_.features().cols() + 4) * size(i);
  }

  std::optional<Exponents> exponents(double scale) const override {
    // Where even float64 loses digits the tiles serve: row sums and stored entries must then round alike, and inf - inf
    // of products that overflow is clamped.
    if (std::is_same_v<C, double> && !(scale * largest_size() * epsilon() < 1e-9)) return {};
    const double infinity = std::numeric_limits<double>::infinity();
    return LiftedExponents<C>{&query_lift_, &key_lift_, scale, laws_.zero_on_self ? 0.0 : infinity,
                              laws_.symmetric && same_points_};
  }

  std::optional<AnyScores> scores(const typename CostSource<T>::Demand& demand) const override {
    Scores<C> s{.way = ScoreWay::lift,
                .power = laws_.lift_power(),
                .queries = &query_lift_.features(),
                .keys = &key_lift_.features(),
                .query_bias = &query_lift_.bias,
                .key_bias = &key_lift_.bias,
                .not_negative = laws_.zero_on_self};
    if (ratio_ == 0) return s;
    s.query_factor = ratio_;
    s.factor = 0.5 / ratio_;
    s.unsure = unsure(demand);
    return s;
  }

  double unsure(const typename CostSource<T>::Demand& demand) const override {
    if (ratio_ == 0) return 0;
    // Half of a + b: no score keeps less than all its digits but one.
    if (demand.slope * largest_size() * epsilon() > (std::is_same_v<C, double> ? 1e-9 : 1e-5)) return 0.5;
    return demand.small ? near_share<C> : 0;
  }

  double largest_size() const { return engine::largest_size(query_lift_, held_keys_->largest); }

 private:
  double size(Index i) const { return size_of(query_lift_, i, held_keys_->largest); }
  static double epsilon() { return static_cast<double>(std::numeric_limits<C>::epsilon()); }

  /// Scores of at most that share of a + b are evaluated by definition.
  void refine(Index i0, Index j0, C unsure, Matrix<C>& tile) const {
    const C largest = key_lift_.bias.segment(j0, tile.cols()).maxCoeff();
    for (Index a = 0; a < tile.rows(); ++a) {
      const C bias = query_lift_.bias(i0 + a);
      if (tile.row(a).minCoeff() > unsure * (bias + largest)) continue;
      for (Index b = 0; b < tile.cols(); ++b)
        if (tile(a, b) <= unsure * (bias + key_lift_.bias(j0 + b)))
          tile(a, b) = static_cast<C>(convert_power(this->pair(i0 + a, j0 + b, CostUnit::cost),
                                                    laws_.distance_power, laws_.lift_power()));
    }
  }

 protected:
  MetricTraits laws_;
  double ratio_;
  bool same_points_;
  LiftedPoints<C> query_lift_;
  std::shared_ptr<const LiftedKeys<C>> held_keys_;
  const LiftedPoints<C>& key_lift_;
};

/// The costs of one metric's lift.
template <class T, class C, class M> class LiftedSource final : public PairSource<T, M, LiftedCosts<T, C>> {
  using Base = PairSource<T, M, LiftedCosts<T, C>>;

 public:
  LiftedSource(const M& metric, const SharedPoints<T>& X, LiftedPoints<C> queries, const SharedKeys<T>& keys)
      : Base(metric, X, keys, X == keys->shared(), std::move(queries), keys->template lifted<C>()) {}

  std::unique_ptr<CostVjp<T>> vjp(bool near) const override {
    if constexpr (DifferentiableLift<M>)
      return std::make_unique<LiftedVjp<T, C, M>>(this->metric_, this->held_->center(), this->queries_,
                                                  this->query_lift_, this->keys_, this->key_lift_, near);
    else
      return nullptr;
  }
};

/// How the fused loop sums over coordinates, and the power of the distance that comes of it.
struct Way {
  ScoreWay way;
  int power = 1;
};
/// `largest` bounds the coordinates: squares of those above 1e150 are no numbers.
Way way_of(double power, double largest) {
  if (power == 1) return {ScoreWay::sums};
  if (std::isinf(power)) return {ScoreWay::largest};
  if (power == 2 && largest < 1e150) return {ScoreWay::squares, 2};
  return {ScoreWay::powers};
}

template <class T> double largest_coordinate(const Matrix<T>& X) {
  return X.size() ? static_cast<double>(X.cwiseAbs().maxCoeff()) : 0;
}

/// What the others share.
template <class T> class PlainCosts : public CostSource<T> {
 public:
  explicit PlainCosts(const MetricTraits& laws) : laws_(laws) {}
  double lift_error(Index) const override { return 0; }

 protected:
  MetricTraits laws_;
};

/// Costs that a metric fills tile by tile.
template <class T, class M> class FilledSource final : public PairSource<T, M, PlainCosts<T>> {
 public:
  using PairSource<T, M, PlainCosts<T>>::PairSource;
  void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const override {
    this->metric_.template fill<T>(this->queries_.middleRows(i0, out.rows()),
                                   this->keys_.middleRows(j0, out.cols()), out);
    convert_tile<T>(out, this->laws_.distance_power, unit_power(this->laws_, unit));
  }
  std::unique_ptr<CostVjp<T>> vjp(bool) const override {
    if constexpr (DifferentiableTile<M> || DifferentiableTileParameter<M>)
      return std::make_unique<FilledVjp<T, M>>(this->metric_, this->queries_, this->keys_);
    else
      return nullptr;
  }

  std::optional<AnyScores> scores(const typename CostSource<T>::Demand&) const override {
    const std::optional<CoordinateSum> sum = this->metric_.coordinate_sum();
    if (!sum || sum->factor) return {};
    const Way way =
        way_of(sum->power, std::max(largest_coordinate(this->queries_), this->held_->largest_coordinate()));
    return Scores<T>{.way = way.way,
                     .power = way.power,
                     .queries = &this->queries_,
                     .keys = &this->keys_,
                     .p = sum->power};
  }
};

/// Costs that came as a matrix.
template <class T> class GivenSource final : public PlainCosts<T> {
  using PlainCosts<T>::laws_;

 public:
  GivenSource(const MetricTraits& laws, SharedPoints<T> costs)
      : PlainCosts<T>(laws), held_(std::move(costs)), costs_(*held_) {}

  Index rows() const override { return costs_.rows(); }
  Index cols() const override { return costs_.cols(); }
  double pair(Index i, Index j, CostUnit unit) const override {
    return convert_power(static_cast<double>(costs_(i, j)), laws_.distance_power, unit_power(laws_, unit));
  }
  void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const override {
    out = costs_.block(i0, j0, out.rows(), out.cols());
    convert_tile<T>(out, laws_.distance_power, unit_power(laws_, unit));
  }
  std::optional<AnyScores> scores(const typename CostSource<T>::Demand&) const override {
    return Scores<T>{.way = ScoreWay::given, .power = laws_.distance_power, .matrix = &costs_};
  }

 private:
  SharedPoints<T> held_;
  const Matrix<T>& costs_;
};

template <class T, class C, class M>
LiftedPoints<C> lifted_queries(const M& metric, const SharedPoints<T>& X, const Vector<double>& center) {
  return lifted_at<T, C>(metric, X, center,
                         [&](const Points<C>& x) { return metric.template lift_queries<C>(x); });
}

template <class T, class M>
std::shared_ptr<const CostSource<T>> lifted(const M& metric, const SharedPoints<T>& X,
                                            const SharedKeys<T>& keys, double largest_single) {
  constexpr Index few_pairs = 128 * 128;  // float64 costs nothing there
  if constexpr (std::is_same_v<T, float>) {
    if (X->rows() * keys->points().rows() > few_pairs) {
      auto queries = lifted_queries<T, float>(metric, X, keys->center());
      if (largest_size(queries, keys->template largest<float>()) <= largest_single)
        return std::make_shared<const LiftedSource<float, float, M>>(metric, X, std::move(queries), keys);
      keys->template forget<float>();
    }
  }
  auto source = std::make_shared<const LiftedSource<T, double, M>>(
      metric, X, lifted_queries<T, double>(metric, X, keys->center()), keys);
  for (Index i = 0; i < X->rows(); ++i)
    if (!std::isfinite(source->lift_error(i)))
      refuse("X", "of magnitudes whose products fit into float64 (below 1e150)",
             "a row " + std::to_string(i) + " that overflows with " + repr(Metric(metric)));
  return source;
}

void check_widths(const Metric& metric, Index x_width, Index z_width) {
  const Widths wanted = widths(metric);
  const auto or_that_of_keys = [&](Index width) { return width == Widths::any ? z_width : width; };
  require_width("X", x_width, or_that_of_keys(wanted.queries), metric);
  require_width("Z", z_width, or_that_of_keys(wanted.keys), metric);
}

}  // namespace

template <class T>
std::shared_ptr<const CostSource<T>> make_cost_source(const SharedPoints<T>& X, const SharedKeys<T>& keys,
                                                      double largest_single) {
  const Points<T>& Z = keys->points();
  const Metric& metric = keys->metric();
  if (points_are_costs(metric)) {
    require(X->cols() == Z.rows(), "X",
            "a matrix of costs with one column for each key (" + std::to_string(Z.rows()) + ")",
            std::to_string(X->cols()) + " columns");
    return std::make_shared<const GivenSource<T>>(traits(metric), X);
  }
  check_widths(metric, X->cols(), Z.cols());
  return std::visit(
      [&](const auto& leaf) -> std::shared_ptr<const CostSource<T>> {
        using M = std::decay_t<decltype(leaf)>;
        if constexpr (LiftedMetric<M>)
          return lifted<T, M>(leaf, X, keys, largest_single);
        else if constexpr (TileMetric<M>)
          return std::make_shared<const FilledSource<T, M>>(leaf, X, keys);
        else {
          static_assert(GivenCosts<M>, "a metric lifts or fills, and states the laws that its concept names");
          throw std::logic_error("costs that are given have no points");
        }
      },
      metric);
}

#define LIKEWISE_INSTANTIATE(T)                                                          \
  template std::shared_ptr<const CostSource<T>> make_cost_source(const SharedPoints<T>&, \
                                                                 const SharedKeys<T>&, double);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
