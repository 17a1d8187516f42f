// How a score becomes a weight: what the fused loop applies to tiles of scores that are no exponents yet.
#pragma once

#include <likewise/kernel.hpp>

namespace likewise::engine {

/// log2 phi of a kernel's input u, which is the score, its root or its square, times the factors of its points.
struct Profile {
  enum class Input { score, root, square };
  Input input = Input::score;
  const Kernel* kernel = nullptr;  ///< of the weights, which outlive what they hand out
  double scale = 1;                ///< usable in the loop's type
  double upper_bound = 0;          ///< of log2 phi; infinity where there is none

  /// u is not read.
  bool constant() const { return traits(*kernel).input == KernelInput::nothing; }
};

}  // namespace likewise::engine
