#pragma once

#include <likewise/map/traits.hpp>
#include <likewise/shared.hpp>

namespace likewise::maps {

/// phi(x) = x + W2 act(W1 x + b1) + b2: one hidden layer and a residual connection, the map of metric-attention (Ruan and
/// Zhang 2024, Algorithm 1). W1 (width x d), W2 (d x width); a bias that is left out is 0. activation: "tanh", "relu" or
/// "gelu" (x Phi(x) with the normal distribution Phi itself). O(n width d).
struct ResidualMLP {
  Shared<Matrix<double>> W1;
  Shared<Vector<double>> b1 = {};
  Shared<Matrix<double>> W2 = {};
  Shared<Vector<double>> b2 = {};
  std::string activation = "tanh";

  static constexpr bool all_positional = true;
  static constexpr const char* name = "ResidualMLP";
  static constexpr const char* formula = "x + W2 act(W1 x + b1) + b2";
  static constexpr auto fields() {
    return std::tuple{Field{"W1", &ResidualMLP::W1}, Field{"b1", &ResidualMLP::b1},
                      Field{"W2", &ResidualMLP::W2}, Field{"b2", &ResidualMLP::b2},
                      Field{"activation", &ResidualMLP::activation}};
  }
  void check() const;
  Index inputs() const { return W1->cols(); }

  template <class T> Matrix<T> apply(const Points<T>& x) const;
  template <class T> MapGradient<T> vjp(const Points<T>& x, const Points<T>& g) const;

  bool operator==(const ResidualMLP&) const = default;
};

}  // namespace likewise::maps
