#include <likewise/nn/activation.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "engine/parallel.hpp"

namespace likewise::nn {
namespace {

constexpr Index run_length = 128;  // numbers at a time: temporaries stay in the first cache
template <class T> using Run = Eigen::Array<T, run_length, 1>;

constexpr double half_root = 0.70710678118654752440, inverse_root_2pi = 0.39894228040143267794;

/// (1 - Phi(x)) / phi(x) for x >= 0, Mills' ratio, as t Q(t) with t = 1 / (1 + 0.35 x). Q is the polynomial of
/// least greatest relative error, 1.3e-8; with float32's own rounding the result is within 3.2e-7. std::erf of
/// every number would take as long as the products.
inline float mills_ratio(float x) {
  const float t = 1.0f / (1.0f + 0.35f * x);
  float sum = 0.0485779521f;
  sum = sum * t - 0.272679221f;
  sum = sum * t + 0.593017947f;
  sum = sum * t - 0.568345997f;
  sum = sum * t + 0.175855382f;
  sum = sum * t - 0.0718380376f;
  sum = sum * t + 0.121512736f;
  sum = sum * t + 0.220017516f;
  sum = sum * t + 0.307197358f;
  sum = sum * t + 0.349998479f;
  sum = sum * t + 0.350000006f;
  return sum * t;
}

/// 2^y for y in (-127.5, 0], 0 below -126.5: 2^k times a polynomial of 2^f, |f| <= 1/2, of relative error 2e-9.
inline float power_of_two(float y) {
  const auto k = static_cast<std::int32_t>(y - 0.5f);  // towards 0: the nearest
  const float f = y - static_cast<float>(k);
  float sum = 0.000153458104f;
  sum = sum * f + 0.00133999312f;
  sum = sum * f + 0.00961848896f;
  sum = sum * f + 0.0555032878f;
  sum = sum * f + 0.240226469f;
  sum = sum * f + 0.693147206f;
  sum = sum * f + 1.0f;
  return sum * std::bit_cast<float>((k + 127) << 23);
}

// A loop of fixed length whose choices are made on bits, without calls or overlapping arrays: compilers make
// vectors of it (of a choice between floats gcc makes a branch, as either may trap).
void gelu(Run<float>& x, Run<float>& slope) {
  constexpr auto farthest = std::bit_cast<std::int32_t>(13.26f);  // where the density is 0 in float32
  const Run<float> at_all = x;
  Run<float> values, slopes;
  for (Index i = 0; i < run_length; ++i) {
    const float at = at_all.data()[i];
    const auto size = std::bit_cast<std::int32_t>(std::abs(at));
    const float near = std::bit_cast<float>(size < farthest ? size : farthest);
    const float density = static_cast<float>(inverse_root_2pi) * power_of_two(-0.72134752f * near * near);
    const float tail = density * mills_ratio(near);  // Phi(-|x|), without the cancellation of 1 - Phi(|x|)
    const auto negative = std::bit_cast<std::int32_t>(at) >> 31;  // all bits, or none
    const float below = std::bit_cast<float>((std::bit_cast<std::int32_t>(tail) & negative)
                                             | (std::bit_cast<std::int32_t>(1.0f - tail) & ~negative));
    slopes.data()[i] = below + at * density;
    values.data()[i] = at * below;
  }
  x = values;
  slope = slopes;
}

void gelu(Run<double>& x, Run<double>& slope) {
  for (Index i = 0; i < run_length; ++i) {
    const double below = 0.5 * std::erfc(-half_root * x(i));
    slope(i) = below + x(i) * inverse_root_2pi * std::exp(-0.5 * x(i) * x(i));
    x(i) *= below;
  }
}

template <class T> void relu(Run<T>& x, Run<T>& slope) {
  slope = (x > T(0)).select(Run<T>::Ones(), T(0));
  x = (x <= T(0)).select(Run<T>::Zero(), x);  // NaN stays NaN
}

template <class T> void activate(Activation activation, T* x, T* slope, Index n) {
  for (Index at = 0; at < n; at += run_length) {
    const Index size = std::min(run_length, n - at);
    Run<T> numbers = Run<T>::Zero(), slopes;
    std::copy_n(x + at, size, numbers.data());
    if (activation == Activation::gelu)
      gelu(numbers, slopes);
    else
      relu(numbers, slopes);
    std::copy_n(numbers.data(), size, x + at);
    std::copy_n(slopes.data(), size, slope + at);
  }
}

}  // namespace

template <class T>
void activate(Activation activation, Matrix<T>& x, Matrix<T>& slope, const Execution& run) {
  slope.resize(x.rows(), x.cols());
  constexpr Index block_length = 16384;
  const Execution threads = engine::sized(run, 4 * static_cast<double>(x.size()));
  engine::parallel_blocks(engine::block_count(x.size(), block_length), threads, "activating",
                          [&](Index block) {
                            const auto [begin, size] = engine::block_of(block, x.size(), block_length);
                            activate(activation, x.data() + begin, slope.data() + begin, size);
                          });
}

template void activate(Activation, Matrix<float>&, Matrix<float>&, const Execution&);
template void activate(Activation, Matrix<double>&, Matrix<double>&, const Execution&);

}  // namespace likewise::nn
