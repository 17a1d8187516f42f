#include <likewise/nn/schedule.hpp>

#include <algorithm>
#include <cmath>

#include <likewise/error.hpp>

namespace likewise::nn {
namespace {

void check(const ConstantRate&) {}
void check(const CosineRate& s) {
  require(s.warmup_steps >= 0, "warmup_steps", "not negative", s.warmup_steps);
  require(s.final_fraction >= 0 && s.final_fraction <= 1, "final_fraction", "in [0, 1]", s.final_fraction);
}
void check(const StepRate& s) {
  require(s.every >= 1, "every", "at least 1", s.every);
  require(std::isfinite(s.factor) && s.factor > 0, "factor", "positive", s.factor);
}

double fraction(const ConstantRate&, Index, Index) { return 1; }
double fraction(const CosineRate& s, Index step, Index n_steps) {
  if (step < s.warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(s.warmup_steps);
  const double done = std::min(1.0, static_cast<double>(step - s.warmup_steps)
                                        / static_cast<double>(std::max<Index>(n_steps - s.warmup_steps, 1)));
  constexpr double pi = 3.14159265358979323846;
  return s.final_fraction + (1 - s.final_fraction) * (1 + std::cos(pi * done)) / 2;
}
double fraction(const StepRate& s, Index step, Index) {
  return std::pow(s.factor, static_cast<double>(step / s.every));
}

}  // namespace

void validate(const Schedule& schedule) {
  std::visit([](const auto& s) { check(s); }, schedule);
}

double rate_at(const Schedule& schedule, double rate, Index step, Index n_steps) {
  return rate * std::visit([&](const auto& s) { return fraction(s, step, n_steps); }, schedule);
}

}  // namespace likewise::nn
