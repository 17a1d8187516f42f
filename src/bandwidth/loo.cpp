// The length with the least leave-one-out error.
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <vector>

#include <likewise/error.hpp>
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "bandwidth/distances.hpp"
#include "engine/exp_weights.hpp"
#include "operator/checks.hpp"
#include "operator/scalings.hpp"

namespace likewise {
namespace {

using engine::CostUnit;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double least_probability =
    1e-15;  // a class that got no weight costs -log of this, as in scikit-learn

// --- the problem --------------------------------------------------------------------------------------------------

struct Problem {
  const Mechanism& mechanism;
  Matrix<double> points, targets;
  Vector<double> log_w;
  std::vector<Index> place;  ///< the same number for copies of one point
  LooLoss loss;
};

/// Numbers that copies of a point share. Precomputed points have no copies but themselves.
std::vector<Index> places_of(const Metric& metric, const Matrix<double>& Z) {
  std::vector<Index> order(static_cast<std::size_t>(Z.rows())), place(order.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::iota(place.begin(), place.end(), Index{0});
  if (std::holds_alternative<Precomputed>(metric)) return place;
  const auto row = [&](Index i) { return Z.data() + i * Z.cols(); };
  std::sort(order.begin(), order.end(), [&](Index a, Index b) {
    return std::lexicographical_compare(row(a), row(a) + Z.cols(), row(b), row(b) + Z.cols());
  });
  for (std::size_t k = 1; k < order.size(); ++k)
    if (Z.row(order[k]) == Z.row(order[k - 1]))
      place[static_cast<std::size_t>(order[k])] = place[static_cast<std::size_t>(order[k - 1])];
  return place;
}

/// The loss of predicting y_i by f: squared error summed over targets, or -log of the probability of its class.
double loss_of(LooLoss loss, const Eigen::Ref<const Eigen::RowVectorXd>& y,
               const Eigen::Ref<const Eigen::RowVectorXd>& f) {
  if (loss == LooLoss::squared_error) return (y - f).squaredNorm();
  return -std::log(std::clamp(y.dot(f), least_probability, 1.0));
}

// --- one pass over shared distances for many lengths ----------------------------------------------------------------

CostUnit unit_of(const Kernel& kernel) {
  switch (traits(kernel).input) {
    case KernelInput::distance:
      return CostUnit::distance;
    case KernelInput::squared_distance:
      return CostUnit::squared_distance;
    default:
      return CostUnit::cost;
  }
}

/// +inf where a key is a copy of query i or, with Neighbors(k), is not among the k nearest others.
void leave_out(const Problem& p, Index i, Eigen::Ref<Eigen::RowVectorXd> row) {
  for (Index j = 0; j < row.size(); ++j)
    if (p.place[static_cast<std::size_t>(j)] == p.place[static_cast<std::size_t>(i)]
        || p.log_w(j) == -infinity)
      row(j) = infinity;
  const Neighbors* rule = p.mechanism.support.neighbors();
  if (!rule || rule->n_neighbors >= row.size()) return;
  std::vector<std::pair<double, Index>> keys;
  for (Index j = 0; j < row.size(); ++j) keys.emplace_back(row(j), j);
  const auto last = keys.begin() + (rule->n_neighbors - 1);
  std::nth_element(keys.begin(), last, keys.end());
  for (auto key = last + 1; key != keys.end(); ++key) row(key->second) = infinity;
}

/// Predictions of a block of rows from the others at one length. `costs`: what the kernel reads, left-out keys +inf.
Matrix<double> predict(const Problem& p, const Matrix<double>& costs, double scale) {
  Matrix<double> W = costs;
  log_weights<double>(p.mechanism.kernel, W, scale);
  W.rowwise() += p.log_w.transpose();
  const double null = null_mass(p.mechanism.normalization);
  Vector<double> top = W.rowwise().maxCoeff();
  top = (top.array() == -infinity).select(0.0, top);
  W.colwise() -= top;
  W = engine::exp_weights(W.array()).matrix();
  const Vector<double> mass = W.rowwise().sum();
  Matrix<double> F = W * p.targets;
  for (Index a = 0; a < F.rows(); ++a) {
    Index nearest = 0;
    if (mass(a) > 0)
      F.row(a) /= mass(a) + (null > 0 ? std::exp(std::log(null) - top(a)) : 0);
    else if (costs.row(a).minCoeff(&nearest) < infinity)
      F.row(a) = p.targets.row(nearest);  // a row left empty counts as its nearest key
  }
  return F;
}

/// The weighted mean loss at each length.
std::vector<double> losses_row_stochastic(const Problem& p, const engine::CostSource<double>& costs,
                                          const std::vector<double>& lengths, const Execution& run) {
  // Sums by row first, so that their order does not depend on threads.
  Matrix<double> of_rows(p.points.rows(), static_cast<Index>(lengths.size()));
  bandwidths::for_each_row_block(
      costs, unit_of(p.mechanism.kernel), run, [&](Index i0, Matrix<double>& rows) {
        for (Index a = 0; a < rows.rows(); ++a) leave_out(p, i0 + a, rows.row(a));
        for (std::size_t k = 0; k < lengths.size(); ++k) {
          const Matrix<double> F = predict(p, rows, lengths[k]);
          for (Index a = 0; a < rows.rows(); ++a)
            of_rows(i0 + a, static_cast<Index>(k)) = loss_of(p.loss, p.targets.row(i0 + a), F.row(a));
        }
      });
  const Vector<double> w = bandwidths::relative_weights(p.log_w, p.points.rows());
  const Vector<double> mean = of_rows.transpose() * w / w.sum();
  return {mean.begin(), mean.end()};
}

// --- any other normalization: an operator for each length -----------------------------------------------------------

std::vector<double> losses_of_operators(const Problem& p, const std::vector<double>& lengths,
                                        const Execution& run) {
  BoolMatrix others(p.points.rows(), p.points.rows());
  for (Index i = 0; i < others.rows(); ++i)
    for (Index j = 0; j < others.cols(); ++j)
      others(i, j) = p.place[static_cast<std::size_t>(i)] != p.place[static_cast<std::size_t>(j)];
  const Vector<double> w = bandwidths::relative_weights(p.log_w, p.points.rows());
  std::vector<double> losses;
  for (const double length : lengths) {
    Mechanism m = p.mechanism;
    m.kernel = with_bandwidth(m.kernel, length);
    m.support = m.support & Support(Mask{others});
    m.empty_row = EmptyRow::nearest;
    const Matrix<double> F = m.self_operator(p.points, {.log_key_weights = p.log_w}, run) * p.targets;
    double sum = 0;
    for (Index i = 0; i < F.rows(); ++i) sum += w(i) * loss_of(p.loss, p.targets.row(i), F.row(i));
    losses.push_back(sum / w.sum());
  }
  return losses;
}

// --- the search -----------------------------------------------------------------------------------------------------

struct Range {
  double low, high;
};

/// From the smallest distance between different places to the diameter; for a kernel of a cost (no bandwidth), the
/// thousandth of the costs' spread to the spread.
Range search_range(const Problem& p, const engine::CostSource<double>& costs, const Execution& run) {
  const bool of_cost = !bandwidth_of(p.mechanism.kernel);
  std::mutex lock;
  double low = infinity, high = -infinity;
  bandwidths::for_each_row_block(
      costs, of_cost ? CostUnit::cost : CostUnit::distance, run, [&](Index i0, Matrix<double>& rows) {
        double least = infinity, most = -infinity;
        for (Index a = 0; a < rows.rows(); ++a)
          for (Index j = 0; j < rows.cols(); ++j) {
            if (p.place[static_cast<std::size_t>(i0 + a)] == p.place[static_cast<std::size_t>(j)]) continue;
            if (of_cost || rows(a, j) > 0) least = std::min(least, rows(a, j));
            most = std::max(most, rows(a, j));
          }
        const std::lock_guard guard(lock);
        low = std::min(low, least);
        high = std::max(high, most);
      });
  if (of_cost) return {1e-3 * (high - low), high - low};
  return {low, high};
}

std::vector<double> log_grid(double low, double high, int n) {
  std::vector<double> grid;
  for (int k = 0; k < n; ++k) grid.push_back(low * std::pow(high / low, static_cast<double>(k) / (n - 1)));
  return grid;
}

}  // namespace

template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y,
                                LooLoss loss, const BandwidthOptions& options, const Execution& run) {
  check_points<T>("Z", Z);
  require(Y.rows() == Z.rows() && Y.allFinite(), "Y",
          "finite, with one row for each of " + std::to_string(Z.rows()) + " points",
          std::to_string(Y.rows()) + " rows");
  const Problem p{mechanism,
                  Z.template cast<double>(),
                  Y.template cast<double>(),
                  checked_log_weights(options.log_key_weights, Z.rows()),
                  places_of(mechanism.metric, Z.template cast<double>()),
                  loss};
  const auto costs = engine::make_cost_source<double>(mechanism.metric, p.points, p.points, 0);
  const bool shared = std::holds_alternative<RowStochastic>(mechanism.normalization);
  const auto losses = [&](const std::vector<double>& lengths) {
    return shared ? losses_row_stochastic(p, *costs, lengths, run) : losses_of_operators(p, lengths, run);
  };

  SelectedBandwidth found{.length = 1, .rule = "loo"};
  const Range range = search_range(p, *costs, run);
  if (!(range.low > 0 && range.high < infinity))
    return found;  // all points are one place: any length is as good
  // Three grids, each between the neighbors of the best so far: the last step is under 2 % of the length.
  double low = range.low, high = std::max(range.high, 1.001 * range.low);
  double best_loss = infinity;
  for (const int n : {32, 9, 9}) {
    const std::vector<double> grid = log_grid(low, high, n), curve = losses(grid);
    const auto best = static_cast<std::size_t>(std::min_element(curve.begin(), curve.end()) - curve.begin());
    if (curve[best] < best_loss) {
      best_loss = curve[best];
      found.length = grid[best];
    }
    if (found.grid.empty()) {
      found.grid = grid;
      found.curve = curve;
    }
    low = grid[best > 0 ? best - 1 : 0];
    high = grid[std::min(best + 1, grid.size() - 1)];
  }
  return found;
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<T>&, const Values<T>&, LooLoss, \
                                           const BandwidthOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
