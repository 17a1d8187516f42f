#include "operator/tile_weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>

#include <likewise/error.hpp>

#include "engine/cost_source.hpp"
#include "engine/score_blocks.hpp"
#include "engine/single_precision.hpp"
#include "operator/far_queries.hpp"

namespace likewise {

using engine::CostUnit;

CostUnit unit_of(KernelInput input) {
  switch (input) {
    case KernelInput::distance:
      return CostUnit::distance;
    case KernelInput::squared_distance:
      return CostUnit::squared_distance;
    case KernelInput::reported:
      return CostUnit::reported;
    default:
      return CostUnit::cost;
  }
}

namespace {

/// d^2/(s_i s_j) for an input that is d^power: the input is divided by (s_i s_j)^(power/2).
double scale_factor(const Vector<double>& scale, Index i, int power) {
  return std::pow(scale(i), -0.5 * power);
}

/// log K = -factor * lift for kernels that are exponentials of what the metric's lift gives; 0: not of that form.
double exponent_factor(const MetricTraits& laws, const ResolvedKernel& kernel) {
  if (!laws.lifts() || kernel.row_scale.size() || kernel.key_scale.size()) return 0;
  const KernelInput input = traits(kernel.kernel).input;
  const bool reads_lift = engine::unit_power(laws, unit_of(input)) == laws.lift_power();
  return reads_lift ? decay_rate(kernel.kernel, kernel.scale) : 0;
}

/// Whether the kernel reads a root of what the metric's lift gives.
bool takes_root(const MetricTraits& laws, const ResolvedKernel& kernel) {
  const int power = engine::unit_power(laws, unit_of(traits(kernel.kernel).input));
  return laws.lift_power() == 2 && power == 1;
}

/// The largest terms of a lift that float32 may add. Kernels that are no exponentials get it where the relative error of
/// a weight (of a compact kernel, relative to its largest) stays below 1e-5: 84 epsilon through a slope in d^2; a root's
/// error is at most epsilon sqrt(terms / 1e-3) / 4 = 1e-6 sqrt(terms), since smaller d are found again by definition.
double largest_single(const MetricTraits& laws, const ResolvedKernel& kernel) {
  const double factor = exponent_factor(laws, kernel);
  if (factor > 0) return engine::largest_single_exponent / factor;
  if (!laws.lifts() || kernel.row_scale.size() || kernel.key_scale.size()) return 0;
  if (traits(kernel.kernel).input == KernelInput::nothing) return std::numeric_limits<double>::infinity();
  const double slope = steepest_slope(kernel.kernel, kernel.scale);
  return takes_root(laws, kernel) ? 100 / slope / slope : 84 / slope;
}

/// The length at which a pair's weight ends, with the scales of its two points; `scale` where there are none.
double length_of_pair(const ResolvedKernel& kernel, Index i, Index j) {
  double of_points = 1;
  if (kernel.row_scale.size()) of_points *= kernel.row_scale(i);
  if (kernel.key_scale.size()) of_points *= kernel.key_scale(j);
  return kernel.row_scale.size() || kernel.key_scale.size() ? kernel.scale * std::sqrt(of_points)
                                                            : kernel.scale;
}

/// The unit of the distances that decide at a kernel's edge.
CostUnit edge_unit(const Kernel& kernel) {
  return traits(kernel).infinite_on_self ? CostUnit::reported : CostUnit::distance;
}

/// By how many epsilons, times the size of what was added up, a score found in C may be off. Generous: a pair that is
/// found again by definition costs little.
template <class C> double score_rounding(Index width) {
  return 16 * static_cast<double>(std::numeric_limits<C>::epsilon()) * static_cast<double>(width + 8);
}

/// Whether a number of the kernel may be turned: its bandwidth, unless each point has its own, or its temperature.
bool has_scale(const ResolvedKernel& kernel) {
  const Bandwidth* bandwidth = bandwidth_of(kernel.kernel);
  if (bandwidth) return !bandwidth->is_open() && kernel.row_scale.size() == 0 && kernel.key_scale.size() == 0;
  return temperature_of(kernel.kernel) != nullptr;
}

template <class T> class TileWeights final : public engine::LogWeights<T> {
 public:
  TileWeights(const ResolvedKernel& kernel, const PairFilters& filters, const engine::SharedPoints<T>& X,
              const engine::SharedKeys<T>& keys)
      : laws_(traits(keys->metric())),
        kernel_(kernel),
        input_(traits(kernel.kernel).input),
        has_edge_(has_edge(kernel.kernel)),
        unit_(unit_of(input_)),
        filters_(filters),
        costs_(engine::make_cost_source<T>(X, keys, largest_single(laws_, kernel))) {
    const int power = engine::unit_power(laws_, unit_);
    row_factor_ = factors(kernel.row_scale, power);
    key_factor_ = factors(kernel.key_scale, power);
    profiled_ = profile(power);
    if (input_ != KernelInput::nothing) unsure_ = costs_->unsure(demand());
  }
  // `edge_` refers to this object.
  TileWeights(const TileWeights&) = delete;
  TileWeights& operator=(const TileWeights&) = delete;

  Index rows() const override { return costs_->rows(); }
  Index cols() const override { return costs_->cols(); }

  void fill(Index i0, Index j0, Tile<T> out) const override {
    if (profiled_)
      engine::fill_log_weights<T>(*profiled_, i0, j0, out);
    else
      fill_by_leaves(i0, j0, out);
    if (!filters_.empty()) filters_.exclude<T>(i0, j0, -std::numeric_limits<T>::infinity(), out);
  }

  void fill_slopes(Index i0, Index j0, Tile<T> log_k, Tile<T> costs, Tile<T> slopes) const override {
    fill(i0, j0, log_k);
    if (input_ == KernelInput::nothing) {
      costs.setZero();
      slopes.setZero();
      return;
    }
    // u = d^to, the kernel's input, from the cost d^from.
    const int from = engine::source_power(laws_), to = engine::unit_power(laws_, unit_);
    costs_->fill_exactly(i0, j0, unit_, unsure_, costs);
    slopes = costs;
    scale(i0, j0, slopes);
    log_slopes<T>(kernel_.kernel, slopes, log_k, kernel_.scale);
    scale(i0, j0, slopes);
    to_source(from, to, costs, slopes);
    if (may_overflow()) keep_numbers(log_k, costs, slopes);
  }
  /// By definition, as edges are weighed.
  void fill_slopes_of(Index i, std::span<const int> keys, Tile<T> log_k, Tile<T> costs,
                      Tile<T> slopes) const override {
    const Index m = std::ssize(keys);
    if (input_ == KernelInput::nothing || has_edge_ || m == 0)
      return engine::LogWeights<T>::fill_slopes_of(i, keys, log_k, costs, slopes);
    const int from = engine::source_power(laws_), to = engine::unit_power(laws_, unit_);
    if constexpr (std::is_same_v<T, double>) {
      costs_->pairs(i, keys, unit_, costs.data());
    } else {
      Vector<double> wide(m);
      costs_->pairs(i, keys, unit_, wide.data());
      costs = wide.transpose().template cast<T>();
    }
    const auto scale_keys = [&](Tile<T> row) {
      if (row_factor_.size()) row *= static_cast<T>(row_factor_(i));
      for (Index e = 0; e < m && key_factor_.size(); ++e)
        row(0, e) *= static_cast<T>(key_factor_(keys[static_cast<std::size_t>(e)]));
    };
    slopes = costs;
    scale_keys(slopes);
    log_k = slopes;
    log_weights<T>(kernel_.kernel, log_k, kernel_.scale);
    log_slopes<T>(kernel_.kernel, slopes, log_k, kernel_.scale);
    scale_keys(slopes);
    to_source(from, to, costs, slopes);
    if (may_overflow()) keep_numbers(log_k, costs, slopes);
  }
  std::unique_ptr<engine::CostVjp<T>> vjp() const override { return costs_->vjp(unsure_ > 0); }
  double scale_slope() const override {
    if (!has_scale(kernel_)) return 0;
    const int from = engine::source_power(laws_), to = engine::unit_power(laws_, unit_);
    // phi is a function of d/h, or of cost/t: h d/dh = -d d/dd.
    const double power =
        input_ == KernelInput::cost ? (to == 0 ? 1.0 : static_cast<double>(from) / to) : from;
    return power / kernel_.scale;
  }

  engine::Block admitted_keys(Index i0, Index n) const override {
    return filters_.empty() ? engine::Block{0, cols()} : filters_.admitted_keys(i0, n);
  }

  std::optional<engine::Exponents> exponents() const override {
    const double factor = exponent_factor(laws_, kernel_);
    return factor > 0 && std::isfinite(factor) ? costs_->exponents(factor) : std::nullopt;
  }
  std::optional<engine::AnyProfiledScores> profiled() const override { return profiled_; }
  const engine::PairMask* mask() const override { return filters_.empty() ? nullptr : &filters_; }

  Index nearest_key(Index i, const Vector<double>& key_bias) const override {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const CostUnit unit = laws_.lift_power() == 2 ? CostUnit::squared_distance : CostUnit::cost;
    Matrix<T> costs(1, cols());
    costs_->fill(i, 0, unit, costs);
    if (!filters_.empty()) filters_.exclude<T>(i, 0, infinity, costs);
    for (Index j = 0; j < cols(); ++j)  // a key of weight 0 is not there
      if (key_bias(j) == -std::numeric_limits<double>::infinity()) costs(0, j) = infinity;
    const double least = static_cast<double>(costs.minCoeff());
    if (!std::isfinite(least)) return -1;
    // A lift rounds: what may be as near is judged by the metric's definition.
    const double rounding = 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::abs(least);
    const double reach = least + 2 * (costs_->lift_error(i) + rounding);
    Index nearest = -1;
    double distance = std::numeric_limits<double>::infinity();
    for (Index j = 0; j < cols(); ++j) {
      if (!(static_cast<double>(costs(0, j)) <= reach)) continue;
      const double exact = costs_->pair(i, j, unit);
      if (nearest < 0 || exact < distance) {
        nearest = j;
        distance = exact;
      }
    }
    return nearest;
  }

 private:
  /// Inputs d^to and slopes by them, to costs d^from and slopes by those.
  static void to_source(int from, int to, Tile<T> costs, Tile<T> slopes) {
    if (from == to) return;
    if (to == 1) {  // du/dcost = 1/(2 u), and 0 at distance 0
      slopes = (costs.array() > T(0)).select(slopes.array() / (T(2) * costs.array()), T(0)).matrix();
      costs = costs.array().square();
    } else {
      costs = costs.array().sqrt();
      slopes.array() *= T(2) * costs.array();
    }
  }

  /// Lifts are finite, and so are slopes that have a bound.
  bool may_overflow() const {
    return !laws_.lifts() || !std::isfinite(steepest_slope(kernel_.kernel, kernel_.scale));
  }
  /// A pair without weight passes nothing back, be it infinitely far or its slope beyond all numbers; 0 times infinity would
  /// be NaN.
  static void keep_numbers(const Points<T>& log_k, Tile<T> costs, Tile<T> slopes) {
    if ((costs.array() * T(0) + slopes.array() * T(0)).sum() == T(0)) return;  // all finite
    constexpr T most = std::numeric_limits<T>::max();
    const auto number = [&](Index a, Index b, T x) {
      if (std::isfinite(x)) return x;
      return log_k(a, b) > -std::numeric_limits<T>::infinity() ? std::clamp(x, -most, most) : T(0);
    };
    for (Index a = 0; a < costs.rows(); ++a)
      for (Index b = 0; b < costs.cols(); ++b) {
        costs(a, b) = number(a, b, costs(a, b));
        slopes(a, b) = number(a, b, slopes(a, b));
      }
  }

  /// The factors of the points' own scales.
  void scale(Index i0, Index j0, Tile<T> tile) const {
    if (row_factor_.size())
      tile.array().colwise() *= row_factor_.segment(i0, tile.rows()).template cast<T>().array();
    if (key_factor_.size())
      tile.array().rowwise() *= key_factor_.segment(j0, tile.cols()).transpose().template cast<T>().array();
  }
  static Vector<double> factors(const Vector<double>& scale, int power) {
    Vector<double> factor(scale.size());
    for (Index i = 0; i < scale.size(); ++i) factor(i) = scale_factor(scale, i, power);
    return factor;
  }

  /// Exponentials of lifts, a user's own metric, and kernels with an edge where points have their own scales.
  void fill_by_leaves(Index i0, Index j0, Tile<T> out) const {
    costs_->fill(i0, j0, unit_, out);
    scale(i0, j0, out);
    const Matrix<T> input = has_edge_ ? Matrix<T>(out) : Matrix<T>();
    log_weights<T>(kernel_.kernel, out, kernel_.scale);
    if (has_edge_) decide_edge(i0, j0, input, out);
  }

  /// The log weight of one pair by definition.
  double exact(Index i, Index j) const {
    return log_weight_at(kernel_.kernel, costs_->pair(i, j, edge_unit(kernel_.kernel)),
                         length_of_pair(kernel_, i, j));
  }

  /// Pairs whose input lies within rounding of the kernel's edge are found again.
  void decide_edge(Index i0, Index j0, const Matrix<T>& input, Tile<T> out) const {
    const int power = engine::unit_power(laws_, unit_);
    const double edge = edge_score(power), rounding = score_rounding<T>(64) * edge;
    for (Index a = 0; a < out.rows(); ++a) {
      const double lift = costs_->lift_error(i0 + a);  // of a square; the root's is that over twice the root
      for (Index b = 0; b < out.cols(); ++b) {
        const double away = std::abs(static_cast<double>(input(a, b)) - edge);
        double factor = 1;
        if (row_factor_.size()) factor *= row_factor_(i0 + a);
        if (key_factor_.size()) factor *= key_factor_(j0 + b);
        const double off = lift == 0 ? 0 : power == 2 ? lift * factor : lift * factor * factor / edge;
        if (away <= rounding + off) out(a, b) = static_cast<T>(exact(i0 + a, j0 + b));
      }
    }
  }

  /// The edge as a score d^power: the bandwidth; 0 of 1/d.
  double edge_score(int power) const {
    if (traits(kernel_.kernel).infinite_on_self) return 0;
    return power == 2 ? std::min(kernel_.scale * kernel_.scale, std::numeric_limits<double>::max())
                      : kernel_.scale;
  }

  /// What the kernel asks of scores.
  typename engine::CostSource<T>::Demand demand() const {
    const bool scaled = row_factor_.size() || key_factor_.size();
    const double slope = steepest_slope(kernel_.kernel, kernel_.scale);
    return {takes_root(laws_, kernel_) || traits(kernel_.kernel).infinite_on_self || !std::isfinite(slope),
            scaled || !std::isfinite(slope) ? 0 : slope};
  }

  /// The kernel as the fused loop takes it: of distances it is largest at 0, of costs it has no bound.
  template <class C> engine::Profile profile_of() const {
    const KernelTraits laws = traits(kernel_.kernel);
    const double scale = static_cast<double>(detail::usable_scale<C>(kernel_.scale));
    const bool bounded = laws.input != KernelInput::cost && !laws.infinite_on_self;
    return {.kernel = &kernel_.kernel,
            .scale = scale,
            .upper_bound = bounded ? std::numbers::log2e * log_phi(kernel_.kernel, 0, scale)
                                   : std::numeric_limits<double>::infinity()};
  }

  /// The mechanism as scores and a profile of d^power; none for a user's own metric.
  std::optional<engine::AnyProfiledScores> profile(int power) {
    if (input_ == KernelInput::nothing)
      return engine::ProfiledScores<T>{.scores = {}, .profile = profile_of<T>()};
    const bool scaled = row_factor_.size() || key_factor_.size();
    if (has_edge_ && scaled) return {};  // the edge is another score for each pair
    const std::optional<engine::AnyScores> scores = costs_->scores(demand());
    if (!scores) return {};
    return std::visit(
        [&]<class C>(const engine::Scores<C>& s) -> engine::AnyProfiledScores {
          using Input = engine::Profile::Input;
          engine::Profile profile = profile_of<C>();
          if (s.power != power) profile.input = power == 2 ? Input::square : Input::root;
          if (input_ == KernelInput::cost && laws_.zero_on_self) profile.upper_bound = 0;
          if (has_edge_)
            edge_ = {.score = edge_score(s.power),
                     .rounding = score_rounding<C>(s.queries ? s.queries->cols() : 1),
                     .log_weight = [this](Index i, Index j) { return exact(i, j); }};
          return engine::ProfiledScores<C>{.scores = s,
                                           .profile = profile,
                                           .query_scale = row_factor_.size() ? &row_factor_ : nullptr,
                                           .key_scale = key_factor_.size() ? &key_factor_ : nullptr,
                                           .edge = has_edge_ ? &edge_ : nullptr};
        },
        *scores);
  }

  MetricTraits laws_;
  ResolvedKernel kernel_;
  KernelInput input_;
  bool has_edge_;  ///< the kernel ends somewhere, and who is within is decided by definition
  CostUnit unit_;
  engine::KernelEdge edge_;
  PairFilters filters_;
  std::shared_ptr<const engine::CostSource<T>> costs_;
  Vector<double> row_factor_, key_factor_;
  double unsure_ = 0;  ///< scores below this share of their terms are found by definition
  std::optional<engine::AnyProfiledScores> profiled_;
};

// --- float32 points beyond the reach of float32 squares

/// Lengths whose squares float32 holds to many digits.
bool fits_float32(double length) { return 1e-15 < length && length < 1e15; }
bool fit_float32(const Vector<double>& lengths) {
  return std::all_of(lengths.begin(), lengths.end(), fits_float32);
}

float largest(const Points<float>& X) { return X.size() ? X.cwiseAbs().maxCoeff() : 0; }

/// Whether float32 tiles hold what the kernel reads: not where the lengths at which it changes, squared, leave
/// float32's range, nor where any distance may matter, however short.
bool float32_holds_input(const ResolvedKernel& kernel, const Points<float>& X,
                         const engine::PreparedPoints<float>& keys) {
  const KernelTraits laws = traits(kernel.kernel);
  if (laws.input == KernelInput::nothing) return true;
  if (laws.infinite_on_self) return false;
  const bool of_length = laws.input != KernelInput::cost || traits(keys.metric()).distance_power == 1;
  return fits_float32(of_length ? kernel.scale : std::sqrt(kernel.scale)) && fit_float32(kernel.row_scale)
         && fit_float32(kernel.key_scale) && largest(X) < 1e15F && keys.largest_coordinate() < 1e15;
}

class WidenedVjp final : public engine::CostVjp<float> {
 public:
  explicit WidenedVjp(std::unique_ptr<engine::CostVjp<double>> vjp) : vjp_(std::move(vjp)) {}
  void add(Index i0, Index j0, float scale, const Points<float>& dcost, const Vector<float>& row_sums,
           const Vector<float>& column_sums) override {
    vjp_->add(i0, j0, static_cast<double>(scale), dcost.cast<double>(), row_sums.cast<double>(),
              column_sums.cast<double>());
  }
  PointGradient<float> take_points() override {
    PointGradient<double> found = vjp_->take_points();
    return {found.queries.cast<float>(), found.keys.cast<float>(), std::move(found.parameters)};
  }

 private:
  std::unique_ptr<engine::CostVjp<double>> vjp_;
};

/// Log weights found in float64, handed out as float32.
class WidenedWeights final : public engine::LogWeights<float> {
 public:
  explicit WidenedWeights(std::shared_ptr<const engine::LogWeights<double>> weights)
      : weights_(std::move(weights)) {}

  Index rows() const override { return weights_->rows(); }
  Index cols() const override { return weights_->cols(); }
  void fill(Index i0, Index j0, Tile<float> out) const override {
    Matrix<double> tile(out.rows(), out.cols());
    weights_->fill(i0, j0, tile);
    out = tile.cast<float>();
  }
  void fill_slopes(Index i0, Index j0, Tile<float> log_k, Tile<float> costs,
                   Tile<float> slopes) const override {
    Matrix<double> k(log_k.rows(), log_k.cols()), c = k, s = k;
    weights_->fill_slopes(i0, j0, k, c, s);
    log_k = k.cast<float>();
    costs = c.cast<float>();
    slopes = s.cast<float>();
  }
  std::unique_ptr<engine::CostVjp<float>> vjp() const override {
    auto vjp = weights_->vjp();
    return vjp ? std::make_unique<WidenedVjp>(std::move(vjp)) : nullptr;
  }
  double scale_slope() const override { return weights_->scale_slope(); }
  engine::Block admitted_keys(Index i0, Index n) const override { return weights_->admitted_keys(i0, n); }
  std::optional<engine::Exponents> exponents() const override { return weights_->exponents(); }
  std::optional<engine::AnyProfiledScores> profiled() const override { return weights_->profiled(); }
  const engine::PairMask* mask() const override { return weights_->mask(); }
  const Vector<double>* row_shift() const override { return weights_->row_shift(); }
  Index nearest_key(Index i, const Vector<double>& key_bias) const override {
    return weights_->nearest_key(i, key_bias);
  }

 private:
  std::shared_ptr<const engine::LogWeights<double>> weights_;
};

}  // namespace

template <class T>
std::shared_ptr<const engine::LogWeights<T>> make_tile_weights(const ResolvedKernel& kernel,
                                                               const PairFilters& filters,
                                                               const engine::SharedPoints<T>& X,
                                                               const engine::SharedKeys<T>& keys) {
  require(kernel.row_offset.size() == 0, "bandwidth",
          "another rule than 'umap' here: its offsets are known to the edges of Neighbors, which have no "
          "derivative",
          "'umap'");
  if constexpr (std::is_same_v<T, float>)
    if (!float32_holds_input(kernel, *X, *keys)) {
      const auto wide = keys->widened();
      const auto queries = X == keys->shared()
                               ? wide->shared()
                               : std::make_shared<const Matrix<double>>(X->template cast<double>());
      return std::make_shared<const WidenedWeights>(
          make_tile_weights<double>(kernel, filters, queries, wide));
    }
  auto weights = std::make_shared<const TileWeights<T>>(kernel, filters, X, keys);
  if (X == keys->shared()) return weights;
  return with_far_queries<T>(std::move(weights), kernel, filters, *X, *keys);
}

namespace {

/// The factors of an input by its point's scale; nothing where there are no scales.
Vector<double> scale_factors(const Vector<double>& scale, int power) {
  return scale.unaryExpr([power](double s) { return std::pow(s, -0.5 * power); });
}

}  // namespace

void costs_to_log_weights(const MetricTraits& laws, const ResolvedKernel& kernel, SparseMatrix<double>& edges,
                          const Execution& run) {
  constexpr Index rows_at_a_time = 512;
  const int power = engine::unit_power(laws, unit_of(traits(kernel.kernel).input));
  const Vector<double> of_row = scale_factors(kernel.row_scale, power),
                       of_key = scale_factors(kernel.key_scale, power);
  const bool edge_decides = has_edge(kernel.kernel);
  const int edge_power = engine::unit_power(laws, edge_unit(kernel.kernel));
  const auto weigh = [&](Index b) {
    const engine::Block rows = engine::block_of(b, edges.rows(), rows_at_a_time);
    if (edge_decides) {
      for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
        for (SparseMatrix<double>::InnerIterator edge(edges, i); edge; ++edge)
          edge.valueRef() = log_weight_at(
              kernel.kernel, engine::convert_power(edge.value(), laws.distance_power, edge_power),
              length_of_pair(kernel, i, edge.col()));
      return;
    }
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
      for (SparseMatrix<double>::InnerIterator edge(edges, i); edge; ++edge) {
        double& cost = edge.valueRef();
        if (kernel.row_offset.size())
          cost = engine::convert_power(
              std::max(0.0, engine::convert_power(cost, laws.distance_power, 1) - kernel.row_offset(i)), 1,
              power);
        else
          cost = engine::convert_power(cost, laws.distance_power, power);
        if (of_row.size()) cost *= of_row(i);
        if (of_key.size()) cost *= of_key(edge.col());
      }
    const Index begin = edges.outerIndexPtr()[rows.begin],
                end = edges.outerIndexPtr()[rows.begin + rows.size];
    Eigen::Map<Matrix<double>> all(edges.valuePtr() + begin, 1, end - begin);
    log_weights<double>(kernel.kernel, all, kernel.scale);
  };
  engine::parallel_blocks(engine::block_count(edges.rows(), rows_at_a_time),
                          engine::sized(run, 20.0 * static_cast<double>(edges.nonZeros())), "weighing edges",
                          weigh);
}

#define LIKEWISE_INSTANTIATE(T)                                                  \
  template std::shared_ptr<const engine::LogWeights<T>> make_tile_weights(       \
      const ResolvedKernel&, const PairFilters&, const engine::SharedPoints<T>&, \
      const engine::SharedKeys<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
