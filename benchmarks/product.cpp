// Dense products C = op(A) op(B) of square matrices; `a` and `b` are 1 where the factor is transposed.
#include "engine/product.hpp"

#include "yardstick.hpp"

namespace likewise::benchmarks {
namespace {

template <class T> void dense_product(benchmark::State& state) {
  const Index n = state.range(0);
  const Matrix<T> A = normal<T>(n, n, 1), B = normal<T>(n, n, 2);
  const auto factor = [](const Matrix<T>& M, bool turned) {
    return turned ? engine::transposed<T>(M) : engine::as_it_is<T>(M);
  };
  const auto a = factor(A, state.range(1) != 0), b = factor(B, state.range(2) != 0);
  Matrix<T> C = Matrix<T>::Zero(n, n);  // that of the yardstick is there before it starts, too
  const double size = static_cast<double>(n);
  measure<T>(state, 2 * size * size * size, [&] {
    engine::add_product<T>(T(1), a, b, C, {.n_jobs = threads()}, "multiplying");
    return C.data();
  });
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "a", "b"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const long n : {512, 2048})
    for (const long turned : {0, 1, 2, 3}) b->Args({n, turned / 2, turned % 2});
}

BENCHMARK_TEMPLATE(dense_product, float)->Apply(sizes);
BENCHMARK_TEMPLATE(dense_product, double)->Apply(sizes);

}  // namespace
}  // namespace likewise::benchmarks
