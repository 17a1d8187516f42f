// Central finite differences, for gradients to be held against.
#pragma once

#include <functional>

#include <likewise/nn/parameters.hpp>

#include "catch.hpp"

namespace likewise {

/// Slopes of `loss` along each coordinate of `at`, in float64.
template <class Numbers>
Numbers slopes(const std::function<double(const Numbers&)>& loss, Numbers at, double step = 1e-5) {
  Numbers found = at;
  for (Index i = 0; i < at.size(); ++i) {
    const double before = at.data()[i];
    at.data()[i] = before + step;
    const double up = loss(at);
    at.data()[i] = before - step;
    const double down = loss(at);
    at.data()[i] = before;
    found.data()[i] = (up - down) / (2 * step);
  }
  return found;
}

/// The relative error of a gradient; what is below 1e-3 counts as that (differences have an absolute error
/// too).
template <class A, class B> double relative_error(const A& gradient, const B& want) {
  return (gradient - want).norm() / std::max(want.norm(), 1e-3);
}

/// Each parameter by itself, so that a small one is not lost beside a large one.
inline void check_gradient(const nn::ParameterLayout& layout, const Vector<double>& gradient,
                           const Vector<double>& want) {
  for (const auto& [name, slot, stack] : layout.entries()) {
    CAPTURE(name);
    CHECK(relative_error(gradient.segment(slot.offset, slot.size()), want.segment(slot.offset, slot.size()))
          < 1e-6);
  }
}

}  // namespace likewise
