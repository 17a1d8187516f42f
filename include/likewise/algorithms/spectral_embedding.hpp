// Spectral embedding (Laplacian eigenmaps): points where the slow eigenvectors of the random walk take them.
#pragma once

#include <likewise/spectrum.hpp>

namespace likewise {

/// What a spectrum is asked of: 10 nearest neighbors with weight 1, the point itself among them, averaged.
inline Mechanism neighbor_graph_mechanism(Index n_neighbors = 10) {
  return {.metric = Euclidean{},
          .kernel = Indicator{},
          .support = Neighbors{.n_neighbors = n_neighbors, .symmetrize = "average", .include_self = true},
          .normalization = Symmetric{},
          .empty_row = EmptyRow::self};
}

struct SpectralEmbeddingOptions {
  Index n_components = 2;  ///< in [1, n - 1], or n without drop_first
  Mechanism mechanism = neighbor_graph_mechanism();
  bool drop_first = true;  ///< leave out the constant eigenvector
  OperatorOptions operator_options = {};
  SpectrumOptions spectrum = {};
};

template <class T> struct SpectralEmbedding {
  SelfOperator<T> P;
  /// Eigenvalues of P, largest first, with the dropped one; `spectrum.vectors` are P's.
  Eigenpairs<T> spectrum;
  /// (n, n_components) eigenvectors of the random walk: u_i / sqrt(D_i), u the unit eigenvectors of
  /// D^-1/2 K D^-1/2, as scikit-learn scales them. D is the walk's stationary measure under other
  /// normalizations.
  Matrix<T> embedding;

  /// The eigenvalue of each column of the embedding: `spectrum` may hold more, before them and, where a gap was looked
  /// for, behind.
  Vector<double> column_eigenvalues() const {
    const Index n = embedding.cols();
    return spectrum.values.segment(spectrum.vectors.cols() - n, n);
  }
  /// New points by Nystrom, the walk's step to the training points / lambda: (n_new, n_components). Without mass it leads
  /// to the nearest. A training point asked again (one equal to it in every feature) is where it was. Where P has no
  /// self-loops there is a jump: right beside training point i a column is 1 + s (1/lambda - 1) times that of i, s the
  /// share of i in the new point's weights; with loops (a support that admits a point to itself) there is none.
  Matrix<T> transform(const Points<T>& X, const Execution& run = {}) const;
};

/// References: Belkin and Niyogi (2003); Shi and Malik (2000); Bengio et al. (2004) for new points.
template <class T>
SpectralEmbedding<T> fit_spectral_embedding(const Points<T>& X, const SpectralEmbeddingOptions& options,
                                            const Execution& run);
/// The same for any float or double matrix.
template <class D>
SpectralEmbedding<ScalarOf<D>> spectral_embedding(const Eigen::MatrixBase<D>& X,
                                                  const SpectralEmbeddingOptions& options = {},
                                                  const Execution& run = {}) {
  return fit_spectral_embedding<ScalarOf<D>>(X.derived(), options, run);
}

/// The embedding that P's eigenpairs `from`, ..., `from + n_components - 1` make.
template <class T>
SpectralEmbedding<T> make_embedding(const SelfOperator<T>& P, Eigenpairs<T> spectrum, Index from,
                                    Index n_components);

}  // namespace likewise
