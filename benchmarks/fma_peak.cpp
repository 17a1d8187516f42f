// The peak of fused multiply-adds: 16 independent sums in registers, in the widest vectors that the CPU has.
#include "engine/simd/fma_peak.hpp"

#include "yardstick.hpp"

#include <algorithm>
#include <chrono>

namespace likewise::benchmarks {
namespace {

/// Flops a second of all threads together: the best of five rounds of some milliseconds.
template <class T> double measured_peak() {
  constexpr long steps = 2'000'000;
  const int n = threads();
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    double flops = 0;
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(n) reduction(+ : flops)
    {
      T sink = 0;
      flops += engine::simd::multiply_adds(steps, &sink);
      benchmark::DoNotOptimize(sink);
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::max(best, flops / taken.count());
  }
  return best;
}

}  // namespace

template <class T> double fma_peak() {
  static const double peak = measured_peak<T>();
  return peak;
}
template double fma_peak<float>();
template double fma_peak<double>();

}  // namespace likewise::benchmarks
