// Mean shift: repeated steps from moving points to the fixed ones, with the points as values.
#pragma once

#include <optional>
#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

struct MeanShiftOptions {
  Metric metric = Euclidean{};
  Kernel kernel = Indicator{};  ///< a kernel of a distance; Indicator: the flat kernel
  /// Fills what the kernel leaves open; open too: `estimate_bandwidth`. A rule must give one length.
  Bandwidth bandwidth = {};
  std::optional<Matrix<double>> seeds = {};  ///< (n_seeds, d) where points start; none: at every point
  bool bin_seeding =
      false;               ///< without seeds: start at the centers of the occupied cells of a grid of width h
  Index min_bin_freq = 1;  ///< points that a cell must hold
  bool cluster_all = true;  ///< false: points farther than h from every center get -1
  int max_iter = 300;
  double tol = 1e-3;  ///< a point has arrived when a step is at most tol h
};

template <class T> struct MeanShift {
  Mechanism mechanism;        ///< from moving points to the fixed ones, row-stochastic; bandwidth resolved
  Matrix<T> cluster_centers;  ///< (n_clusters, d) modes by descending density
  std::vector<Index> labels;  ///< (n,) nearest center, -1 for orphans
  IterationReport report;     ///< residual: the longest last step in units of h

  double bandwidth() const;
  /// The nearest center of new points.
  std::vector<Index> predict(const Points<T>& X, const Execution& run = {}) const;
};

/// The mean distance to the neighbor of rank int(n quantile), a point counting itself: scikit-learn's rule.
/// O(n^2 d).
template <class T>
double estimate_bandwidth(const Points<T>& X, double quantile = 0.3, const Metric& metric = Euclidean{},
                          const Execution& run = {});
/// The same for any float or double matrix.
template <Unnamed S = void, class D>
double estimate_bandwidth(const Eigen::MatrixBase<D>& X, double quantile = 0.3,
                          const Metric& metric = Euclidean{}, const Execution& run = {}) {
  return estimate_bandwidth<ScalarOf<D>>(Points<ScalarOf<D>>(X.derived()), quantile, metric, run);
}

template <class T>
MeanShift<T> fit_mean_shift(const Points<T>& X, const MeanShiftOptions& options, const Execution& run);

/// m(x) = sum_j phi(d(x, z_j)) z_j / sum_j phi(d(x, z_j)), repeated until it stands still; for a Gaussian
/// kernel m(x) - x = h^2 grad log p_h(x) (Comaniciu and Meer 2002). Ends closer than h to a denser one are
/// the same mode. O(n_seeds n d) time a step.
template <Unnamed S = void, class D>
MeanShift<ScalarOf<D>> mean_shift(const Eigen::MatrixBase<D>& X, const MeanShiftOptions& options = {},
                                  const Execution& run = {}) {
  return fit_mean_shift<ScalarOf<D>>(X.derived(), options, run);
}

}  // namespace likewise
