#include <likewise/nn/optimizer.hpp>

#include <cmath>
#include <string>

#include <likewise/error.hpp>

#include "engine/flush_denormals.hpp"

namespace likewise::nn {
namespace {

bool in_unit_interval(double x) { return x >= 0 && x < 1; }
bool is_size(double x) { return std::isfinite(x) && x >= 0; }

void check(const Sgd& o) {
  require(in_unit_interval(o.momentum), "momentum", "in [0, 1)", o.momentum);
  require(is_size(o.weight_decay), "weight_decay", "a number that is not negative", o.weight_decay);
}
template <class Moments> void check(const Moments& o) {
  require(in_unit_interval(o.beta1), "beta1", "in [0, 1)", o.beta1);
  require(in_unit_interval(o.beta2), "beta2", "in [0, 1)", o.beta2);
  require(is_size(o.eps), "eps", "a number that is not negative", o.eps);
  require(is_size(o.weight_decay), "weight_decay", "a number that is not negative", o.weight_decay);
}

/// Memory of the first step is 0; that of a later one must be there.
template <class T> void prepare(Vector<T>& memory, Index steps, Index n) {
  if (steps == 0) memory.setZero(n);
  require(memory.size() == n, "state", "of " + std::to_string(n) + " parameters, and of this optimizer",
          memory.size());
}

template <class T>
void move(const Sgd& o, double rate, const Vector<T>& gradient, const Vector<T>& parameters, Vector<T>& next,
          OptimizerState<T>& state) {
  const T decay = static_cast<T>(o.weight_decay), momentum = static_cast<T>(o.momentum);
  if (o.momentum == 0) {
    next = parameters - static_cast<T>(rate) * (gradient + decay * parameters);
    return;
  }
  prepare(state.mean, state.steps, parameters.size());
  state.mean = momentum * state.mean + gradient + decay * parameters;  // at first 0 + g
  next = parameters - static_cast<T>(rate) * state.mean;
}

/// `decay` is added to the gradient, `shrink` multiplies the parameters.
template <class T, class Moments>
void move(const Moments& o, double decay, double shrink, double rate, const Vector<T>& gradient,
          const Vector<T>& parameters, Vector<T>& next, OptimizerState<T>& state) {
  prepare(state.mean, state.steps, parameters.size());
  prepare(state.square, state.steps, parameters.size());
  const double s = static_cast<double>(state.steps + 1);
  const T pull = static_cast<T>(decay), beta1 = static_cast<T>(o.beta1), beta2 = static_cast<T>(o.beta2),
          rest1 = static_cast<T>(1 - o.beta1), rest2 = static_cast<T>(1 - o.beta2),
          eps = static_cast<T>(o.eps), kept = static_cast<T>(shrink),
          size = static_cast<T>(rate / (1 - std::pow(o.beta1, s))),
          root = static_cast<T>(1 / std::sqrt(1 - std::pow(o.beta2, s)));
  const auto slope = gradient.array() + pull * parameters.array();
  auto mean = state.mean.array(), square = state.square.array();
  mean = beta1 * mean + rest1 * slope;
  square = beta2 * square + rest2 * slope.square();
  next = (kept * parameters.array() - size * mean / (root * square.sqrt() + eps)).matrix();
}
template <class T>
void move(const Adam& o, double rate, const Vector<T>& gradient, const Vector<T>& parameters, Vector<T>& next,
          OptimizerState<T>& state) {
  move(o, o.weight_decay, 1, rate, gradient, parameters, next, state);
}
template <class T>
void move(const AdamW& o, double rate, const Vector<T>& gradient, const Vector<T>& parameters,
          Vector<T>& next, OptimizerState<T>& state) {
  move(o, 0, 1 - rate * o.weight_decay, rate, gradient, parameters, next, state);
}

}  // namespace

void validate(const Optimizer& optimizer) {
  std::visit([](const auto& o) { check(o); }, optimizer);
}

template <class T>
void take_step(const Optimizer& optimizer, double learning_rate, const Vector<T>& gradient,
               const Vector<T>& parameters, Vector<T>& next, OptimizerState<T>& state) {
  validate(optimizer);
  require(is_size(learning_rate), "learning_rate", "a number that is not negative", learning_rate);
  require(gradient.size() == parameters.size(), "gradient",
          "of the parameters' length, " + std::to_string(parameters.size()), gradient.size());
  const engine::FlushDenormals flush;  // means of gradients that have become 0 fade for ever
  std::visit([&](const auto& o) { move(o, learning_rate, gradient, parameters, next, state); }, optimizer);
  ++state.steps;
}

template <class T> double clip_gradient(Vector<T>& gradient, double max_norm) {
  require(max_norm > 0, "max_norm", "positive", max_norm);
  const double norm = gradient.template cast<double>().norm(), factor = max_norm / (norm + 1e-6);
  if (factor < 1) gradient *= static_cast<T>(factor);
  return norm;
}

#define LIKEWISE_INSTANTIATE(T)                                                                     \
  template void take_step(const Optimizer&, double, const Vector<T>&, const Vector<T>&, Vector<T>&, \
                          OptimizerState<T>&);                                                      \
  template double clip_gradient(Vector<T>&, double);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
