// From a spectral embedding to labels, and from new embedded points to the same labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// "kmeans": nearest of the centers. "cluster_qr": argmax |E R| with the R that turns k pivot rows, chosen by
/// a QR decomposition, to the axes (Damle, Minden and Ying 2019). "discretize": argmax of the row-normalized
/// E R with the R that brings the points closest to one-hot rows (Yu and Shi 2003).
struct EmbeddingLabels {
  std::string kind = "kmeans";
  std::vector<Index> labels;  ///< (n,) of the embedding it was fitted to
  Matrix<double> centers;     ///< (n_clusters, n_components), kmeans
  Matrix<double> rotation;    ///< (n_components, n_clusters), the other two
  Vector<double> scale;       ///< (n_components,) discretize: brings the columns to norm sqrt(n) beforehand
  double inertia = 0;         ///< kmeans: squared distances to the centers

  /// Labels of other rows of the same embedding.
  template <class T> std::vector<Index> predict(const Matrix<T>& embedding, const Execution& run = {}) const;
};

/// n_clusters in [1, n]; the rotations need n_components = n_clusters. O(n n_clusters n_components) a step.
template <class T>
EmbeddingLabels label_embedding(const Matrix<T>& embedding, Index n_clusters, const std::string& kind,
                                int n_init, std::uint64_t seed, const Execution& run = {});

}  // namespace likewise
