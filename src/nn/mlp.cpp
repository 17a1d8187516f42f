#include <likewise/nn/mlp.hpp>

#include <random>

#include "engine/call.hpp"

namespace likewise::nn {

Mlp::Mlp(Index features, Index hidden, Activation activation, ParameterLayout& layout,
         const std::string& prefix)
    : fc1_(features, hidden, layout, prefix + "fc1."),
      fc2_(hidden, features, layout, prefix + "fc2."),
      activation_(activation) {}

template <class T> void Mlp::initialize(Vector<T>& parameters, std::uint64_t seed) const {
  std::mt19937_64 seeds(seed);
  fc1_.initialize(parameters, seeds());
  fc2_.initialize(parameters, seeds());
}

template <class T>
const Matrix<T>& Mlp::forward(const Vector<T>& parameters, const Values<T>& x, MlpTrace<T>& trace,
                              const Execution& run) const {
  const engine::Call call(run);
  fc1_.forward(parameters, x, trace.active, run);
  activate(activation_, trace.active, trace.slope, run);
  fc2_.forward<T>(parameters, trace.active, trace.y, run);
  return trace.y;
}

template <class T>
const Matrix<T>& Mlp::backward(const Vector<T>& parameters, const Values<T>& x, MlpTrace<T>& trace,
                               const Values<T>& grad_y, Vector<T>& gradient, const Execution& run) const {
  const engine::Call call(run);
  fc2_.backward<T>(parameters, trace.active, grad_y, gradient, &trace.grad_hidden, run);
  trace.grad_hidden.array() *= trace.slope.array();
  fc1_.backward<T>(parameters, x, trace.grad_hidden, gradient, &trace.grad_x, run);
  return trace.grad_x;
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template void Mlp::initialize(Vector<T>&, std::uint64_t) const;                                            \
  template const Matrix<T>& Mlp::forward(const Vector<T>&, const Values<T>&, MlpTrace<T>&, const Execution&) \
      const;                                                                                                 \
  template const Matrix<T>& Mlp::backward(const Vector<T>&, const Values<T>&, MlpTrace<T>&,                  \
                                          const Values<T>&, Vector<T>&, const Execution&) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
