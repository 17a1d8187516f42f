// A learned linear map of every row.
#pragma once

#include <cstdint>
#include <string>

#include <likewise/execution.hpp>
#include <likewise/nn/parameters.hpp>

namespace likewise::nn {

/// y = x W^T + b, as torch.nn.Linear: "weight" (out_features, in_features) and "bias" (out_features,), under
/// `prefix`.
class Linear {
 public:
  /// Throws InvalidArgument naming in_features or out_features below 1.
  Linear(Index in_features, Index out_features, ParameterLayout& layout, const std::string& prefix = "",
         bool bias = true);

  Index in_features() const { return weight_.cols; }
  Index out_features() const { return weight_.rows; }

  /// Weight, then bias, uniform in [-1 / sqrt(in_features), 1 / sqrt(in_features)): torch.nn.Linear's law.
  template <class T> void initialize(Vector<T>& parameters, std::uint64_t seed) const;

  /// x (n, in_features) to y (n, out_features), whose memory is kept. O(n in_features out_features), as
  /// `backward`.
  template <class T>
  void forward(const Vector<T>& parameters, const Values<T>& x, Matrix<T>& y,
               const Execution& run = {}) const;
  /// x as it was given to `forward`: nothing else is needed. Adds to `gradient`; writes the gradient of x where
  /// it is asked for.
  template <class T>
  void backward(const Vector<T>& parameters, const Values<T>& x, const Values<T>& grad_y, Vector<T>& gradient,
                Matrix<T>* grad_x, const Execution& run = {}) const;

 private:
  Slot weight_, bias_;
};

}  // namespace likewise::nn
