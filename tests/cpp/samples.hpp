// Sample values of every leaf: what a generic test runs over. A new leaf adds its samples here.
#pragma once

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise::samples {

/// n x d standard normal numbers, the same ones for the same seed.
inline Matrix<double> normal(Index n, Index d, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> distribution;
  return Matrix<double>::NullaryExpr(n, d, [&](Index, Index) { return distribution(generator); });
}

/// sum_k |x_k - z_k| / (|x_k| + |z_k|): a metric of the user's own, not shift-invariant.
inline CustomMetric canberra() {
  const auto fill = [](const Points<double>& x, const Points<double>& z, Tile<double> out) {
    for (Index i = 0; i < x.rows(); ++i)
      for (Index j = 0; j < z.rows(); ++j) {
        out(i, j) = 0;
        for (Index k = 0; k < x.cols(); ++k) {
          const double size = std::fabs(x(i, k)) + std::fabs(z(j, k));
          if (size > 0) out(i, j) += std::fabs(x(i, k) - z(j, k)) / size;
        }
      }
  };
  return CustomMetric::from(
      fill, {.symmetric = true, .zero_on_self = true, .triangle_inequality = true, .distance_power = 1},
      "canberra");
}

/// phi(x) = x + W2 tanh(W1 x + b1) + b2 of d features, without b2 where `width` is odd.
inline maps::ResidualMLP residual(Index d, Index width, unsigned seed) {
  maps::ResidualMLP map{.W1 = normal(width, d, seed),
                        .b1 = Vector<double>(normal(width, 1, seed + 1)),
                        .W2 = Matrix<double>(0.3 * normal(d, width, seed + 2))};
  if (width % 2 == 0) map.b2 = Vector<double>(normal(d, 1, seed + 3));
  return map;
}

/// Every metric that has a cost between points of d features, in two or more settings of each parameter.
inline std::vector<Metric> metrics(Index d) {
  const Matrix<double> a = normal(d + 1, d, 1), b = normal(d + 1, d, 2);
  return {SquaredEuclidean{},
          Euclidean{},
          Mahalanobis{a},
          Mahalanobis{normal(1, d, 3)},
          Mahalanobis::from_matrix(a.transpose() * a),
          Mahalanobis::from_diagonal(b.row(0).cwiseAbs().transpose()),
          Cosine{},
          Manhattan{},
          Chebyshev{},
          Minkowski{0.5},
          Minkowski{1},
          Minkowski{1.5},
          Minkowski{2},
          Minkowski{3},
          Minkowski{std::numeric_limits<double>::infinity()},
          DotProduct{},
          Bilinear{a, b},
          Bilinear{a, a},
          Additive{Vector<double>(a.row(0).transpose()), Vector<double>(b.row(1).transpose())},
          Additive{Vector<double>(a.row(0).transpose()), Vector<double>(-a.row(0).transpose()), "abs"},
          AdditiveDynamic{.W_q = a, .W_k = b, .a = Vector<double>(b.col(0)), .b = Vector<double>(a.col(0))},
          AdditiveDynamic{.a = Vector<double>(b.row(0).transpose()), .slope = -0.5},
          AdditiveDynamic{.W_q = a, .W_k = a, .a = Vector<double>(b.col(0)), .activation = "tanh"},
          Mapped{residual(d, 3, 4)},
          Mapped{maps::Linear{a, Vector<double>(b.col(0))}, std::nullopt, Manhattan{}},
          Mapped{residual(d, 4, 4), maps::Linear{normal(d, d, 9)}, DotProduct{}},
          canberra()};
}

/// Every kernel, with a number as its scale.
inline std::vector<Kernel> kernels(double h = 0.7) {
  return {Gaussian{h},          Exponential{h},     Laplacian{h},     Indicator{h},      Indicator{},
          Epanechnikov{h},      Tricube{h},         StudentT{h, 1},   StudentT{h, 3.5},  AlphaDecay{h, 0.5},
          AlphaDecay{h, 1},     AlphaDecay{h, 2},   AlphaDecay{h, 3}, AlphaDecay{h, 40}, InverseDistance{},
          InverseDistance{0.5}, InverseDistance{3}, Matern32{h},      Matern52{h}};
}

}  // namespace likewise::samples
