// A user's program: README's, and what comes back is compared with the formula written out. Matrices cross the border
// both ways, by value, of both scalars, large and small, dense and sparse.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <Eigen/Dense>
#include <likewise/likewise.hpp>

#ifdef SPECTRA_SYM_EIGS_SOLVER_H
#error "a public header of likewise includes Spectra"
#endif

namespace lw = likewise;

namespace {

int failures = 0;

void check(const std::string& what, double error, double tolerance) {
  if (error <= tolerance) return;
  std::cout << what << " is off by " << error << "\n";
  ++failures;
}

/// exp(-|x - z|^2 / (2 h^2)) with rows that sum to 1.
Eigen::MatrixXd gaussian_rows(const Eigen::MatrixXd& X, double h) {
  Eigen::MatrixXd P(X.rows(), X.rows());
  for (Eigen::Index i = 0; i < X.rows(); ++i)
    for (Eigen::Index j = 0; j < X.rows(); ++j)
      P(i, j) = std::exp(-(X.row(i) - X.row(j)).squaredNorm() / (2 * h * h));
  return P.array().colwise() / P.rowwise().sum().array();
}

void readme_program() {
  Eigen::MatrixXd X = Eigen::MatrixXd::Random(500, 3), y = X.col(0).array().sin();
  lw::Mechanism m{lw::Euclidean{}, lw::Gaussian{.bandwidth = 0.3}, lw::AllPairs{}, lw::RowStochastic{}};
  auto P = m.self_operator(X);
  Eigen::MatrixXd smooth = P * y;
  auto modes = lw::largest_eigenpairs(P, 4);
  m.support = lw::Neighbors{.n_neighbors = 15};
  auto map = lw::diffusion_maps(X, {.n_components = 2, .density_alpha = 1.0});

  const Eigen::MatrixXd formula = gaussian_rows(X, 0.3);
  check("smooth", (smooth - formula * y).cwiseAbs().maxCoeff(), 1e-10);
  check("modes", (formula * modes.vectors - modes.vectors * modes.values.asDiagonal()).cwiseAbs().maxCoeff(),
        1e-7);
  check("first mode", std::abs(modes.values(0) - 1), 1e-9);
  check("map", map.embedding.allFinite() && map.embedding.rows() == 500 ? 0 : 1, 0);
}

/// Plain loops: the squared distance of the k-th nearest other row.
double kth_distance(const Eigen::MatrixXd& X, Eigen::Index i, int k) {
  std::vector<double> all;
  for (Eigen::Index j = 0; j < X.rows(); ++j) all.push_back((X.row(i) - X.row(j)).norm());
  std::sort(all.begin(), all.end());
  return all[static_cast<std::size_t>(k)];
}

void values_in_and_out() {
  const Eigen::MatrixXd X = Eigen::MatrixXd::Random(400, 5);
  const auto near = lw::kneighbors(lw::Euclidean{}, X, X.topRows(37), 3);
  const auto self = lw::kneighbors(lw::Euclidean{}, X, X, 5);
  for (Eigen::Index i = 0; i < X.rows(); i += 50)
    check("neighbors", std::abs(self.distances(i, 4) - kth_distance(X, i, 4)), 1e-12);
  check("nearest of the first", near.distances.topRows(37).col(0).cwiseAbs().maxCoeff(), 1e-12);

  // Weights are taken over, points are kept, and both are freed by the library or by us.
  lw::OperatorOptions options;
  options.log_key_weights = Eigen::VectorXd::Constant(400, std::log(2.0));
  const lw::Mechanism m{lw::Euclidean{}, lw::Gaussian{1.0}};
  lw::SelfOperator<double> kept;
  kept = m.self_operator(2 * X, options);
  lw::Matrix<double> dense = kept.dense();
  check("weighted rows", (dense - gaussian_rows(2 * X, 1.0)).cwiseAbs().maxCoeff(), 1e-10);
  dense = dense * dense;
  dense.conservativeResize(500, 500);
  const Eigen::SparseMatrix<double> graph = (X * X.transpose()).cwiseAbs().sparseView();
  lw::Mechanism given = m;
  given.support = lw::Graph{graph, "given"};
  const auto stored = given.self_operator(X).sparse();
  check("given weights", std::abs(stored.row(3).sum() - 1), 1e-12);

  const Eigen::MatrixXf F = X.cast<float>();
  const Eigen::MatrixXf attended = lw::attention(F, F, F);
  Eigen::MatrixXd scores = (X * X.transpose() / std::sqrt(5.0)).array().exp();
  scores = scores.array().colwise() / scores.rowwise().sum().array();
  check("attention", (attended.cast<double>() - scores * X).cwiseAbs().maxCoeff(), 1e-5);
  const auto regression = lw::kernel_regression(X, X.col(0), {.bandwidth = 0.5});
  check("regression", (regression.predict(X).mean - gaussian_rows(X, 0.5) * X.col(0)).cwiseAbs().maxCoeff(),
        1e-10);
}

/// Maps lie in a namespace of their own, which a shared library has to show as well.
void learned_maps() {
  const Eigen::MatrixXd X = Eigen::MatrixXd::Random(60, 3), W = Eigen::MatrixXd::Random(3, 3);
  const lw::maps::ResidualMLP phi{.W1 = W, .W2 = Eigen::MatrixXd(0.3 * W)};
  const Eigen::MatrixXd seen = X + ((X * W.transpose()).array().tanh().matrix() * (0.3 * W).transpose());
  check("a map", (phi.apply<double>(X) - seen).cwiseAbs().maxCoeff(), 1e-14);
  const lw::Mechanism m{lw::Mapped{phi, std::nullopt, lw::Euclidean{}}, lw::Gaussian{1.0}};
  check("a mapped metric", (m.self_operator(X).dense() - gaussian_rows(seen, 1.0)).cwiseAbs().maxCoeff(),
        1e-10);
  const auto own =
      lw::maps::Custom::from([](const lw::Points<double>& x) { return lw::Matrix<double>(2 * x); });
  check("a map of one's own", (own.apply<double>(X) - 2 * X).cwiseAbs().maxCoeff(), 1e-14);
}

/// The program's own Eigen stays what it was: its large products want their own alignment.
void own_products() {
  for (const int n : {3, 50, 301}) {
    const Eigen::MatrixXd A = Eigen::MatrixXd::Random(n, n), S = A * A.transpose();
    double trace = 0;
    for (int i = 0; i < n; ++i) trace += A.row(i).squaredNorm();
    check("own product", std::abs(S.trace() - trace), 1e-8);
    check("own eigenvalues",
          std::abs(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(S).eigenvalues().sum() - trace), 1e-7);
  }
}

}  // namespace

int main() {
  check("version", lw::version() == EXPECTED_VERSION ? 0 : 1, 0);
  own_products();
  readme_program();
  values_in_and_out();
  learned_maps();
  std::cout << "likewise " << lw::version() << ", EIGEN_MAX_ALIGN_BYTES " << EIGEN_MAX_ALIGN_BYTES << ": "
            << failures << " wrong\n";
  return failures;
}
