#include <likewise/algorithms/spectral_embedding.hpp>

#include <cmath>
#include <utility>

#include <likewise/error.hpp>

#include "engine/exp_weights.hpp"

namespace likewise {

namespace {

template <class T> bool is_symmetric(const PropagationOperator<T>& P) {
  return std::holds_alternative<Symmetric>(P.mechanism().normalization);
}

/// exp(-x/2), and 0 for a point without mass.
template <class T> Vector<T> inverse_root(const Vector<double>& log_x) {
  return log_x.unaryExpr([](double v) { return std::isfinite(v) ? std::exp(-0.5 * v) : 0.0; })
      .template cast<T>();
}

double log_total(const Vector<double>& log_x) {
  const double total = engine::log_sum_exp(log_x);
  return std::isfinite(total) ? total : 0;
}

/// From P's eigenvectors to the walk's, each row divided by the root of its measure, each column of unit
/// measure.
template <class T> Matrix<T> walk_eigenvectors(const SelfOperator<T>& P, const Matrix<T>& V) {
  if (is_symmetric(P)) return inverse_root<T>(P.log_row_sums() + P.log_key_weights()).asDiagonal() * V;
  if (std::holds_alternative<Unnormalized>(P.mechanism().normalization)) return V;
  return V * static_cast<T>(std::exp(-0.5 * log_total(P.log_stationary())));
}

}  // namespace

template <class T>
SpectralEmbedding<T> make_embedding(const SelfOperator<T>& P, Spectrum<T> spectrum, Index from,
                                    Index n_components) {
  Matrix<T> embedding = walk_eigenvectors<T>(P, spectrum.vectors.middleCols(from, n_components));
  return {P, std::move(spectrum), std::move(embedding)};
}

template <class T>
SpectralEmbedding<T> fit_spectral_embedding(const Points<T>& X, const SpectralEmbeddingOptions& o,
                                            const Execution& run) {
  const Index dropped = o.drop_first ? 1 : 0;
  require(
      o.n_components >= 1 && o.n_components + dropped <= X.rows(), "n_components",
      "an int in [1, " + std::to_string(X.rows() - dropped) + "] (" + std::to_string(X.rows()) + " samples)",
      o.n_components);
  const SelfOperator<T> P = o.mechanism.self_operator(X, o.operator_options, run);
  Spectrum<T> s = largest_eigenpairs(P, o.n_components + dropped, o.spectrum, run);  // pair 0: (1, constant)
  return make_embedding(P, std::move(s), dropped, o.n_components);
}

template <class T> Matrix<T> SpectralEmbedding<T>::transform(const Points<T>& X, const Execution& run) const {
  const Index n_components = embedding.cols(), from = spectrum.vectors.cols() - n_components;
  const CrossOperator<T> across = P.at(X, run);
  // Nystrom: an eigenvector satisfies v = P v / lambda, at new points too.
  const Vector<T> inverse = spectrum.values.segment(from, n_components)
                                .unaryExpr([](double w) { return std::abs(w) > 1e-12 ? 1 / w : 0.0; })
                                .template cast<T>();
  const Matrix<T>& V = is_symmetric(P) ? spectrum.vectors : embedding;
  const Matrix<T> at_new = across.apply(V.rightCols(n_components), run) * inverse.asDiagonal();
  if (!is_symmetric(P)) return at_new;
  return inverse_root<T>(across.log_row_sums()).asDiagonal() * at_new;
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template struct SpectralEmbedding<T>;                                                                   \
  template SpectralEmbedding<T> make_embedding(const SelfOperator<T>&, Spectrum<T>, Index, Index);        \
  template SpectralEmbedding<T> fit_spectral_embedding(const Points<T>&, const SpectralEmbeddingOptions&, \
                                                       const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
