#include <likewise/algorithms/spectral_embedding.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "engine/exp_weights.hpp"
#include "operator/new_points.hpp"

namespace likewise {

namespace {

double log_total(const Vector<double>& log_x) {
  const double total = engine::log_sum_exp(log_x);
  return std::isfinite(total) ? total : 0;
}

/// The walk's eigenvectors, each column of unit measure.
template <class T> Matrix<T> walk_eigenvectors(const SelfOperator<T>& P, const Eigenpairs<T>& spectrum) {
  const Normalization& rule = P.mechanism().normalization;
  if (std::holds_alternative<Symmetric>(rule)) return spectrum.walk_vectors;
  if (std::holds_alternative<Unnormalized>(rule)) return spectrum.vectors;
  return spectrum.vectors * static_cast<T>(std::exp(-0.5 * log_total(P.log_stationary())));
}

/// The first row of Z that is equal to each row of X, or -1. What is sorted are the new points, mostly few: one asked of 20 000
/// waits for one pass, not for sorting them all. O((m + n) log m d) time.
template <class T> std::vector<Index> equal_rows(const Points<T>& X, const Matrix<T>& Z) {
  const auto before = [](const auto& a, const auto& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  };
  std::vector<Index> order(static_cast<std::size_t>(X.rows()));
  std::iota(order.begin(), order.end(), Index(0));
  std::sort(order.begin(), order.end(), [&](Index i, Index j) { return before(X.row(i), X.row(j)); });
  std::vector<Index> found(order.size(), -1);
  for (Index j = 0; j < Z.rows(); ++j) {
    const auto z = Z.row(j);
    auto at = std::lower_bound(order.begin(), order.end(), Index(0),
                               [&](Index i, Index) { return before(X.row(i), z); });
    // All that are equal to z lie side by side: an earlier row of Z found all of them or none.
    for (; at != order.end() && found[static_cast<std::size_t>(*at)] < 0 && X.row(*at) == z; ++at)
      found[static_cast<std::size_t>(*at)] = j;
  }
  return found;
}

}  // namespace

template <class T>
SpectralEmbedding<T> make_embedding(const SelfOperator<T>& P, Eigenpairs<T> spectrum, Index from,
                                    Index n_components) {
  const Normalization& rule = P.mechanism().normalization;
  require(rows_stand_alone(rule), "normalization",
          "one whose rows stand alone, as RowStochastic(), which has the eigenvalues of Column()",
          repr(rule));
  Matrix<T> embedding = walk_eigenvectors(P, spectrum).middleCols(from, n_components);
  spectrum.walk_vectors = {};  // the embedding holds them
  return {P, std::move(spectrum), std::move(embedding)};
}

template <class T>
SpectralEmbedding<T> fit_spectral_embedding(const Points<T>& X, const SpectralEmbeddingOptions& o,
                                            const Execution& run) {
  const engine::Call call(run);
  const Index dropped = o.drop_first ? 1 : 0;
  require(
      o.n_components >= 1 && o.n_components + dropped <= X.rows(), "n_components",
      "an int in [1, " + std::to_string(X.rows() - dropped) + "] (" + std::to_string(X.rows()) + " samples)",
      o.n_components);
  Mechanism m = o.mechanism;
  m.propagation =
      Spectrum{o.n_components + dropped, 0, o.spectrum.tol, o.spectrum.max_iter, o.spectrum.solver};
  const SelfOperator<T> P = m.self_operator(X, o.operator_options, run);
  Eigenpairs<T> s =
      largest_eigenpairs(P, o.n_components + dropped, o.spectrum, run);  // pair 0: (1, constant)
  return make_embedding(P, std::move(s), dropped, o.n_components);
}

template <class T> Matrix<T> SpectralEmbedding<T>::transform(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  // Nystrom: an eigenvector of the walk satisfies v = P v / lambda, at new points too.
  const Vector<T> inverse = column_eigenvalues()
                                .unaryExpr([](double w) { return std::abs(w) > 1e-12 ? 1 / w : 0.0; })
                                .template cast<T>();
  Matrix<T> places = at_new_points(P, X, run).apply(embedding, run) * inverse.asDiagonal();
  if (points_are_costs(P.mechanism().metric)) return places;
  const std::vector<Index> known = equal_rows<T>(X, P.keys());
  for (Index i = 0; i < X.rows(); ++i)
    if (known[static_cast<std::size_t>(i)] >= 0)
      places.row(i) = embedding.row(known[static_cast<std::size_t>(i)]);
  return places;
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template struct SpectralEmbedding<T>;                                                                   \
  template SpectralEmbedding<T> make_embedding(const SelfOperator<T>&, Eigenpairs<T>, Index, Index);      \
  template SpectralEmbedding<T> fit_spectral_embedding(const Points<T>&, const SpectralEmbeddingOptions&, \
                                                       const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
