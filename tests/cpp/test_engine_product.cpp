// The engine's dense product against three plain loops, at sizes around every edge of its blocks.
#include <cmath>
#include <limits>

#include <likewise/simd_target.hpp>

#include "catch.hpp"
#include "engine/product.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

template <class T> Matrix<T> numbers(Index rows, Index cols, unsigned seed) {
  return normal_matrix(rows, cols, seed).template cast<T>();
}

template <class T> engine::Factor<T> factor(const Matrix<T>& M, bool turned) {
  return turned ? engine::transposed<T>(M) : engine::as_it_is<T>(M);
}

/// Largest |found - loops| in units of epsilon times the sum of magnitudes.
template <class T> double error(Index m, Index n, Index k, bool a, bool b) {
  const Matrix<T> A = a ? numbers<T>(k, m, 1) : numbers<T>(m, k, 1),
                  B = b ? numbers<T>(n, k, 2) : numbers<T>(k, n, 2);
  const Matrix<T> found = engine::product<T>(factor(A, a), factor(B, b), {.n_jobs = 1}, "multiplying");
  double worst = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      double sum = 0, size = 1e-300;
      for (Index l = 0; l < k; ++l) {
        const double term = double(a ? A(l, i) : A(i, l)) * double(b ? B(j, l) : B(l, j));
        sum += term;
        size += std::fabs(term);
      }
      worst = std::max(worst, std::fabs(double(found(i, j)) - sum) / size);
    }
  return worst / double(std::numeric_limits<T>::epsilon());
}

}  // namespace

TEMPLATE_TEST_CASE("products are sums of products around every edge", "[engine]", float, double) {
  for (const std::string& name : simd_targets()) {
    force_simd_target(name);
    for (const bool a : {false, true})
      for (const bool b : {false, true}) {
        INFO(name << " " << a << b);
        for (const Index m : {0, 1, 2, 7, 8, 9, 17})
          for (const Index n : {0, 1, 5, 23, 24, 25, 47, 48, 49})
            for (const Index k : {0, 1, 3, 4, 9}) {
              INFO(m << " x " << n << " x " << k);
              CHECK(error<TestType>(m, n, k, a, b) < 10);
            }
        CHECK(error<TestType>(257, 50, 259, a, b) < 20);  // blocks of rows and of depth
        CHECK(error<TestType>(9, 2120, 5, a, b) < 10);    // and of columns
      }
    force_simd_target("");
  }
}

TEST_CASE("products do not depend on the number of threads", "[engine]") {
  const Matrix<double> A = normal_matrix(700, 90, 1), B = normal_matrix(90, 2200, 2);
  const auto with = [&](int threads) {
    return engine::product<double>(factor(A, false), factor(B, false), {.n_jobs = threads}, "multiplying");
  };
  const Matrix<double> one = with(1);
  CHECK((one.array() == with(2).array()).all());
  CHECK((one.array() == with(3).array()).all());
}
