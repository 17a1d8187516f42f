// What kernels are measured by: A, a matrix product of this machine, and P, its peak of fused multiply-adds.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <likewise/types.hpp>

namespace likewise::benchmarks {

/// The threads that everything here uses: OMP_NUM_THREADS, else all cores.
int threads();

/// Flops a second of a 2048 x 2048 product of T (float, double), measured now, once.
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

/// Speeds of rounds: each is a tenth of a second of work, followed by A. A shared machine's clock drifts by half within
/// seconds, so that only what stands side by side can be compared.
class Rounds {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether a round is full.
  bool add(double flops, Clock::duration taken) {
    flops_ += flops;
    seconds_ += std::chrono::duration<double>(taken).count();
    return seconds_ >= 0.1;
  }
  template <class T> void close() {
    if (seconds_ == 0) return;
    speeds_.push_back(flops_ / seconds_);
    of_A_.push_back(speeds_.back() / product_speed<T>());
    flops_ = seconds_ = 0;
  }
  double speed() const { return median(speeds_); }
  double of_A() const { return median(of_A_); }

 private:
  static double median(std::vector<double> values);

  double flops_ = 0, seconds_ = 0;
  std::vector<double> speeds_, of_A_;
};

/// Times `work`, which does `flops` of dtype T, and reports medians: GF/s, the fraction of A and of P.
template <class T, class Work> void measure(benchmark::State& state, double flops, Work&& work) {
  Rounds rounds;
  for ([[maybe_unused]] auto _ : state) {
    const auto start = Rounds::Clock::now();
    benchmark::DoNotOptimize(work());
    if (!rounds.add(flops, Rounds::Clock::now() - start)) continue;
    state.PauseTiming();
    rounds.close<T>();
    state.ResumeTiming();
  }
  rounds.close<T>();
  state.counters["GF/s"] = rounds.speed() * 1e-9;
  state.counters["of_A"] = rounds.of_A();
  state.counters["of_peak"] = rounds.speed() / fma_peak<T>();
}

}  // namespace likewise::benchmarks
