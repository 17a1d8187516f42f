// The README's ten lines: one mechanism, read three ways. Prints nothing surprising; exits with 0.
#include <iostream>

#include <likewise/likewise.hpp>

namespace lw = likewise;

int main() {
  Eigen::MatrixXd X = Eigen::MatrixXd::Random(500, 3), y = X.col(0).array().sin();

  lw::Mechanism m{lw::Euclidean{}, lw::Gaussian{.bandwidth = 0.3}, lw::AllPairs{}, lw::RowStochastic{}};
  auto P = m.self_operator(X);                   // 500 x 500, in O(n) memory where it is large
  Eigen::MatrixXd smooth = P * y;                // kernel regression at the points themselves
  Eigen::MatrixXd mixed = power(P, 10) * y;      // ten steps of the random walk
  auto modes = lw::largest_eigenpairs(P, 4);     // its slowest modes
  m.support = lw::Neighbors{.n_neighbors = 15};  // one slot changed: a sparse graph
  auto map = lw::diffusion_maps(X, {.n_components = 2, .density_alpha = 1.0});

  std::cout << m.equation() << "\n\nslowest modes: " << modes.values.transpose()
            << "\nsmoothed range: " << smooth.minCoeff() << " to " << smooth.maxCoeff()
            << ", after ten steps " << mixed.minCoeff() << " to " << mixed.maxCoeff()
            << "\ndiffusion map: " << map.embedding.rows() << " x " << map.embedding.cols() << "\n";
}
