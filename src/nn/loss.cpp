#include <likewise/nn/loss.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <likewise/error.hpp>

namespace likewise::nn {
namespace {

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

/// Weights that sum to 1; empty ones are equal.
Vector<double> shares(const Vector<double>& weights, Index n) {
  if (weights.size() == 0) return Vector<double>::Constant(n, 1 / static_cast<double>(n));
  require(weights.size() == n, "weights", "one number for each of " + std::to_string(n) + " rows",
          weights.size());
  require(weights.allFinite() && (weights.array() >= 0).all() && weights.sum() > 0, "weights",
          "finite, not negative and not all 0", weights.head(std::min<Index>(n, 6)).transpose());
  return weights / weights.sum();
}

}  // namespace

template <class T>
Loss<T> cross_entropy(const Points<T>& logits, const std::vector<Index>& labels,
                      const Vector<double>& weights) {
  const Index n = logits.rows(), classes = logits.cols();
  require(n >= 1 && classes >= 1, "logits", "a matrix of one row and column or more", shape(n, classes));
  require(static_cast<Index>(labels.size()) == n, "labels",
          "one class for each of " + std::to_string(n) + " rows", labels.size());
  const Vector<double> share = shares(weights, n);
  Loss<T> loss{0, Matrix<T>(n, classes)};
  Eigen::ArrayXd row(classes);
  for (Index i = 0; i < n; ++i) {
    const Index label = labels[static_cast<std::size_t>(i)];
    require(label >= 0 && label < classes, "labels", "in [0, " + std::to_string(classes - 1) + "]", label);
    row = logits.row(i).transpose().template cast<double>().array();
    row -= row.maxCoeff();
    const double log_sum = std::log(row.exp().sum());
    if (share(i) > 0) loss.value += share(i) * (log_sum - row(label));
    row = share(i) * (row - log_sum).exp();
    row(label) -= share(i);
    loss.gradient.row(i) = row.matrix().transpose().template cast<T>();
  }
  return loss;
}

template <class T>
Loss<T> squared_error(const Points<T>& predictions, const Points<T>& targets, const Vector<double>& weights) {
  require(predictions.size() > 0, "predictions", "a matrix of one row and column or more",
          shape(predictions.rows(), predictions.cols()));
  require(targets.rows() == predictions.rows() && targets.cols() == predictions.cols(), "targets",
          "of the predictions' shape, " + shape(predictions.rows(), predictions.cols()),
          shape(targets.rows(), targets.cols()));
  const Vector<double> share = shares(weights, predictions.rows()) / static_cast<double>(predictions.cols());
  Loss<T> loss{0, Matrix<T>(predictions.rows(), predictions.cols())};
  for (Index i = 0; i < predictions.rows(); ++i)
    for (Index c = 0; c < predictions.cols(); ++c) {
      const double error = static_cast<double>(predictions(i, c)) - static_cast<double>(targets(i, c));
      loss.value += share(i) * error * error;
      loss.gradient(i, c) = static_cast<T>(2 * share(i) * error);
    }
  return loss;
}

#define LIKEWISE_INSTANTIATE(T)                                                                       \
  template Loss<T> cross_entropy(const Points<T>&, const std::vector<Index>&, const Vector<double>&); \
  template Loss<T> squared_error(const Points<T>&, const Points<T>&, const Vector<double>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
