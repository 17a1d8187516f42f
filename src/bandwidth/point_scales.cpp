#include "bandwidth/point_scales.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <likewise/error.hpp>

#include "bandwidth/distances.hpp"
#include "engine/exp_weights.hpp"

namespace likewise::bandwidths {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double smallest_positive(const Vector<double>& values, double otherwise) {
  double smallest = infinity;
  for (const double v : values)
    if (v > 0) smallest = std::min(smallest, v);
  return smallest < infinity ? smallest : otherwise;
}

/// The key that is the query itself: by index among the points, by distance 0 for a new point; -1 for none. So a new point
/// that is a training point gets that point's length.
Index own_key(const Eigen::Ref<const Vector<double>>& d, Index query, bool self) {
  if (self) return query;
  for (Index j = 0; j < d.size(); ++j)
    if (d(j) == 0) return j;
  return -1;
}

/// The distance at which the keys within weigh `count`, or that of the last key.
double distance_of_count(const Eigen::Ref<const Vector<double>>& d, const Vector<double>& counts,
                         Index left_out, double count) {
  std::vector<std::pair<double, double>> keys;
  for (Index j = 0; j < d.size(); ++j) {
    const double copies = counts(j) - (j == left_out ? 1 : 0);
    if (copies > 0) keys.emplace_back(d(j), copies);
  }
  std::sort(keys.begin(), keys.end());
  double within = 0;
  for (const auto& [distance, copies] : keys)
    if ((within += copies) >= count * (1 - 1e-12)) return distance;
  return keys.empty() ? 0 : keys.back().first;
}

/// Entropy of the weights phi(d/s) w over the keys of one row.
class RowEntropy {
 public:
  RowEntropy(const Kernel& kernel, const Vector<double>& distances, const Vector<double>& log_weights)
      : kernel_(kernel),
        squared_(traits(kernel).input == KernelInput::squared_distance),
        d_(distances),
        log_w_(log_weights) {}

  double operator()(double s) const {
    Matrix<double> input = (d_ / s).transpose();
    if (squared_) input = input.array().square();
    log_weights<double>(kernel_, input, 1.0);
    const Eigen::ArrayXd logits = input.row(0).transpose().array() + log_w_.array();
    const double top = logits.maxCoeff();
    if (top == -infinity) return -infinity;
    const Eigen::ArrayXd centered = logits - top, p = engine::exp_weights(centered);
    const double mass = p.sum();
    return std::log(mass) - (p > 0).select(p * centered, 0.0).sum() / mass;
  }

 private:
  const Kernel& kernel_;
  bool squared_;
  const Vector<double>& d_;
  const Vector<double>& log_w_;
};

/// The length at which the entropy reaches the target, by bisection of its logarithm between the distances' extremes.
double length_of_entropy(const RowEntropy& entropy, double target, double nearest, double farthest) {
  double low = std::log(nearest) - 10, high = std::log(farthest) + 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (entropy(std::exp(middle)) < target ? low : high) = middle;
  }
  return std::exp(0.5 * (low + high));
}

}  // namespace

Vector<double> neighbor_scales(const Metric& metric, const Points<double>& X, const Points<double>& Z,
                               bool self, const BandwidthOptions& options, const Execution& run) {
  const auto costs = engine::make_cost_source<double>(metric, X, Z, 0);
  const Vector<double> counts = options.log_key_weights.size()
                                    ? Vector<double>(options.log_key_weights.array().exp())
                                    : Vector<double>::Ones(costs->cols());
  Vector<double> scales(costs->rows());
  for_each_row_block(*costs, engine::CostUnit::distance, run, [&](Index i0, Matrix<double>& rows) {
    for (Index a = 0; a < rows.rows(); ++a) {
      const Vector<double> d = rows.row(a);
      scales(i0 + a) =
          distance_of_count(d, counts, own_key(d, i0 + a, self), static_cast<double>(options.n_neighbors));
    }
  });
  const double least = smallest_positive(scales, 1);
  return scales.unaryExpr([least](double s) { return s > 0 ? s : least; });
}

Vector<double> entropy_scales(const Metric& metric, const Kernel& kernel, const Points<double>& X,
                              const Points<double>& Z, bool self, const BandwidthOptions& options,
                              const Execution& run) {
  require(
      traits(kernel).input == KernelInput::distance || traits(kernel).input == KernelInput::squared_distance,
      "kernel", "one with a bandwidth for 'perplexity'", repr(kernel));
  require(options.perplexity > 1, "perplexity", "above 1", options.perplexity);
  const auto costs = engine::make_cost_source<double>(metric, X, Z, 0);
  const double perplexity = std::min(options.perplexity, static_cast<double>(costs->cols() - 1) / 3);
  const Vector<double> log_w = options.log_key_weights.size()
                                   ? options.log_key_weights
                                   : Vector<double>(Vector<double>::Zero(costs->cols()));
  Vector<double> scales(costs->rows());
  for_each_row_block(*costs, engine::CostUnit::distance, run, [&](Index i0, Matrix<double>& rows) {
    for (Index a = 0; a < rows.rows(); ++a) {
      Vector<double> d = rows.row(a);
      if (const Index own = own_key(d, i0 + a, self); own >= 0) d(own) = infinity;
      const double nearest = smallest_positive(d, 1);
      const double farthest = d.unaryExpr([](double v) { return v < infinity ? v : 0.0; }).maxCoeff();
      // With three others or fewer no entropy can be asked for: the nearest sets the length.
      scales(i0 + a) = perplexity > 1 && farthest > 0 ? length_of_entropy(
                           RowEntropy(kernel, d, log_w), std::log(perplexity), nearest, farthest)
                                                      : nearest;
    }
  });
  return scales;
}

}  // namespace likewise::bandwidths
