// Rows brought to mean 0 and variance 1, then scaled and shifted.
#pragma once

#include <string>

#include <likewise/execution.hpp>
#include <likewise/nn/parameters.hpp>

namespace likewise::nn {

/// What `forward` leaves for `backward`, and the memory of both results.
template <class T> struct LayerNormTrace {
  Matrix<T> normalized;         ///< (n, features): (x - mean) / sqrt(variance + eps)
  Vector<T> inverse_deviation;  ///< (n,): 1 / sqrt(variance + eps)
  Matrix<T> y, grad_x;
};

/// y = (x - mean) / sqrt(variance + 1e-5) * weight + bias, mean and (biased) variance of each row (Ba, Kiros
/// and Hinton 2016; torch.nn.LayerNorm): "weight" and "bias" (features,), under `prefix`.
class LayerNorm {
 public:
  static constexpr double eps = 1e-5;

  /// Throws InvalidArgument naming features below 1.
  LayerNorm(Index features, ParameterLayout& layout, const std::string& prefix = "");

  /// weight 1, bias 0.
  template <class T> void initialize(Vector<T>& parameters) const;

  /// x (n, features) to trace.y, which is returned. O(n features), as `backward`.
  template <class T>
  const Matrix<T>& forward(const Vector<T>& parameters, const Values<T>& x, LayerNormTrace<T>& trace,
                           const Execution& run = {}) const;
  /// Adds to `gradient`; returns the gradient of x, which is trace.grad_x.
  template <class T>
  const Matrix<T>& backward(const Vector<T>& parameters, LayerNormTrace<T>& trace, const Values<T>& grad_y,
                            Vector<T>& gradient, const Execution& run = {}) const;

 private:
  Slot weight_, bias_;
};

}  // namespace likewise::nn
