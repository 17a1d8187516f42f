// Products with stored operators: a graph of neighbors (flops 2 edges c) and a dense matrix (2 n^2 c).
#include <likewise/likewise.hpp>

#include "yardstick.hpp"

namespace likewise::benchmarks {
namespace {

template <class T> void sparse_product(benchmark::State& state) {
  const Index n = state.range(0), c = state.range(1);
  const Mechanism m{Euclidean{}, Indicator{}, Neighbors{.n_neighbors = 15}, RowStochastic{}};
  const auto P = m.self_operator(normal<T>(n, 3));
  const Matrix<T> V = normal<T>(n, c, 1);
  const double edges = static_cast<double>(P.sparse().nonZeros());
  measure<T>(state, 2 * edges * static_cast<double>(c), [&] { return P.apply(V); });
}

template <class T> void dense_product(benchmark::State& state, bool transposed) {
  const Index n = state.range(0), c = state.range(1);
  const Mechanism m{Euclidean{}, Gaussian{.bandwidth = 1}, AllPairs{}, RowStochastic{}};
  const auto P = m.self_operator(normal<T>(n, 3), {.storage = "dense"});
  const Matrix<T> V = normal<T>(n, c, 1);
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(c);
  measure<T>(state, flops, [&] { return transposed ? P.apply_transposed(V) : P.apply(V); });
}
template <class T> void dense_product(benchmark::State& state) { dense_product<T>(state, false); }
template <class T> void dense_product_transposed(benchmark::State& state) { dense_product<T>(state, true); }

void sizes(benchmark::internal::Benchmark* b, long n) {
  b->ArgNames({"n", "c"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const long c : {1, 16, 64}) b->Args({n, c});
}
void graph(benchmark::internal::Benchmark* b) { sizes(b, 100'000); }
void matrix(benchmark::internal::Benchmark* b) { sizes(b, 4096); }

BENCHMARK_TEMPLATE(sparse_product, float)->Apply(graph);
BENCHMARK_TEMPLATE(sparse_product, double)->Apply(graph);
BENCHMARK_TEMPLATE(dense_product, float)->Apply(matrix);
BENCHMARK_TEMPLATE(dense_product, double)->Apply(matrix);
BENCHMARK_TEMPLATE(dense_product_transposed, float)->Apply(matrix);
BENCHMARK_TEMPLATE(dense_product_transposed, double)->Apply(matrix);

}  // namespace
}  // namespace likewise::benchmarks
