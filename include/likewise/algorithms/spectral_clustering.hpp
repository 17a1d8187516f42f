// Spectral clustering: clusters that a random walk rarely leaves.
#pragma once

#include <likewise/algorithms/embedding_labels.hpp>
#include <likewise/algorithms/spectral_embedding.hpp>

namespace likewise {

struct SpectralClusteringOptions {
  Index n_clusters = 8;     ///< 0 is "auto": the largest gap between eigenvalues
  Index n_components = 0;   ///< eigenvectors looked at; 0 is n_clusters
  Index max_clusters = 20;  ///< of "auto"; a graph of more components has that many clusters
  /// By default gamma = 1/(2 h^2) = 1, all pairs.
  Mechanism mechanism = {.metric = Euclidean{},
                         .kernel = Gaussian{0.70710678118654752},
                         .normalization = Symmetric{},
                         .empty_row = EmptyRow::error};
  std::string assign_labels = "kmeans";  ///< "kmeans", "cluster_qr", "discretize"
  int n_init = 10;                       ///< restarts of k-means
  std::uint64_t seed = 0;                ///< random_state
  OperatorOptions operator_options = {};
  SpectrumOptions spectrum = {};
};

template <class T> struct SpectralClustering {
  SpectralEmbedding<T> map;  ///< nothing dropped: column 0 is constant
  EmbeddingLabels clusters;
  Index n_clusters = 0;

  const std::vector<Index>& labels() const { return clusters.labels; }
  /// The cluster of new points: by the fitted centers or rotation of their Nystrom extension.
  std::vector<Index> predict(const Points<T>& X, const Execution& run = {}) const;
};

/// References: Shi and Malik (2000); Ng, Jordan and Weiss (2001); von Luxburg (2007).
template <class T>
SpectralClustering<T> fit_spectral_clustering(const Points<T>& X, const SpectralClusteringOptions& options,
                                              const Execution& run);
/// The same for any float or double matrix.
template <class D>
SpectralClustering<typename D::Scalar> spectral_clustering(const Eigen::MatrixBase<D>& X,
                                                           const SpectralClusteringOptions& options = {},
                                                           const Execution& run = {}) {
  return fit_spectral_clustering<typename D::Scalar>(X.derived(), options, run);
}

/// The k in [n_components, values.size() - 1] after which descending eigenvalues drop most: as many clusters
/// as the walk takes long to leave. All of them where the graph has no fewer components.
Index eigengap(const Vector<double>& values, Index n_components);

}  // namespace likewise
