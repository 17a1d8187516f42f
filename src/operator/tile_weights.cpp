#include "operator/tile_weights.hpp"

#include <cmath>
#include <limits>

#include <likewise/error.hpp>

#include "engine/cost_source.hpp"

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

// The largest error of an exponent that float32 products may cause before float64 takes over.
constexpr double exponent_error = 3e-6;

/// d^2/(s_i s_j) for an input that is d^power: the input is divided by (s_i s_j)^(power/2).
double scale_factor(const Vector<double>& scale, Index i, int power) {
  return std::pow(scale(i), -0.5 * power);
}

/// An error of the lift's d^power that keeps the kernel's exponent right; 0 where the kernel takes logarithms
/// or roots.
double tolerable_lift_error(const MetricTraits& laws, const ResolvedKernel& kernel) {
  const KernelInput input = traits(kernel.kernel).input;
  if (kernel.row_scale.size() || kernel.key_scale.size()) return 0;
  if (std::holds_alternative<Gaussian>(kernel.kernel))
    return exponent_error * 2 * kernel.scale * kernel.scale;
  if (input == KernelInput::cost && laws.lift_power == laws.distance_power)
    return exponent_error * kernel.scale;
  return 0;
}

template <class T> class TileWeights final : public engine::LogWeights<T> {
 public:
  TileWeights(const Metric& metric, const ResolvedKernel& kernel, const PairFilters& filters,
              const Points<T>& X, const Points<T>& Z)
      : laws_(traits(metric)),
        kernel_(kernel),
        input_(traits(kernel.kernel).input),
        unit_(unit_of(input_)),
        filters_(filters),
        costs_(engine::make_cost_source<T>(metric, X, Z, tolerable_lift_error(laws_, kernel))) {
    const int power = engine::unit_power(laws_, unit_);
    row_factor_ = factors(kernel.row_scale, power);
    key_factor_ = factors(kernel.key_scale, power);
  }

  Index rows() const override { return costs_->rows(); }
  Index cols() const override { return costs_->cols(); }

  void fill(Index i0, Index j0, Tile<T> out) const override {
    if (input_ != KernelInput::nothing) {
      costs_->fill(i0, j0, unit_, out);
      if (row_factor_.size()) out.array().colwise() *= row_factor_.segment(i0, out.rows()).array();
      if (key_factor_.size())
        out.array().rowwise() *= key_factor_.segment(j0, out.cols()).transpose().array();
    }
    log_weights<T>(kernel_.kernel, out, kernel_.scale);
    if (!filters_.empty()) filters_.exclude<T>(i0, j0, -std::numeric_limits<T>::infinity(), out);
  }

  engine::Block admitted_keys(Index i0, Index n) const override {
    return filters_.empty() ? engine::Block{0, cols()} : filters_.admitted_keys(i0, n);
  }

  Index nearest_key(Index i) const override {
    Matrix<T> costs(1, cols());
    costs_->fill(i, 0, CostUnit::cost, costs);
    if (!filters_.empty()) filters_.exclude<T>(i, 0, std::numeric_limits<T>::infinity(), costs);
    Index nearest = -1;
    const T least = costs.row(0).minCoeff(&nearest);
    return std::isfinite(least) ? nearest : -1;
  }

 private:
  static Vector<T> factors(const Vector<double>& scale, int power) {
    Vector<T> factor(scale.size());
    for (Index i = 0; i < scale.size(); ++i) factor(i) = static_cast<T>(scale_factor(scale, i, power));
    return factor;
  }

  MetricTraits laws_;
  ResolvedKernel kernel_;
  KernelInput input_;
  CostUnit unit_;
  PairFilters filters_;
  std::shared_ptr<const engine::CostSource<T>> costs_;
  Vector<T> row_factor_, key_factor_;
};

}  // namespace

template <class T>
std::shared_ptr<const engine::LogWeights<T>> make_tile_weights(const Metric& metric,
                                                               const ResolvedKernel& kernel,
                                                               const PairFilters& filters, const Points<T>& X,
                                                               const Points<T>& Z) {
  return std::make_shared<const TileWeights<T>>(metric, kernel, filters, X, Z);
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
  const auto weigh = [&](Index b) {
    const engine::Block rows = engine::block_of(b, edges.rows(), rows_at_a_time);
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
      for (SparseMatrix<double>::InnerIterator edge(edges, i); edge; ++edge) {
        double& cost = edge.valueRef();
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

#define LIKEWISE_INSTANTIATE(T)                                            \
  template std::shared_ptr<const engine::LogWeights<T>> make_tile_weights( \
      const Metric&, const ResolvedKernel&, const PairFilters&, const Points<T>&, const Points<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
