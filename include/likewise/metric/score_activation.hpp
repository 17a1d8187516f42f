// What bends the sum of two scores: the activations of additive attention, each with its slope.
#pragma once

#include <string>

#include <likewise/types.hpp>

namespace likewise::detail {

template <class T> using RowOfScores = Eigen::Array<T, 1, Eigen::Dynamic>;

/// "leaky_relu" s for s > 0, else slope s; "relu"; "tanh"; "abs", which is even. At 0 the slope is that of its left side, of abs 0.
struct ScoreActivation {
  enum class Kind { leaky_relu, tanh, abs };
  Kind kind;
  double slope;

  /// Throws InvalidArgument for another name, or a slope that is no number.
  static ScoreActivation named(const std::string& name, double slope);
  static bool is_even(const std::string& name) { return name == "abs"; }

  template <class T> void bend(RowOfScores<T>& s) const {
    if (kind == Kind::leaky_relu)
      s = (s > T(0)).select(s, static_cast<T>(slope) * s);
    else if (kind == Kind::tanh)
      s = s.tanh();
    else
      s = s.abs();
  }
  template <class T> void slopes(RowOfScores<T>& s) const {
    if (kind == Kind::leaky_relu)
      s = (s > T(0)).select(RowOfScores<T>::Ones(s.size()), static_cast<T>(slope));
    else if (kind == Kind::tanh)
      s = T(1) - s.tanh().square();
    else
      s = s.sign();
  }
};

}  // namespace likewise::detail
