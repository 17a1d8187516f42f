#include <likewise/algorithms/parts/embedding_labels.hpp>

#include <Eigen/QR>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <likewise/error.hpp>
#include <likewise/kmeans.hpp>

#include "engine/call.hpp"

namespace likewise {

namespace {

using Rotation = Eigen::MatrixXd;

std::vector<Index> largest_of_rows(const Matrix<double>& scores) {
  std::vector<Index> labels(static_cast<std::size_t>(scores.rows()));
  for (Index i = 0; i < scores.rows(); ++i) scores.row(i).maxCoeff(&labels[static_cast<std::size_t>(i)]);
  return labels;
}

/// Rows of length 1; a row of zeros stays.
Matrix<double> unit_rows(Matrix<double> E) {
  for (Index i = 0; i < E.rows(); ++i) E.row(i).stableNormalize();
  return E;
}

/// The orthogonal U V^T of a square matrix U S V^T: its nearest rotation.
Eigen::JacobiSVD<Rotation> svd(const Rotation& M) {
  return Eigen::JacobiSVD<Rotation>(M, Eigen::ComputeFullU | Eigen::ComputeFullV);
}

Rotation pivot_rotation(const Matrix<double>& E) {
  const Rotation transposed = E.transpose();
  const Eigen::ColPivHouseholderQR<Rotation> qr(transposed);
  const auto pivots = qr.colsPermutation().indices();
  Rotation chosen(E.cols(), E.cols());
  for (Index c = 0; c < E.cols(); ++c) chosen.col(c) = transposed.col(pivots(c));
  const auto decomposed = svd(chosen);
  return decomposed.matrixU() * decomposed.matrixV().transpose();
}

/// Columns of norm sqrt(n), as factors.
Vector<double> column_scale(const Matrix<double>& E) {
  const double root_n = std::sqrt(static_cast<double>(E.rows()));
  return E.colwise().norm().unaryExpr([root_n](double norm) { return norm > 0 ? root_n / norm : 0.0; });
}

/// Rows of E as far from one another as can be: a first guess of the axes.
Rotation spread_rows(const Matrix<double>& E, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Index row = static_cast<Index>(random() % static_cast<std::uint64_t>(E.rows()));
  Rotation R(E.cols(), E.cols());
  Vector<double> seen = Vector<double>::Zero(E.rows());
  for (Index c = 0; c < E.cols(); ++c) {
    R.col(c) = E.row(row).transpose();
    seen += (E * R.col(c)).cwiseAbs();
    seen.minCoeff(&row);
  }
  return R;
}

/// Yu and Shi (2003): alternate the nearest one-hot rows and the rotation that brings E closest to them.
Rotation discretizing_rotation(const Matrix<double>& E, std::uint64_t seed) {
  constexpr int max_iter = 20;
  Rotation R = spread_rows(E, seed);
  double last = -1;
  for (int step = 0; step <= max_iter; ++step) {
    const std::vector<Index> labels = largest_of_rows(E * R);
    Rotation sums = Rotation::Zero(E.cols(), E.cols());  // one-hot^T E
    for (Index i = 0; i < E.rows(); ++i) sums.row(labels[static_cast<std::size_t>(i)]) += E.row(i);
    const auto decomposed = svd(sums);
    const double agreement = decomposed.singularValues().sum();
    R = decomposed.matrixV() * decomposed.matrixU().transpose();
    if (std::abs(agreement - last) < std::numeric_limits<double>::epsilon()) break;
    last = agreement;
  }
  return R;
}

}  // namespace

template <class T>
std::vector<Index> EmbeddingLabels::predict(const Matrix<T>& embedding, const Execution& run) const {
  const engine::Call call(run);
  const Matrix<double> E = embedding.template cast<double>();
  if (kind == "kmeans") return nearest_center<double>(E, centers, run);
  if (kind == "cluster_qr") return largest_of_rows((E * rotation).cwiseAbs());
  return largest_of_rows(unit_rows(E * scale.asDiagonal()) * rotation);
}

template <class T>
EmbeddingLabels label_embedding(const Matrix<T>& embedding, Index n_clusters, const std::string& kind,
                                int n_init, std::uint64_t seed, const Execution& run) {
  const engine::Call call(run);
  const Matrix<double> E = embedding.template cast<double>();
  EmbeddingLabels fit;
  fit.kind = kind;
  if (kind == "kmeans") {
    const KMeans<double> clusters =
        kmeans<double>(E, {.n_clusters = n_clusters, .n_init = n_init, .seed = seed}, run);
    fit.centers = clusters.cluster_centers;
    fit.labels = clusters.labels;
    fit.inertia = clusters.inertia;
    return fit;
  }
  require(kind == "cluster_qr" || kind == "discretize", "assign_labels",
          "'kmeans', 'cluster_qr' or 'discretize'", "'" + kind + "'");
  require(E.cols() == n_clusters, "n_components", "n_clusters with assign_labels='" + kind + "'", E.cols());
  fit.scale = column_scale(E);
  fit.rotation = kind == "cluster_qr" ? pivot_rotation(E)
                                      : discretizing_rotation(unit_rows(E * fit.scale.asDiagonal()), seed);
  fit.labels = fit.predict(embedding, run);
  return fit;
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template std::vector<Index> EmbeddingLabels::predict(const Matrix<T>&, const Execution&) const;           \
  template EmbeddingLabels label_embedding(const Matrix<T>&, Index, const std::string&, int, std::uint64_t, \
                                           const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
