// The k nearest other points: flops are those of the product that brute force needs, 2 n^2 d, whatever runs.
#include <likewise/likewise.hpp>
#include <nanoflann.hpp>

#include "yardstick.hpp"

namespace likewise::benchmarks {
namespace {

template <class T> void search(benchmark::State& state, const char* algorithm) {
  const Index n = state.range(0), d = state.range(1), k = state.range(2);
  const Matrix<T> X = normal<T>(n, d);
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(d);
  const NeighborOptions options{.algorithm = algorithm, .exclude_self = true};
  measure<T>(state, flops, [&] { return kneighbors<T>(Euclidean{}, X, X, k, options); });
}

/// The tree that others use, a query at a time over the same threads.
template <class T> void neighbors_nanoflann(benchmark::State& state) {
  using Tree = nanoflann::KDTreeEigenMatrixAdaptor<Matrix<T>>;
  const Index n = state.range(0), d = state.range(1), k = state.range(2);
  const Matrix<T> X = normal<T>(n, d);
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(d);
  measure<T>(state, flops, [&] {
    const Tree tree(static_cast<int>(d), std::cref(X));
    Matrix<Index> indices(n, k + 1);  // the point itself comes first
    Matrix<T> distances(n, k + 1);
    const int n_threads = threads();
#pragma omp parallel for num_threads(n_threads) schedule(dynamic, 64)
    for (Index i = 0; i < n; ++i)
      tree.query(X.row(i).data(), k + 1, indices.row(i).data(), distances.row(i).data());
    return indices;
  });
}
template <class T> void neighbors_brute(benchmark::State& state) { search<T>(state, "brute"); }
template <class T> void neighbors_tree(benchmark::State& state) { search<T>(state, "kd_tree"); }

void any_size(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "d", "k"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const long d : {3, 10, 64}) b->Args({10'000, d, 15});
}
void low_dimension(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "d", "k"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const long d : {3, 10}) b->Args({10'000, d, 15});
}

BENCHMARK_TEMPLATE(neighbors_brute, float)->Apply(any_size);
BENCHMARK_TEMPLATE(neighbors_brute, double)->Apply(any_size);
BENCHMARK_TEMPLATE(neighbors_tree, float)->Apply(low_dimension);
BENCHMARK_TEMPLATE(neighbors_tree, double)->Apply(low_dimension);
BENCHMARK_TEMPLATE(neighbors_nanoflann, float)->Apply(low_dimension);
BENCHMARK_TEMPLATE(neighbors_nanoflann, double)->Apply(low_dimension);

}  // namespace
}  // namespace likewise::benchmarks
