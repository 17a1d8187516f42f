// Kernel density: the unnormalized row sum with its constant.
#pragma once

#include <likewise/mechanism.hpp>

namespace likewise {

struct KernelDensityOptions {
  Metric metric = Euclidean{};
  Kernel kernel = Gaussian{};
  /// Fills what the kernel leaves open: a length or a rule that gives one length and needs no target.
  Bandwidth bandwidth = 1.0;
  /// One weight >= 0 for each point, not all 0; empty: 1.
  Vector<double> sample_weight = {};
};

/// p(x) = sum_j w_j phi(|x - z_j|) / (sum_j w_j integral of phi(|u|) du)  (Rosenblatt 1956, Parzen 1962).
template <class T> struct KernelDensity {
  KeyedMechanism<T> keyed;  ///< Unnormalized, bandwidth resolved; keys (n, d) with log weights of w_j / sum w
  double log_constant = 0;  ///< log of the integral of phi over R^d
  SelectedBandwidth bandwidth = {};

  /// log p at the rows of X, (n_queries,), in the log domain: finite however far, where the kernel never is
  /// 0; -inf beyond a compact kernel. O(n_queries n d) time, O(n d) memory.
  Vector<double> score_samples(const Points<T>& X, const Execution& run = {}) const;
};

/// log of the integral over R^d of phi(c(0, u)). The metric must come from a norm: Euclidean, its square,
/// Mahalanobis with a square factor of full rank, Manhattan, Chebyshev, Minkowski(p >= 1); the integral must
/// be finite.
double log_kernel_integral(const Metric& metric, const Kernel& kernel, Index d);

template <class T>
KernelDensity<T> fit_kernel_density(const Points<T>& X, const KernelDensityOptions& options,
                                    const Execution& run);

/// X (n, d). Throws InvalidArgument naming what does not fit.
template <class D>
KernelDensity<ScalarOf<D>> kernel_density(const Eigen::MatrixBase<D>& X,
                                          const KernelDensityOptions& options = {},
                                          const Execution& run = {}) {
  return fit_kernel_density<ScalarOf<D>>(X.derived(), options, run);
}

}  // namespace likewise
