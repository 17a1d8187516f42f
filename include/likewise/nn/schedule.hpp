// How the learning rate changes from step to step.
#pragma once

#include <variant>

#include <likewise/types.hpp>

namespace likewise::nn {

struct ConstantRate {
  bool operator==(const ConstantRate&) const = default;
};

/// Up in a line, rate (s + 1) / warmup_steps; then down along half a cosine (Loshchilov and Hutter 2017):
/// f + (rate - f) (1 + cos(pi (s - warmup_steps) / (n_steps - warmup_steps))) / 2, f = rate final_fraction.
struct CosineRate {
  Index warmup_steps = 0;
  double final_fraction = 0;
  bool operator==(const CosineRate&) const = default;
};

/// rate factor^floor(s / every): torch.optim.lr_scheduler.StepLR, counted in steps.
struct StepRate {
  Index every = 1000;
  double factor = 0.1;
  bool operator==(const StepRate&) const = default;
};

using Schedule = std::variant<ConstantRate, CosineRate, StepRate>;

/// Throws InvalidArgument naming the field: warmup_steps not negative, final_fraction in [0, 1], every at least
/// 1, factor positive.
void validate(const Schedule& schedule);

/// The rate of step s = 0, 1, ... of n_steps, `rate` being the largest.
double rate_at(const Schedule& schedule, double rate, Index step, Index n_steps);

}  // namespace likewise::nn
