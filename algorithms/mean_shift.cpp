#include <likewise/algorithms/mean_shift.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <likewise/neighbors.hpp>
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "engine/call.hpp"
#include "engine/cost_source.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

constexpr double log_zero = -std::numeric_limits<double>::infinity();

// --- the bandwidth, and where points start

template <class T>
double find_bandwidth(const Points<T>& X, const MeanShiftOptions& o, const Execution& run) {
  require(std::holds_alternative<Indicator>(o.kernel) || bandwidth_of(o.kernel), "kernel",
          "one with a bandwidth (Indicator, Gaussian, Epanechnikov, ...)", repr(o.kernel));
  const Bandwidth* own = bandwidth_of(o.kernel);
  const Bandwidth asked = own && !own->is_open() ? *own : o.bandwidth;
  if (asked.is_number()) return asked.length();
  // Points that all coincide: each its own mode, as scikit-learn has it with bandwidth 0.
  if (asked.is_open())
    return std::max(estimate_bandwidth<T>(X, 0.3, o.metric, run), std::numeric_limits<double>::min());
  const SelectedBandwidth found = select_bandwidth<T>(asked.rule(), o.metric, o.kernel, X, {}, run);
  require(found.row_scale.size() == 0, "bandwidth", "a number or a rule that gives one length", asked);
  return found.length;
}

Kernel of_length(const Kernel& kernel, double h) {
  return std::holds_alternative<Indicator>(kernel) ? Kernel(Indicator{h}) : with_bandwidth(kernel, h);
}

/// The center of x's cell of width h; x itself where the cells are finer than numbers are.
double cell_center(double x, double h) {
  const double number = std::nearbyint(x / h);
  return std::abs(number) < 9007199254740992.0 ? h * number : x;
}

/// Centers of the cells of a grid of width h that hold at least `least` points.
template <class T> Matrix<T> occupied_cells(const Points<T>& X, double h, Index least) {
  std::map<std::vector<double>, Index> cells;
  for (Index i = 0; i < X.rows(); ++i) {
    std::vector<double> cell;
    for (Index k = 0; k < X.cols(); ++k) cell.push_back(cell_center(static_cast<double>(X(i, k)), h));
    ++cells[cell];
  }
  std::erase_if(cells, [least](const auto& cell) { return cell.second < least; });
  require(!cells.empty(), "min_bin_freq", "at most what the fullest cell holds", least);
  if (static_cast<Index>(cells.size()) == X.rows()) return X;
  Matrix<T> centers(static_cast<Index>(cells.size()), X.cols());
  Index row = 0;
  for (const auto& [cell, count] : cells) {
    centers.row(row++) = Eigen::Map<const Eigen::RowVectorXd>(cell.data(), X.cols()).template cast<T>();
  }
  return centers;
}

template <class T> Matrix<T> starts(const Points<T>& X, const MeanShiftOptions& o, double h) {
  if (!o.seeds) return o.bin_seeding ? occupied_cells(X, h, o.min_bin_freq) : Matrix<T>(X);
  require(o.seeds->rows() > 0 && o.seeds->cols() == X.cols() && o.seeds->allFinite(), "seeds",
          "finite, (n_seeds, " + std::to_string(X.cols()) + ") with n_seeds >= 1",
          std::to_string(o.seeds->rows()) + " x " + std::to_string(o.seeds->cols()));
  return o.seeds->template cast<T>();
}

/// The starts that see any point.
template <class T>
Matrix<T> with_mass(const KeyedMechanism<T>& to_points, const Matrix<T>& from, const MeanShiftOptions& o,
                    double h, const Execution& run) {
  const CrossOperator<T> P = to_points.at(from, run);
  std::vector<Index> rows;
  for (Index i = 0; i < from.rows(); ++i)
    if (P.log_row_sums()(i) > log_zero) rows.push_back(i);
  const std::string length = "the bandwidth, " + detail::print_number(h) + ",";
  require(!rows.empty() || o.seeds, "bin_seeding",
          "false where no cell's center has a point within " + length + " (or widen the bandwidth)",
          std::to_string(from.rows()) + " such cells");
  require(!rows.empty(), "seeds", "within " + length + " of some point (or widen the bandwidth)",
          std::to_string(from.rows()) + " seeds without any");
  return from(rows, Eigen::all);
}

// --- climbing, merging

template <class T> struct Climb {
  Matrix<T> ends;  ///< where each point arrived ...
  Matrix<T> last;  ///< ... and where its last step began
  IterationReport report;
};

template <class T>
Climb<T> climb(const KeyedMechanism<T>& to_points, const Matrix<T>& start, double h,
               const MeanShiftOptions& o, const Execution& run) {
  const Matrix<T>& X = to_points.keys().points();
  Climb<T> c{start, start, {}};
  const auto step = [&](const Matrix<T>& from, const std::vector<Index>&) {
    return to_points.at(from, run).apply(X, run);
  };
  const auto keep = [&](const std::vector<Index>& moving, const Matrix<T>& from, const Matrix<T>&) {
    c.last(moving, Eigen::all) = from;
  };
  // scikit-learn's count: the step that finds a point at rest is none.
  c.report = rows_until_still<T>(c.ends, h, o.tol, o.max_iter + 1, step, keep);
  --c.report.n_iter;
  return c;
}

/// Ends by descending density at their last step, then by coordinates: an order that no rounding of ties
/// decides.
template <class T>
Matrix<T> by_density(const KeyedMechanism<T>& to_points, const Climb<T>& c, const Execution& run) {
  const Vector<double> log_density = to_points.at(c.last, run).log_row_sums();
  std::vector<Index> order(static_cast<std::size_t>(c.ends.rows()));
  std::iota(order.begin(), order.end(), Index(0));
  std::sort(order.begin(), order.end(), [&](Index i, Index j) {
    if (log_density(i) != log_density(j)) return log_density(i) > log_density(j);
    const auto a = c.ends.row(i), b = c.ends.row(j);
    return std::lexicographical_compare(b.begin(), b.end(), a.begin(), a.end());
  });
  return c.ends(order, Eigen::all);
}

/// log of the number of keys within h of each query: -inf where there is none.
template <class T> Mechanism within(const Metric& metric, double h) {
  return {metric, Indicator{h}, AllPairs{}, Unnormalized{}};
}

/// The first of the ends that are within h of each other.
template <class T>
Matrix<T> merged(const Matrix<T>& ends, const Metric& metric, double h, const Execution& run) {
  std::vector<Index> centers;
  std::vector<bool> taken(static_cast<std::size_t>(ends.rows()));
  for (Index i = 0; i < ends.rows(); ++i) {
    if (taken[static_cast<std::size_t>(i)]) continue;
    centers.push_back(i);
    const Vector<double> near =
        within<T>(metric, h).cross_operator(ends, ends.row(i), {}, run).log_row_sums();
    for (Index j = i; j < ends.rows(); ++j)
      if (near(j) > log_zero) taken[static_cast<std::size_t>(j)] = true;
  }
  return ends(centers, Eigen::all);
}

template <class T>
std::vector<Index> nearest_center(const Metric& metric, const Points<T>& X, const Matrix<T>& centers,
                                  const Execution& run) {
  const Matrix<Index> nearest = kneighbors<T>(metric, X, centers, 1, {}, run).indices;
  return {nearest.data(), nearest.data() + nearest.size()};
}

}  // namespace

template <class T>
double estimate_bandwidth(const Points<T>& X, double quantile, const Metric& metric, const Execution& run) {
  const engine::Call call(run);
  require(quantile >= 0 && quantile <= 1, "quantile", "a number in [0, 1]", quantile);
  const MetricTraits laws = traits(metric);
  require(laws.distance_power != 0, "metric",
          "a distance or the square of one, which a bandwidth is a length of", repr(metric));
  const int reported = engine::unit_power(laws, engine::CostUnit::reported);
  constexpr Index block = 512;  // rows of neighbors in memory at a time
  const Index k = std::max<Index>(1, static_cast<Index>(static_cast<double>(X.rows()) * quantile));
  const PreparedKeys<T> keys(metric, X, {}, run);
  double sum = 0;
  for (Index i = 0; i < X.rows(); i += block) {
    const Points<T> rows = X.middleRows(i, std::min(block, X.rows() - i));
    const Matrix<T> found = kneighbors<T>(keys, rows, k, {}, run).distances;
    for (Index a = 0; a < found.rows(); ++a)
      sum += engine::convert_power(static_cast<double>(found(a, k - 1)), reported, 1);
  }
  return sum / static_cast<double>(X.rows());
}

template <class T>
MeanShift<T> fit_mean_shift(const Points<T>& X, const MeanShiftOptions& o, const Execution& run) {
  const engine::Call call(run);
  require(o.max_iter >= 0, "max_iter", "an int >= 0", o.max_iter);
  require(o.min_bin_freq >= 1, "min_bin_freq", "an int >= 1", o.min_bin_freq);
  const double h = find_bandwidth(X, o, run);
  const Mechanism m{.metric = o.metric,
                    .kernel = of_length(o.kernel, h),
                    .propagation = Steps{.moving = "points", .tol = o.tol, .max_iter = o.max_iter},
                    .empty_row = EmptyRow::nearest};
  const KeyedMechanism<T> to_points(m, PreparedKeys<T>(o.metric, X, {}, run));
  const Climb<T> ends = climb(to_points, with_mass(to_points, starts(X, o, h), o, h, run), h, o, run);
  const Matrix<T> centers = merged(by_density(to_points, ends, run), o.metric, h, run);
  MeanShift<T> result{m, centers, nearest_center<T>(o.metric, X, centers, run), ends.report};
  if (o.cluster_all) return result;
  const Vector<double> near = within<T>(o.metric, h).cross_operator(X, centers, {}, run).log_row_sums();
  for (Index i = 0; i < X.rows(); ++i)
    if (near(i) == log_zero) result.labels[static_cast<std::size_t>(i)] = -1;
  return result;
}

template <class T> double MeanShift<T>::bandwidth() const { return bandwidth_of(mechanism.kernel)->length(); }

template <class T> std::vector<Index> MeanShift<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return nearest_center<T>(mechanism.metric, X, cluster_centers, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                  \
  template struct MeanShift<T>;                                                                  \
  template double estimate_bandwidth(const Points<T>&, double, const Metric&, const Execution&); \
  template MeanShift<T> fit_mean_shift(const Points<T>&, const MeanShiftOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
