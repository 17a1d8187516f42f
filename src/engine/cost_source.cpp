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

/// What all sources share: the metric, its points and the direct evaluation of one pair.
template <class T, class M> class PairSource : public CostSource<T> {
 public:
  PairSource(const M& metric, SharedPoints<T> X, SharedPoints<T> Z)
      : metric_(metric),
        laws_(metric.traits()),
        held_queries_(std::move(X)),
        held_keys_(std::move(Z)),
        queries_(*held_queries_),
        keys_(*held_keys_) {}

  Index rows() const override { return queries_.rows(); }
  Index cols() const override { return keys_.rows(); }
  double lift_error(Index) const override { return 0; }
  double pair(Index i, Index j, CostUnit unit) const override {
    const RowRef<double> x = queries_.row(i).template cast<double>(),
                         z = keys_.row(j).template cast<double>();
    double cost = 0;
    if constexpr (TileMetric<M>)  // the tile's own arithmetic, to the last bit
      metric_.template fill<double>(x, z, Eigen::Map<Matrix<double>>(&cost, 1, 1));
    else
      cost = metric_.template cost<double>(x, z);
    return convert_power(cost, laws_.distance_power, unit_power(laws_, unit));
  }

 protected:
  M metric_;
  MetricTraits laws_;
  SharedPoints<T> held_queries_, held_keys_;
  const Matrix<T>&queries_, &keys_;
};

/// Where a lift has B(z) = ratio A(z) and is |ratio A(x) - B(z)|^2 / (2 ratio), that ratio; 0: of no such form.
template <class M> constexpr double lift_ratio(const M& metric) {
  return metric.traits().zero_on_self ? 2 : 0;
}
constexpr double lift_ratio(const Cosine&) { return 1; }

/// Costs from products of lifted points, computed in C (T or double).
template <class T, class C, class M> class LiftedSource final : public PairSource<T, M> {
  using Base = PairSource<T, M>;

 public:
  LiftedSource(const M& metric, const SharedPoints<T>& X, const SharedPoints<T>& Z,
               const Vector<double>& center)
      : Base(metric, X, Z),
        center_(center),
        same_points_(X == Z),
        queries_(metric.template lift_queries<C>(centered(*X, center))),
        keys_(metric.template lift_keys<C>(centered(*Z, center))),
        largest_key_(keys_.features.size() ? keys_.features.rowwise().norm().maxCoeff() : C(0)),
        largest_key_bias_(keys_.bias.size() ? keys_.bias.cwiseAbs().maxCoeff() : C(0)) {}

  void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const override {
    const Index n = out.rows(), m = out.cols();
    Matrix<C> tile = queries_.bias.segment(i0, n).replicate(1, m);
    tile.rowwise() += keys_.bias.segment(j0, m).transpose();
    add_product<C>(C(-1), as_it_is<C>(queries_.features.middleRows(i0, n)),
                   engine::transposed<C>(keys_.features.middleRows(j0, m)), tile);
    if (this->laws_.zero_on_self) tile = tile.array().max(C(0));
    const int from = this->laws_.lift_power, to = unit_power(this->laws_, unit);
    if (to == 1 && this->laws_.zero_on_self) refine(i0, j0, tile);
    convert_tile<C>(tile, from, to);
    out = tile.template cast<T>();
  }

  double lift_error(Index i) const override {
    // Rounding of a sum of width + 2 terms, none of whose partial sums is larger than `size`.
    return epsilon() * static_cast<double>(queries_.features.cols() + 4) * size(i);
  }

  std::optional<Exponents> exponents(double scale) const override {
    // Where even float64 loses digits the tiles serve: row sums and stored entries must then round alike, and inf - inf
    // of products that overflow is clamped.
    if (std::is_same_v<C, double> && !(scale * largest_size() * epsilon() < 1e-9)) return {};
    const double infinity = std::numeric_limits<double>::infinity();
    return LiftedExponents<C>{&queries_, &keys_, scale, this->laws_.zero_on_self ? 0.0 : infinity,
                              this->laws_.symmetric && same_points_};
  }

  std::unique_ptr<CostPull<T>> pull() const override {
    if constexpr (DifferentiableLift<M>)
      return std::make_unique<LiftedPull<T, C, M>>(this->metric_, centered(Base::queries_, center_), queries_,
                                                   centered(Base::keys_, center_), keys_);
    else
      return nullptr;
  }

  std::optional<AnyScores> scores(const typename CostSource<T>::Demand& demand) const override {
    Scores<C> s{.way = ScoreWay::lift,
                .power = this->laws_.lift_power,
                .queries = &queries_.features,
                .keys = &keys_.features,
                .query_bias = &queries_.bias,
                .key_bias = &keys_.bias,
                .not_negative = this->laws_.zero_on_self};
    const double ratio = lift_ratio(this->metric_);
    if (ratio == 0) return s;
    s.query_factor = ratio;
    s.factor = 0.5 / ratio;
    // Half of a + b: no score keeps less than all its digits but one.
    if (demand.slope * largest_size() * epsilon() > (std::is_same_v<C, double> ? 1e-9 : 1e-5))
      s.unsure = 0.5;
    else if (demand.small)
      s.unsure = unsure_root;
    return s;
  }

  double largest_size() const {
    double largest = 0;
    for (Index i = 0; i < queries_.bias.size(); ++i) largest = std::max(largest, size(i));
    return largest;
  }

 private:
  /// a_i + b_j + |A_i||B_j| at most, over all keys j.
  double size(Index i) const {
    return static_cast<double>(std::abs(queries_.bias(i)) + largest_key_bias_)
           + static_cast<double>(queries_.features.row(i).norm()) * static_cast<double>(largest_key_);
  }
  /// A root's relative error is below epsilon / (4 unsure_root): 3e-5 (float) of a d that is 30 times less than |x|.
  static constexpr double unsure_root = std::is_same_v<C, double> ? 1e-6 : 1e-3;
  static double epsilon() { return static_cast<double>(std::numeric_limits<C>::epsilon()); }
  static Matrix<C> centered(const Points<T>& points, const Vector<double>& center) {
    if (center.size() == 0) return points.template cast<C>();
    return (points.template cast<double>().rowwise() - center.transpose()).template cast<C>();
  }

  /// A root magnifies what cancellation left of a small square: such pairs are evaluated by definition.
  void refine(Index i0, Index j0, Matrix<C>& tile) const {
    const C unsure = static_cast<C>(64 * epsilon());
    const C largest = keys_.bias.segment(j0, tile.cols()).maxCoeff();
    for (Index a = 0; a < tile.rows(); ++a) {
      const C bias = queries_.bias(i0 + a);
      if (tile.row(a).minCoeff() > unsure * (bias + largest)) continue;
      for (Index b = 0; b < tile.cols(); ++b)
        if (tile(a, b) <= unsure * (bias + keys_.bias(j0 + b)))
          tile(a, b) = static_cast<C>(convert_power(this->pair(i0 + a, j0 + b, CostUnit::cost),
                                                    this->laws_.distance_power, this->laws_.lift_power));
    }
  }

  Vector<double> center_;
  bool same_points_;
  Lift<C> queries_, keys_;
  C largest_key_, largest_key_bias_;  ///< norm of features and magnitude of bias, over all keys
};

// The ways of the metrics that do not lift; p where the way has one. `largest` bounds the coordinates: squares of those
// above 1e150 are no numbers.
struct Way {
  ScoreWay way;
  int power = 1;
  double p = 1;
};
std::optional<Way> way_of(const Manhattan&, double) { return Way{ScoreWay::sums}; }
std::optional<Way> way_of(const Chebyshev&, double) { return Way{ScoreWay::largest}; }
std::optional<Way> way_of(const Minkowski& m, double largest) {
  if (m.p == 1) return Way{ScoreWay::sums};
  if (std::isinf(m.p)) return Way{ScoreWay::largest};
  if (m.p == 2 && largest < 1e150) return Way{ScoreWay::squares, 2};
  return Way{ScoreWay::powers, 1, m.p};
}
std::optional<Way> way_of(const CustomMetric&, double) { return {}; }

template <class T> double largest_coordinate(const Matrix<T>& X) {
  return X.size() ? static_cast<double>(X.cwiseAbs().maxCoeff()) : 0;
}

/// Costs that a metric fills tile by tile.
template <class T, class M> class FilledSource final : public PairSource<T, M> {
 public:
  using PairSource<T, M>::PairSource;
  void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const override {
    this->metric_.template fill<T>(this->queries_.middleRows(i0, out.rows()),
                                   this->keys_.middleRows(j0, out.cols()), out);
    convert_tile<T>(out, this->laws_.distance_power, unit_power(this->laws_, unit));
  }
  std::unique_ptr<CostPull<T>> pull() const override {
    if constexpr (DifferentiableTile<M>)
      return std::make_unique<FilledPull<T, M>>(this->metric_, this->queries_, this->keys_);
    else
      return nullptr;
  }

  std::optional<AnyScores> scores(const typename CostSource<T>::Demand&) const override {
    const auto way =
        way_of(this->metric_, std::max(largest_coordinate(this->queries_), largest_coordinate(this->keys_)));
    if (!way) return {};
    return Scores<T>{
        .way = way->way, .power = way->power, .queries = &this->queries_, .keys = &this->keys_, .p = way->p};
  }
};

/// Costs that came as a matrix.
template <class T> class PrecomputedSource final : public CostSource<T> {
 public:
  PrecomputedSource(const Precomputed& metric, SharedPoints<T> costs)
      : laws_(metric.traits()), held_(std::move(costs)), costs_(*held_) {}

  Index rows() const override { return costs_.rows(); }
  Index cols() const override { return costs_.cols(); }
  double lift_error(Index) const override { return 0; }
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
  MetricTraits laws_;
  SharedPoints<T> held_;
  const Matrix<T>& costs_;
};

/// Centering on the keys' mean keeps offsets from costing digits; empty where the metric is not
/// shift-invariant.
template <class T> Vector<double> center_of(const MetricTraits& laws, const Points<T>& Z) {
  if (!laws.shift_invariant || Z.rows() == 0) return {};
  return Z.template cast<double>().colwise().mean().transpose();
}

template <class T, class M>
std::shared_ptr<const CostSource<T>> lifted(const M& metric, const SharedPoints<T>& X,
                                            const SharedPoints<T>& Z, double largest_single) {
  const Vector<double> center = center_of<T>(metric.traits(), *Z);
  constexpr Index few_pairs = 128 * 128;  // float64 costs nothing there
  if constexpr (std::is_same_v<T, float>) {
    if (X->rows() * Z->rows() > few_pairs) {
      auto single = std::make_shared<const LiftedSource<float, float, M>>(metric, X, Z, center);
      if (single->largest_size() <= largest_single) return single;
    }
  }
  auto source = std::make_shared<const LiftedSource<T, double, M>>(metric, X, Z, center);
  for (Index i = 0; i < X->rows(); ++i)
    if (!std::isfinite(source->lift_error(i)))
      refuse("X", "of magnitudes whose products fit into float64 (below 1e150)",
             "a row " + std::to_string(i) + " that overflows with " + repr(Metric(metric)));
  return source;
}

Index query_width(const Metric& metric, Index otherwise) {
  if (const auto* m = std::get_if<Mahalanobis>(&metric)) return m->factor->cols();
  if (const auto* m = std::get_if<Bilinear>(&metric)) return m->query_factor->cols();
  return otherwise;
}
Index key_width(const Metric& metric, Index otherwise) {
  if (const auto* m = std::get_if<Bilinear>(&metric)) return m->key_factor->cols();
  return query_width(metric, otherwise);
}

void check_widths(const Metric& metric, Index x_width, Index z_width) {
  const auto check = [&](const char* argument, Index width, Index wanted) {
    require(width == wanted, argument,
            "an array with " + std::to_string(wanted) + " features for " + repr(metric),
            std::to_string(width) + " features");
  };
  check("X", x_width, query_width(metric, z_width));
  check("Z", z_width, key_width(metric, z_width));
}

}  // namespace

template <class T>
std::shared_ptr<const CostSource<T>> make_cost_source(const Metric& metric, const SharedPoints<T>& X,
                                                      const SharedPoints<T>& Z, double largest_single) {
  if (const auto* precomputed = std::get_if<Precomputed>(&metric)) {
    require(X->cols() == Z->rows(), "X",
            "a matrix of costs with one column for each key (" + std::to_string(Z->rows()) + ")",
            std::to_string(X->cols()) + " columns");
    return std::make_shared<const PrecomputedSource<T>>(*precomputed, X);
  }
  check_widths(metric, X->cols(), Z->cols());
  return std::visit(
      [&](const auto& leaf) -> std::shared_ptr<const CostSource<T>> {
        using M = std::decay_t<decltype(leaf)>;
        if constexpr (LiftedMetric<M>)
          return lifted<T, M>(leaf, X, Z, largest_single);
        else if constexpr (TileMetric<M>)
          return std::make_shared<const FilledSource<T, M>>(leaf, X, Z);
        else
          throw std::logic_error("a metric must lift or fill");
      },
      metric);
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template std::shared_ptr<const CostSource<T>> make_cost_source(const Metric&, const SharedPoints<T>&, \
                                                                 const SharedPoints<T>&, double);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
