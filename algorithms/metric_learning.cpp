#include <likewise/algorithms/metric_learning.hpp>

#include <cmath>
#include <memory>
#include <optional>
#include <type_traits>

#include <likewise/error.hpp>

#include "checks.hpp"
#include "engine/backward.hpp"
#include "engine/call.hpp"
#include "engine/exp_sum.hpp"
#include "operator/tile_weights.hpp"

namespace likewise {
namespace {

template <class T> using Weights = std::shared_ptr<const engine::LogWeights<T>>;

template <class T> Matrix<T> centered(const Points<T>& points) {
  const Eigen::Matrix<double, 1, Eigen::Dynamic> mean = points.template cast<double>().colwise().mean();
  return (points.template cast<double>().rowwise() - mean).template cast<T>();
}

/// log K of the projected points; only the first n_queries ask, none of them itself.
template <class T> Weights<T> leave_one_out(const Matrix<T>& projected, double temperature, Index n_queries) {
  const auto keys = std::make_shared<const Matrix<T>>(projected);
  const auto queries =
      n_queries == keys->rows() ? keys : std::make_shared<const Matrix<T>>(keys->topRows(n_queries));
  const auto filters = PairFilters::first_without_self(n_queries, keys->rows());
  return make_tile_weights<T>({Exponential{temperature}, temperature}, filters, queries,
                              std::make_shared<const engine::PreparedPoints<T>>(SquaredEuclidean{}, keys));
}

/// dL/dF, and L.
template <class T>
double loss_of(const std::string& loss, const Matrix<T>& F, const Points<T>& Y, Matrix<T>& grad) {
  const auto sum_of_products = [](const Matrix<T>& a, const Matrix<T>& b) {
    return (a.template cast<double>().array() * b.template cast<double>().array()).sum();
  };
  if (loss == "nca") {
    grad = -Y;
    return sum_of_products(grad, F);
  }
  const Matrix<T> error = F - Y;
  grad = T(2) * error;
  return sum_of_products(error, error);
}

template <class T> struct PointLoss {
  double value;
  Matrix<T> points;  ///< dL/du of the points as they are compared
  double temperature;
};

/// Of points as they are compared, u = W x or phi(x). None where float32 products would move an exponent.
template <class T>
std::optional<PointLoss<T>> loss_of_points(const Matrix<T>& points, const Matrix<T>& Y,
                                           const MetricLossOptions& o, Index n_queries,
                                           const Execution& run) {
  const Weights<T> K = leave_one_out<T>(points, o.temperature, n_queries);
  if constexpr (std::is_same_v<T, float>) {
    const auto exponents = K->exponents();
    if (!exponents || !std::holds_alternative<engine::LiftedExponents<float>>(*exponents)) return {};
  }
  // 1. what the others say of each query
  const Vector<double> none = Vector<double>::Zero(points.rows());
  const Partial<T> others = engine::exp_sum<T>(*K, none, Y, run);
  const Matrix<T> F =
      (others.sum.template cast<double>().array().colwise() / others.mass.array()).template cast<T>();
  Matrix<T> grad;
  const double value = loss_of<T>(o.loss, F, Y.topRows(n_queries), grad);
  // 2. dL/d log K_ij = P_ij (<grad_i, Y_j> - <grad_i, F_i>)
  const engine::BackwardTerms<T> terms{.log_left = -engine::log_mass(others),
                                       .log_right = none,
                                       .grad = grad,
                                       .values = Y,
                                       .deduction = (grad.array() * F.array()).rowwise().sum(),
                                       .by_values = false,
                                       .one_point_set = n_queries == points.rows()};
  const engine::BackwardSums<T> sums = engine::backward<T>(*K, terms, run);
  // 3. what a point gets as a key and as a query
  const PointGradient<T> found = sums.vjp->take_points();
  Matrix<T> by_points = found.keys;
  by_points.topRows(n_queries) += found.queries;
  return PointLoss<T>{value, std::move(by_points), sums.scale};
}

/// X and Y centered, which changes neither the loss nor its derivative but for their digits.
template <class T>
MetricLoss evaluate(const Matrix<T>& X, const Matrix<T>& Y, const Matrix<double>& W,
                    const MetricLossOptions& o, Index n_queries, const Execution& run) {
  const auto found = loss_of_points<T>(X * W.template cast<T>().transpose(), Y, o, n_queries, run);
  if (!found)
    return evaluate<double>(X.template cast<double>(), Y.template cast<double>(), W, o, n_queries, run);
  // by u = W x each point adds gu x^T
  return {found->value, (found->points.transpose() * X).template cast<double>(), found->temperature};
}

template <class T>
MapLoss evaluate(const Points<T>& X, const Matrix<T>& Y, const PointMap& map, const MetricLossOptions& o,
                 Index n_queries, const Execution& run) {
  const auto found = loss_of_points<T>(centered<T>(Matrix<T>(apply<T>(map, X))), Y, o, n_queries, run);
  if (!found)
    return evaluate<double>(X.template cast<double>(), Y.template cast<double>(), map, o, n_queries, run);
  return {found->value, vjp<T>(map, X, found->points).parameters, found->temperature};
}

/// What either kind of metric is learned from.
template <class T> void check(const Points<T>& X, const Values<T>& Y, const MetricLossOptions& o) {
  check_points<T>("X", X);
  require(X.rows() >= 2, "X", "of at least 2 rows (each is told by the others)", X.rows());
  require(Y.rows() == X.rows() && Y.cols() > 0, "Y", "a matrix with " + std::to_string(X.rows()) + " rows",
          std::to_string(Y.rows()) + " x " + std::to_string(Y.cols()));
  require(Y.allFinite(), "Y", "finite", "NaN or infinity");
  require(o.loss == "nca" || o.loss == "mlkr", "loss", "'nca' or 'mlkr'", "'" + o.loss + "'");
  require(o.temperature > 0 && std::isfinite(o.temperature), "temperature", "positive and finite",
          o.temperature);
  require(o.n_queries >= 0 && o.n_queries <= X.rows(), "n_queries",
          "an int in [0, " + std::to_string(X.rows()) + "]", o.n_queries);
}

template <class T> Matrix<T> told(const Values<T>& Y, const MetricLossOptions& o) {
  return o.loss == "mlkr" ? centered<T>(Y) : Matrix<T>(Y);
}

}  // namespace

template <class T>
MetricLoss metric_loss(const Points<T>& X, const Values<T>& Y, const Matrix<double>& W,
                       const MetricLossOptions& o, const Execution& run) {
  const engine::Call call(run);
  check<T>(X, Y, o);
  require(W.cols() == X.cols() && W.rows() > 0, "factor",
          "a matrix with " + std::to_string(X.cols()) + " columns",
          std::to_string(W.rows()) + " x " + std::to_string(W.cols()));
  require(W.allFinite(), "factor", "finite", "NaN or infinity");
  return evaluate<T>(centered<T>(X), told<T>(Y, o), W, o, o.n_queries ? o.n_queries : X.rows(), run);
}

template <class T>
MapLoss metric_loss(const Points<T>& X, const Values<T>& Y, const PointMap& map, const MetricLossOptions& o,
                    const Execution& run) {
  const engine::Call call(run);
  check<T>(X, Y, o);
  validate(map);
  return evaluate<T>(X, told<T>(Y, o), map, o, o.n_queries ? o.n_queries : X.rows(), run);
}

template MetricLoss metric_loss(const Points<float>&, const Values<float>&, const Matrix<double>&,
                                const MetricLossOptions&, const Execution&);
template MetricLoss metric_loss(const Points<double>&, const Values<double>&, const Matrix<double>&,
                                const MetricLossOptions&, const Execution&);
template MapLoss metric_loss(const Points<float>&, const Values<float>&, const PointMap&,
                             const MetricLossOptions&, const Execution&);
template MapLoss metric_loss(const Points<double>&, const Values<double>&, const PointMap&,
                             const MetricLossOptions&, const Execution&);

}  // namespace likewise
