// Two linear maps with a bend between them: what each token does for itself.
#pragma once

#include <cstdint>
#include <string>

#include <likewise/execution.hpp>
#include <likewise/nn/activation.hpp>
#include <likewise/nn/linear.hpp>

namespace likewise::nn {

/// What `forward` leaves for `backward`, and the memory of both results.
template <class T> struct MlpTrace {
  Matrix<T> active, slope;  ///< (n, hidden): f(fc1(x)), f'(fc1(x))
  Matrix<T> y, grad_hidden, grad_x;
};

/// y = fc2(f(fc1(x))): features to hidden to features. Parameters: "fc1.weight" (hidden, features), "fc1.bias",
/// "fc2.weight" (features, hidden), "fc2.bias", under `prefix`.
class Mlp {
 public:
  /// Throws InvalidArgument naming features or hidden below 1.
  Mlp(Index features, Index hidden, Activation activation, ParameterLayout& layout,
      const std::string& prefix = "");

  /// Both as `Linear`.
  template <class T> void initialize(Vector<T>& parameters, std::uint64_t seed) const;

  /// x (n, features) to trace.y, which is returned. O(n features hidden), as `backward`.
  template <class T>
  const Matrix<T>& forward(const Vector<T>& parameters, const Values<T>& x, MlpTrace<T>& trace,
                           const Execution& run = {}) const;
  /// x as it was given to `forward`. Adds to `gradient`; returns the gradient of x, which is trace.grad_x.
  template <class T>
  const Matrix<T>& backward(const Vector<T>& parameters, const Values<T>& x, MlpTrace<T>& trace,
                            const Values<T>& grad_y, Vector<T>& gradient, const Execution& run = {}) const;

 private:
  Linear fc1_, fc2_;
  Activation activation_;
};

}  // namespace likewise::nn
