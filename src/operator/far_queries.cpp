#include "operator/far_queries.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "engine/center.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// A sum of squares, or of absolute differences, over coordinates: their differences are found to all digits.
std::optional<CoordinateSum> sum_with_digits(const Metric& metric) {
  const std::optional<CoordinateSum> sum = coordinate_sum(metric);
  return sum && (sum->power == 2 || sum->power == 1) ? sum : std::nullopt;
}

/// log phi = -rate d^power; power 0: of no such form.
struct Decay {
  int power = 0;
  double rate = 0;
};
Decay decay_of(const Metric& metric, const Kernel& kernel, double h) {
  if (std::holds_alternative<Gaussian>(kernel)) return {2, 0.5 / h / h};
  if (std::holds_alternative<Laplacian>(kernel)) return {1, 1 / h};
  if (std::holds_alternative<Exponential>(kernel)) return {traits(metric).distance_power, 1 / h};
  return {};
}

/// sum_k |u_k - y_k| - |u_k|, to all digits.
double absolute_difference(const RowRef<double>& u, const RowRef<double>& y) {
  double sum = 0;
  for (Index k = 0; k < u.size(); ++k)
    sum +=
        std::abs(u(k)) >= std::abs(y(k)) ? (u(k) < 0 ? y(k) : -y(k)) : std::abs(u(k) - y(k)) - std::abs(u(k));
  return sum;
}

/// The points less the keys' center, as the metric sees them.
template <class T>
Matrix<double> at_center(const Points<T>& X, const Vector<double>& center, const CoordinateSum& how) {
  Matrix<double> U = X.template cast<double>().rowwise() - center.transpose();
  return how.factor ? Matrix<double>(U * how.factor->transpose()) : U;
}

/// Far rows' weights move with differences of their costs only, so what all costs of such a row have in common has no derivative:
/// it would be a difference of numbers that are larger than the answer by as much as the row is far.
template <class T> class FarVjp final : public engine::CostVjp<T> {
 public:
  FarVjp(std::unique_ptr<engine::CostVjp<T>> vjp, const std::vector<bool>& far)
      : vjp_(std::move(vjp)), far_(far) {}
  void add(Index i0, Index j0, T scale, const Points<T>& dcost, const Vector<T>& row_sums,
           const Vector<T>& column_sums) override {
    Vector<T> sums = row_sums;
    for (Index a = 0; a < sums.size(); ++a)
      if (far_[static_cast<std::size_t>(i0 + a)]) sums(a) = T(0);
    vjp_->add(i0, j0, scale, dcost, sums, column_sums);
  }
  /// Costs of far rows are differences, which say nothing about how near a pair is; such rows are near nobody.
  double take_near(Index i0, Index j0, const Points<T>& costs, Tile<T> dcost) override {
    Matrix<T> distant = costs;
    for (Index a = 0; a < distant.rows(); ++a)
      if (far_[static_cast<std::size_t>(i0 + a)])
        distant.row(a).setConstant(std::numeric_limits<T>::infinity());
    return vjp_->take_near(i0, j0, distant, dcost);
  }
  PointGradient<T> take_points() override { return vjp_->take_points(); }

 private:
  std::unique_ptr<engine::CostVjp<T>> vjp_;
  const std::vector<bool>& far_;  // of the weights, which outlive what they hand out
};

template <class T> class FarWeights final : public engine::LogWeights<T> {
 public:
  FarWeights(std::shared_ptr<const engine::LogWeights<T>> weights, PairFilters filters, CoordinateSum how,
             Decay decay, Matrix<double> queries, Matrix<double> keys, std::vector<bool> far)
      : weights_(std::move(weights)),
        filters_(std::move(filters)),
        how_(how),
        decay_(decay),
        queries_(std::move(queries)),
        keys_(std::move(keys)),
        squares_(keys_.rowwise().squaredNorm()),
        far_(std::move(far)),
        top_(Vector<double>::Zero(queries_.rows())),
        shift_(top_) {
    for (Index i = 0; i < rows(); ++i)
      if (far_[static_cast<std::size_t>(i)]) find_shift(i);
  }

  Index rows() const override { return weights_->rows(); }
  Index cols() const override { return weights_->cols(); }
  engine::Block admitted_keys(Index i0, Index n) const override { return weights_->admitted_keys(i0, n); }
  const engine::PairMask* mask() const override { return weights_->mask(); }
  const Vector<double>* row_shift() const override { return &shift_; }
  std::optional<typename engine::LogWeights<T>::FarRows> far_rows() const override {
    return typename engine::LogWeights<T>::FarRows{far_, *weights_};
  }
  std::unique_ptr<engine::CostVjp<T>> vjp() const override {
    auto vjp = weights_->vjp();
    return vjp ? std::make_unique<FarVjp<T>>(std::move(vjp), far_) : nullptr;
  }
  double scale_slope() const override { return weights_->scale_slope(); }

  void fill(Index i0, Index j0, Tile<T> out) const override {
    weights_->fill(i0, j0, out);
    bool any = false;
    for (Index a = 0; a < out.rows(); ++a) {
      if (!far_[static_cast<std::size_t>(i0 + a)]) continue;
      any = true;
      for (Index b = 0; b < out.cols(); ++b)
        out(a, b) = static_cast<T>(relative(i0 + a, j0 + b) - top_(i0 + a));
    }
    if (any && !filters_.empty()) filters_.exclude<T>(i0, j0, -std::numeric_limits<T>::infinity(), out);
  }
  void fill_slopes(Index i0, Index j0, Tile<T> log_k, Tile<T> costs, Tile<T> slopes) const override {
    weights_->fill_slopes(i0, j0, log_k, costs, slopes);
    fill(i0, j0, log_k);
    for (Index a = 0; a < costs.rows(); ++a)
      if (far_[static_cast<std::size_t>(i0 + a)])
        for (Index b = 0; b < costs.cols(); ++b)
          costs(a, b) = static_cast<T>(relative_cost(i0 + a, j0 + b, static_cast<double>(costs(a, b))));
  }
  Index nearest_key(Index i, const Vector<double>& key_bias) const override {
    return weights_->nearest_key(i, key_bias);
  }

 private:
  /// log K_ij less what a key at the center would get.
  double relative(Index i, Index j) const {
    const RowRef<double> u = queries_.row(i), y = keys_.row(j);
    if (how_.power == 1) return -decay_.rate * absolute_difference(u, y);
    const double squares = squares_(j) - 2 * u.dot(y);
    if (decay_.power == 2) return -decay_.rate * squares;
    const double norm = u.norm();
    return -decay_.rate * squares / (std::sqrt(std::max(norm * norm + squares, 0.0)) + norm);
  }

  /// c with c * slope = the share of d^power - |u|^power in it, where the source's cost is a distance or its square.
  double relative_cost(Index i, Index j, double cost) const {
    const double difference = -relative(i, j) / decay_.rate;
    return how_.power == 2 && decay_.power == 1 ? difference * std::sqrt(cost) : difference;
  }

  /// The largest relative log weight of each far row becomes 0. O(n_far n_keys d).
  void find_shift(Index i) {
    const Vector<double> row = relative_row(i);
    double top = minus_infinity;
    for (Index j = 0; j < cols(); ++j)
      if (row(j) > top && (filters_.empty() || filters_.admits(i, j))) top = row(j);
    if (top == minus_infinity) return;
    const double size = how_.power == 1 ? queries_.row(i).cwiseAbs().sum() : queries_.row(i).norm();
    top_(i) = top;
    shift_(i) = top - decay_.rate * (decay_.power == 2 ? size * size : size);
  }
  Vector<double> relative_row(Index i) const {
    if (decay_.power == 2) return decay_.rate * (2 * (keys_ * queries_.row(i).transpose()) - squares_);
    Vector<double> row(cols());
    for (Index j = 0; j < cols(); ++j) row(j) = relative(i, j);
    return row;
  }

  std::shared_ptr<const engine::LogWeights<T>> weights_;
  PairFilters filters_;
  CoordinateSum how_;
  Decay decay_;
  Matrix<double> queries_, keys_;
  Vector<double> squares_;  ///< |y|^2 of the keys
  std::vector<bool> far_;
  Vector<double> top_, shift_;
};

}  // namespace

template <class T>
std::shared_ptr<const engine::LogWeights<T>> with_far_queries(
    std::shared_ptr<const engine::LogWeights<T>> weights, const ResolvedKernel& kernel,
    const PairFilters& filters, const Points<T>& X, const engine::PreparedPoints<T>& prepared) {
  const Metric& metric = prepared.metric();
  const Points<T>& Z = prepared.points();
  const std::optional<CoordinateSum> how = sum_with_digits(metric);
  const Decay decay = decay_of(metric, kernel.kernel, kernel.scale);
  const bool sums = how && how->power == 1;
  if (!how || decay.power == 0 || (sums && decay.power != 1) || kernel.row_scale.size()
      || kernel.key_scale.size())
    return weights;
  // The exponent from which on the digits of a cost do not tell keys apart: those of squares are found in float64.
  const double digits =
      sums || decay.power == 1 ? static_cast<double>(std::numeric_limits<T>::epsilon()) : 2.3e-16;
  const double least = (digits > 1e-10 ? 1e-5 : 1e-9) / digits;
  const double least_length = decay.power == 2 ? std::sqrt(least / decay.rate) : least / decay.rate;
  const double width = static_cast<double>(std::max<Index>(X.cols(), 1));
  const double stretch = how->factor ? how->factor->norm() : 1;
  if (X.size() == 0 || Z.size() == 0) return weights;
  const double farthest = static_cast<double>(X.cwiseAbs().maxCoeff()) + prepared.largest_coordinate();
  if (farthest * stretch * (sums ? width : std::sqrt(width)) < least_length) return weights;

  const Vector<double> center = engine::center_of<T>(Z);
  Matrix<double> queries = at_center<T>(X, center, *how), keys = at_center<T>(Z, center, *how);
  const auto size = [&](const Matrix<double>& points) -> Vector<double> {
    return sums ? Vector<double>(points.cwiseAbs().rowwise().sum()) : Vector<double>(points.rowwise().norm());
  };
  const double largest_key = size(keys).maxCoeff();
  const Vector<double> lengths = size(queries);
  std::vector<bool> far(static_cast<std::size_t>(X.rows()));
  for (Index i = 0; i < X.rows(); ++i)
    far[static_cast<std::size_t>(i)] = lengths(i) > least_length && lengths(i) > 4 * largest_key;
  if (std::find(far.begin(), far.end(), true) == far.end()) return weights;
  return std::make_shared<const FarWeights<T>>(std::move(weights), filters, *how, decay, std::move(queries),
                                               std::move(keys), std::move(far));
}

#define LIKEWISE_INSTANTIATE(T)                                                                \
  template std::shared_ptr<const engine::LogWeights<T>> with_far_queries(                      \
      std::shared_ptr<const engine::LogWeights<T>>, const ResolvedKernel&, const PairFilters&, \
      const Points<T>&, const engine::PreparedPoints<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
