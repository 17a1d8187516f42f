// Streamed products and their gradients: flops are those of the products, 2 n^2 (d + c) forward; weights are not counted.
#include <cmath>

#include <likewise/likewise.hpp>

#include "yardstick.hpp"

namespace likewise::benchmarks {
namespace {

double flops(Index n, Index d, Index c) {
  return 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(d + c);
}

/// A Gaussian of a point set with itself, not normalized.
template <class T> void streamed_gaussian(benchmark::State& state) {
  const Index n = state.range(0), d = state.range(1), c = state.range(2);
  const double h = 0.5 * std::sqrt(static_cast<double>(d) / 3);
  const Mechanism m{SquaredEuclidean{}, Gaussian{.bandwidth = h}, AllPairs{}, Unnormalized{}};
  const Matrix<T> V = normal<T>(n, c, 1);
  const auto P = m.self_operator(normal<T>(n, d), {.storage = "streamed"});
  measure<T>(state, flops(n, d, c), [&] { return P.apply(V); });
}

/// softmax(q k^T / sqrt(d)) v.
template <class T> void streamed_attention(benchmark::State& state) {
  const Index n = state.range(0), d = state.range(1), c = state.range(2);
  const Matrix<T> q = normal<T>(n, d, 1), k = normal<T>(n, d, 2), v = normal<T>(n, c, 3);
  measure<T>(state, flops(n, d, c), [&] { return attention(q, k, v); });
}

/// dL/dq, dL/dk and dL/dv of that, its result at hand: five products, of which two are as wide as the values.
template <class T> void attention_gradient(benchmark::State& state) {
  const Index n = state.range(0), d = state.range(1), c = state.range(2);
  const Matrix<T> v = normal<T>(n, c, 3), g = normal<T>(n, c, 4);
  const Mechanism m{DotProduct{}, Exponential{.temperature = std::sqrt(static_cast<double>(d))}};
  const auto P = m.cross_operator(normal<T>(n, d, 1), normal<T>(n, d, 2), {.storage = "streamed"});
  const Matrix<T> y = P.apply(v);
  measure<T>(state, flops(n, 3 * d, 2 * c), [&] { return vjp<T>(P, g, v, y).values; });
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "d", "c"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const long d : {3, 16, 64})
    for (const long c : {1, 10, 64}) b->Args({4096, d, c});
}

BENCHMARK_TEMPLATE(streamed_gaussian, float)->Apply(sizes);
BENCHMARK_TEMPLATE(streamed_gaussian, double)->Apply(sizes);
BENCHMARK_TEMPLATE(streamed_attention, float)->Apply(sizes);
BENCHMARK_TEMPLATE(streamed_attention, double)->Apply(sizes);
BENCHMARK_TEMPLATE(attention_gradient, float)->Apply(sizes);
BENCHMARK_TEMPLATE(attention_gradient, double)->Apply(sizes);

}  // namespace
}  // namespace likewise::benchmarks
