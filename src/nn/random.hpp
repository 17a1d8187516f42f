// Seeded numbers that are the same with every standard library.
#pragma once

#include <cstdint>
#include <random>

#include <likewise/types.hpp>

namespace likewise::nn {

/// std::uniform_real_distribution is each library's own; the bits of mt19937_64 are not.
class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : bits_(seed) {}

  /// In [0, 1), 53 bits.
  double next() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  /// Each in [-bound, bound).
  template <class Segment> void fill(Segment numbers, double bound) {
    using T = typename Segment::Scalar;
    for (Index i = 0; i < numbers.size(); ++i) numbers(i) = static_cast<T>(bound * (2 * next() - 1));
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace likewise::nn
