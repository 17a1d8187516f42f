// Steps downhill: PyTorch's formulas and defaults over one flat vector.
#pragma once

#include <variant>

#include <likewise/types.hpp>

namespace likewise::nn {

/// g += weight_decay p; m = momentum m + g (the first m is g); p -= rate m. torch.optim.SGD.
struct Sgd {
  double momentum = 0;
  double weight_decay = 0;
  bool operator==(const Sgd&) const = default;
};

/// g += weight_decay p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= rate m^ / (sqrt(v^) +
/// eps) with m^ = m / (1 - beta1^s), v^ = v / (1 - beta2^s) at step s = 1, 2, ... (Kingma and Ba 2015;
/// torch.optim.Adam).
struct Adam {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool operator==(const Adam&) const = default;
};

/// p *= 1 - rate weight_decay, then Adam's step with g as it came (Loshchilov and Hutter 2019;
/// torch.optim.AdamW). As there, all parameters decay, biases too.
struct AdamW {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool operator==(const AdamW&) const = default;
};

using Optimizer = std::variant<Sgd, Adam, AdamW>;

/// Throws InvalidArgument naming the field: momentum and betas in [0, 1), eps and weight_decay not negative.
void validate(const Optimizer& optimizer);

/// What an optimizer remembers from step to step; empty before the first.
template <class T> struct OptimizerState {
  Index steps = 0;
  Vector<T> mean = {};    ///< m
  Vector<T> square = {};  ///< v; Sgd has none
};

/// One step from `parameters` to `next`, which may be the same vector; another one keeps the old parameters
/// without a copy. O(parameters), one thread. Throws InvalidArgument where lengths differ, or a state belongs
/// to something else.
template <class T>
void take_step(const Optimizer& optimizer, double learning_rate, const Vector<T>& gradient,
               const Vector<T>& parameters, Vector<T>& next, OptimizerState<T>& state);

/// Scales the gradient by max_norm / (norm + 1e-6) where that is below 1, as torch.nn.utils.clip_grad_norm_;
/// returns the norm before. Throws InvalidArgument unless max_norm is positive.
template <class T> double clip_gradient(Vector<T>& gradient, double max_norm);

}  // namespace likewise::nn
