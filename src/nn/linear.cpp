#include <likewise/nn/linear.hpp>

#include <cmath>

#include "engine/call.hpp"
#include "nn/affine.hpp"
#include "nn/random.hpp"

namespace likewise::nn {

Linear::Linear(Index in_features, Index out_features, ParameterLayout& layout, const std::string& prefix,
               bool bias) {
  require(in_features >= 1, "in_features", "at least 1", in_features);
  require(out_features >= 1, "out_features", "at least 1", out_features);
  weight_ = layout.add_matrix(prefix + "weight", out_features, in_features);
  if (bias) bias_ = layout.add_vector(prefix + "bias", out_features);
}

template <class T> void Linear::initialize(Vector<T>& parameters, std::uint64_t seed) const {
  Uniform random(seed);
  const double bound = 1 / std::sqrt(static_cast<double>(in_features()));
  for (const Slot& slot : {weight_, bias_}) random.fill(parameters.segment(slot.offset, slot.size()), bound);
}

template <class T>
void Linear::forward(const Vector<T>& parameters, const Values<T>& x, Matrix<T>& y,
                     const Execution& run) const {
  const engine::Call call(run);
  require(x.cols() == in_features(), "x", "of " + std::to_string(in_features()) + " columns", x.cols());
  y.resize(x.rows(), out_features());
  affine<T>(x, matrix_at(weight_, parameters), matrix_at(bias_, parameters), y, run);
}

template <class T>
void Linear::backward(const Vector<T>& parameters, const Values<T>& x, const Values<T>& grad_y,
                      Vector<T>& gradient, Matrix<T>* grad_x, const Execution& run) const {
  const engine::Call call(run);
  require(x.cols() == in_features(), "x", "of " + std::to_string(in_features()) + " columns", x.cols());
  require(grad_y.rows() == x.rows() && grad_y.cols() == out_features(), "grad_y", "of the output's shape",
          std::to_string(grad_y.rows()) + " x " + std::to_string(grad_y.cols()));
  affine_vjp_parameters<T>(grad_y, x, matrix_at(weight_, gradient), matrix_at(bias_, gradient), run);
  if (!grad_x) return;
  grad_x->resize(x.rows(), x.cols());
  affine_vjp_input<T>(grad_y, matrix_at(weight_, parameters), *grad_x, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                          \
  template void Linear::initialize(Vector<T>&, std::uint64_t) const;                                     \
  template void Linear::forward(const Vector<T>&, const Values<T>&, Matrix<T>&, const Execution&) const; \
  template void Linear::backward(const Vector<T>&, const Values<T>&, const Values<T>&, Vector<T>&,       \
                                 Matrix<T>*, const Execution&) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
