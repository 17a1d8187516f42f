// What kernels are measured by: A, a matrix product of this machine, and P, its peak of fused multiply-adds.
#pragma once

#include <chrono>
#include <string>

#include <benchmark/benchmark.h>
#include <likewise/types.hpp>

namespace likewise::benchmarks {

/// The threads that everything here uses: OMP_NUM_THREADS, else all cores.
int threads();

/// Flops a second of a 2048 x 2048 product of T (float, double), measured now or a few seconds ago.
template <class T> double product_speed();
/// Whose product it is: "OpenBLAS SkylakeX", "Eigen".
std::string product_name();
/// An OpenBLAS older than this CPU falls back to kernels of 2004, which are no yardstick: starts the program again
/// with kernels for its vectors. Does nothing where it knows the CPU or OPENBLAS_CORETYPE is set.
void choose_product_kernels(char** argv);

/// Flops a second of T in a loop of independent fused multiply-adds, measured once.
template <class T> double fma_peak();

/// n x d values of the normal law, always the same.
template <class T> Matrix<T> normal(Index n, Index d, unsigned seed = 0);

/// Times `work`, which does `flops` of dtype T, and reports GF/s, the fraction of A and of P.
template <class T, class Work> void measure(benchmark::State& state, double flops, Work&& work) {
  const double A = product_speed<T>(), P = fma_peak<T>();
  const auto start = std::chrono::steady_clock::now();
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(work());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  const double speed = flops * static_cast<double>(state.iterations()) / taken.count();
  state.counters["GF/s"] = speed * 1e-9;
  state.counters["of_A"] = speed / A;
  state.counters["of_peak"] = speed / P;
}

}  // namespace likewise::benchmarks
