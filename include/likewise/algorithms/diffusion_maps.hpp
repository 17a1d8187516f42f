// Diffusion maps: coordinates in which distance is how differently two random walks spread.
#pragma once

#include <optional>

#include <likewise/spectrum.hpp>

namespace likewise {

struct DiffusionMapsOptions {
  Index n_components = 2;       ///< in [1, n - 1]
  double density_alpha = 1.0;   ///< 1 forgets the sampling density, 0 keeps it, 1/2 is Fokker-Planck
  Bandwidth bandwidth = "bgh";  ///< of a kernel that leaves it open
  double diffusion_time = 1;    ///< t >= 0
  Index n_neighbors = 0;        ///< 0: all pairs; else the k nearest, self included, in union
  Metric metric = Euclidean{};
  Kernel kernel = Gaussian{};
  std::optional<Normalization> normalization = {};  ///< instead of Density(density_alpha)
  std::optional<Support> support = {};              ///< instead of n_neighbors
  OperatorOptions operator_options = {};
  SpectrumOptions spectrum = {};
};

template <class T> struct DiffusionMap {
  SelfOperator<T> P;           ///< P.bandwidth() tells length and intrinsic dimension
  Vector<double> eigenvalues;  ///< (n_components,) descending, without the trivial 1
  Matrix<T> eigenvectors;      ///< (n, n_components) sum_i pi_i psi_i^2 = 1
  Matrix<T> embedding;         ///< (n, n_components) eigenvalues^t * eigenvectors
  double diffusion_time = 1;
  Vector<double> residuals = {};  ///< (n_components,)
  Index n_graph_components = 1;   ///< connected components of a sparse graph
  SpectrumReport report = {};

  /// New points, mu^(t-1) P.at(X) psi: the embedding itself on training points of all pairs; with neighbors
  /// Nystrom over the k nearest training points, a few percent off.
  Matrix<T> transform(const Points<T>& X, const Execution& run = {}) const;
  /// (n, n) distances between embedded points. With n - 1 components D_t(i, j)^2 = sum_l (P^t_il - P^t_jl)^2
  /// / pi_l, with fewer a lower bound of it. Refused beyond the memory limit.
  Matrix<T> diffusion_distances(const Execution& run = {}) const;
};

/// The five slots: metric, kernel, all pairs or neighbors, density-alpha, spectrum to the power t.
Mechanism diffusion_mechanism(const DiffusionMapsOptions& options);

/// References: Coifman and Lafon (2006); Berry, Giannakis and Harlim (2015) for the bandwidth.
template <class T>
DiffusionMap<T> fit_diffusion_maps(const Points<T>& X, const DiffusionMapsOptions& options,
                                   const Execution& run);
/// The same for any float or double matrix.
template <class D>
DiffusionMap<ScalarOf<D>> diffusion_maps(const Eigen::MatrixBase<D>& X,
                                         const DiffusionMapsOptions& options = {},
                                         const Execution& run = {}) {
  return fit_diffusion_maps<ScalarOf<D>>(X.derived(), options, run);
}

}  // namespace likewise
