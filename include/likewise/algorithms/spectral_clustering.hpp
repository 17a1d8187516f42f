// Spectral clustering: clusters that a random walk rarely leaves.
#pragma once

#include <likewise/algorithms/parts/embedding_labels.hpp>
#include <likewise/algorithms/spectral_embedding.hpp>

namespace likewise {

struct SpectralClusteringOptions {
  Index n_clusters = 8;     ///< 0 is "auto": the eigengap that stands out
  Index n_components = 0;   ///< eigenvectors looked at; 0 is n_clusters
  Index max_clusters = 20;  ///< the most that "auto" looks for
  /// By default gamma = 1/(2 h^2) = 1, all pairs.
  Mechanism mechanism = {.metric = Euclidean{},
                         .kernel = Gaussian{0.70710678118654752},
                         .normalization = Symmetric{},
                         .empty_row = EmptyRow::self};
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
  bool gap_stands_out = true;  ///< false: "auto" found no number of clusters better than any other

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
SpectralClustering<ScalarOf<D>> spectral_clustering(const Eigen::MatrixBase<D>& X,
                                                    const SpectralClusteringOptions& options = {},
                                                    const Execution& run = {}) {
  return fit_spectral_clustering<ScalarOf<D>>(X.derived(), options, run);
}

/// How many clusters a spectrum tells of.
struct Eigengap {
  Index n_clusters = 1;
  bool stands_out = false;  ///< false: nothing tells this number from others
};

/// From the largest eigenvalues of a walk, descending, and the number of its graph's components. With m_k = 1 - w_k the
/// gap after k stands out where m_{k+1} >= 8 m_k: twice what a line without clusters has, whose m are as 1 : 4 : 9 and
/// fall nowhere more steeply than by 4, in any number of copies. m below 1e-8 count as that: they are 0 but for rounding.
/// Of the gaps that stand out the widest is taken; without one it is one cluster for each component. At most
/// `max_clusters`, which does not stand out where the graph has more components.
Eigengap eigengap(const Vector<double>& values, Index n_components, Index max_clusters);

}  // namespace likewise
