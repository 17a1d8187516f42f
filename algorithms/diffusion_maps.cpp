#include <likewise/algorithms/diffusion_maps.hpp>

#include <cmath>
#include <utility>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "operator/new_points.hpp"
#include "spectrum/eigenvalue_powers.hpp"

namespace likewise {

namespace {

Kernel with_open_bandwidth(const Kernel& kernel, const Bandwidth& bandwidth) {
  const Bandwidth* own = bandwidth_of(kernel);
  if (!own || own->is_open()) return own ? with_bandwidth(kernel, bandwidth) : kernel;
  require(!own->is_number() || !bandwidth.is_number() || *own == bandwidth, "bandwidth",
          "the kernel's own, or left to one of the two", bandwidth);
  return kernel;
}

}  // namespace

Mechanism diffusion_mechanism(const DiffusionMapsOptions& o) {
  const Support neighbors =
      o.n_neighbors == 0
          ? Support(AllPairs{})
          : Neighbors{.n_neighbors = o.n_neighbors, .symmetrize = "union", .include_self = true};
  return {.metric = o.metric,
          .kernel = with_open_bandwidth(o.kernel, o.bandwidth),
          .support = o.support.value_or(neighbors),
          .normalization = o.normalization.value_or(Density{o.density_alpha}),
          .propagation = Spectrum{o.n_components + 1, o.diffusion_time, o.spectrum.tol, o.spectrum.max_iter,
                                  o.spectrum.solver},
          .empty_row = EmptyRow::self};
}

template <class T>
DiffusionMap<T> fit_diffusion_maps(const Points<T>& X, const DiffusionMapsOptions& o, const Execution& run) {
  const engine::Call call(run);
  require(o.n_components >= 1 && o.n_components < X.rows(), "n_components",
          "an int in [1, " + std::to_string(X.rows() - 1) + "] (" + std::to_string(X.rows()) + " samples)",
          o.n_components);
  require(o.diffusion_time >= 0 && std::isfinite(o.diffusion_time), "diffusion_time", "a number >= 0",
          o.diffusion_time);
  const Mechanism mechanism = diffusion_mechanism(o);
  require(rows_stand_alone(mechanism.normalization), "normalization",
          "one whose rows stand alone, as RowStochastic(), which has the eigenvalues of Column()",
          repr(mechanism.normalization));
  const SelfOperator<T> P = mechanism.self_operator(X, o.operator_options, run);
  const Eigenpairs<T> s =
      largest_eigenpairs(P, o.n_components + 1, o.spectrum, run);  // pair 0: (1, constant)
  const Vector<double> values = s.values.tail(o.n_components);
  const Matrix<T> psi = s.vectors.rightCols(o.n_components);
  // Coifman and Lafon 2006: coordinate k of point i is mu_k^t psi_k(i).
  Matrix<T> embedding =
      psi * eigenvalue_powers(values, o.diffusion_time, "diffusion_time").template cast<T>().asDiagonal();
  return {P,
          values,
          psi,
          std::move(embedding),
          o.diffusion_time,
          s.residuals.tail(o.n_components),
          s.n_components,
          s.report};
}

template <class T> Matrix<T> DiffusionMap<T>::transform(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  // psi = P psi / mu, at new points too.
  const Vector<double> factor =
      eigenvalue_powers(eigenvalues, diffusion_time == 0 ? -1 : diffusion_time - 1, "diffusion_time");
  if (!std::holds_alternative<Symmetric>(P.mechanism().normalization))
    return at_new_points(P, X, run).apply(eigenvectors, run) * factor.template cast<T>().asDiagonal();
  return P.at(X, run).apply(eigenvectors, run) * factor.template cast<T>().asDiagonal();
}

template <class T> Matrix<T> DiffusionMap<T>::diffusion_distances(const Execution& run) const {
  const engine::Call call(run);
  const Index n = embedding.rows();
  run.require_memory(static_cast<double>(n) * static_cast<double>(n) * sizeof(T), "diffusion_distances()",
                     "use the embedding's rows", std::to_string(n) + " x " + std::to_string(n));
  Matrix<T> distances(n, n);
  for (Index i = 0; i < n; ++i)
    distances.row(i) = (embedding.rowwise() - embedding.row(i)).rowwise().norm().transpose();
  return distances;
}

#define LIKEWISE_INSTANTIATE(T)                                                              \
  template struct DiffusionMap<T>;                                                           \
  template DiffusionMap<T> fit_diffusion_maps(const Points<T>&, const DiffusionMapsOptions&, \
                                              const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
