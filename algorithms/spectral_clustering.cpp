#include <likewise/algorithms/spectral_clustering.hpp>

#include <algorithm>
#include <utility>

#include <likewise/error.hpp>

#include "engine/call.hpp"

namespace likewise {

namespace {

void check(const SpectralClusteringOptions& o, Index n) {
  const std::string samples = "] (" + std::to_string(n) + " samples)";
  require(o.n_clusters >= 0 && o.n_clusters <= n, "n_clusters",
          "'auto' or an int in [1, " + std::to_string(n) + samples, o.n_clusters);
  require(o.n_components >= 0 && o.n_components <= n, "n_components",
          "an int in [1, " + std::to_string(n) + samples, o.n_components);
  require(o.max_clusters >= 1, "max_clusters", "an int of at least 1", o.max_clusters);
}

/// How many eigenpairs are looked at: enough to see the gap where one is looked for.
Index n_pairs(const SpectralClusteringOptions& o, Index n) {
  if (o.n_clusters == 0) return std::min(n, std::max(o.max_clusters + 1, o.n_components));
  return o.n_components ? o.n_components : o.n_clusters;
}

template <class T> Eigenpairs<T> first_pairs(Eigenpairs<T> s, Index k) {
  s.vectors = s.vectors.leftCols(k).eval();
  if (s.walk_vectors.size()) s.walk_vectors = s.walk_vectors.leftCols(k).eval();
  return s;
}

}  // namespace

Eigengap eigengap(const Vector<double>& values, Index n_components, Index max_clusters) {
  constexpr double steepest_without_clusters = 4, times = 2, rounding = 1e-8;
  if (n_components > max_clusters) return {max_clusters, false};
  if (n_components >= values.size()) return {values.size(), true};
  const auto m = [&](Index k) { return std::max(values(0) - values(k - 1), rounding); };
  Eigengap best{std::max<Index>(n_components, 1), false};
  double widest = 0;
  for (Index k = std::max<Index>(n_components, 2); k <= std::min(max_clusters, values.size() - 1); ++k) {
    const double gap = m(k + 1) - m(k);
    if (m(k + 1) < steepest_without_clusters * times * m(k) || gap <= widest) continue;
    widest = gap;
    best = {k, true};
  }
  return best;
}

template <class T>
SpectralClustering<T> fit_spectral_clustering(const Points<T>& X, const SpectralClusteringOptions& o,
                                              const Execution& run) {
  const engine::Call call(run);
  check(o, X.rows());
  const bool find_gap = o.n_clusters == 0;
  Mechanism m = o.mechanism;
  m.propagation = Spectrum{n_pairs(o, X.rows()), 0, o.spectrum.tol, o.spectrum.max_iter, o.spectrum.solver};
  const SelfOperator<T> P = m.self_operator(X, o.operator_options, run);
  Eigenpairs<T> s = largest_eigenpairs(P, n_pairs(o, X.rows()), o.spectrum, run);
  const Eigengap gap =
      find_gap ? eigengap(s.values, s.n_components, o.max_clusters) : Eigengap{o.n_clusters, true};
  const Index n_clusters = gap.n_clusters;
  const Index n_components = o.n_components ? o.n_components : n_clusters;
  SpectralEmbedding<T> map = make_embedding(P, first_pairs(std::move(s), n_components), 0, n_components);
  EmbeddingLabels clusters =
      label_embedding(map.embedding, n_clusters, o.assign_labels, o.n_init, o.seed, run);
  return {std::move(map), std::move(clusters), n_clusters, gap.stands_out};
}

template <class T>
std::vector<Index> SpectralClustering<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return clusters.predict(map.transform(X, run), run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template struct SpectralClustering<T>;                                                                     \
  template SpectralClustering<T> fit_spectral_clustering(const Points<T>&, const SpectralClusteringOptions&, \
                                                         const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
