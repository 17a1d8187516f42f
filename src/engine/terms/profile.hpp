// How a score becomes a weight: what the fused loop applies to tiles of scores that are no exponents yet.
#pragma once

namespace likewise::engine {

/// log2 phi of a kernel's input u, which is the score, its root or its square, times the factors of its points. The
/// kernels' formulas stand in their leaves; here they are in terms of v = u * inner * inner_again.
struct Profile {
  enum class Input { score, root, square };
  enum class Kind {
    constant,      ///< 0
    linear,        ///< -v
    step,          ///< 0 where u <= outer, else -inf
    epanechnikov,  ///< log2 max(0, 1 - v)
    tricube,       ///< 3 log2 max(0, 1 - v^3)
    student_t,     ///< -outer log2(1 + v)
    power,         ///< -outer v^exponent
    inverse        ///< -log2 u; outer where u = 0
  };
  Input input = Input::score;
  Kind kind = Kind::constant;
  double inner = 1, inner_again = 1;  ///< two factors: the square of a length may leave the range of numbers
  double outer = 1, exponent = 1;
  double upper_bound = 0;  ///< of log2 phi; infinity where there is none
};

}  // namespace likewise::engine
