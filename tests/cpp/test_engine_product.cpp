// The engine's dense product against three plain loops, at sizes around every edge of its blocks.
#include <array>
#include <cmath>
#include <limits>
#include <thread>

#include <likewise/simd_target.hpp>

#include "catch.hpp"
#include "engine/product.hpp"
#include "engine/simd/amx_product.hpp"
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

/// An operand within a larger matrix: its strides exceed its sides.
struct Inside {
  Inside(Index rows, Index cols, bool turned, unsigned seed)
      : around(numbers<float>((turned ? cols : rows) + 2, (turned ? rows : cols) + 3, seed)),
        values(turned ? Matrix<float>(around.block(1, 2, cols, rows).transpose())
                      : Matrix<float>(around.block(1, 2, rows, cols))) {
    const float* first = around.data() + around.cols() + 2;
    elements = turned ? engine::simd::Strided<float>{first, 1, around.cols()}
                      : engine::simd::Strided<float>{first, around.cols(), 1};
  }
  Matrix<float> around, values;
  engine::simd::Strided<float> elements{};
};

void refuse_to_multiply(Index, Index, Index, float, engine::simd::Strided<float>,
                        engine::simd::Strided<float>, float*, Index) {
  FAIL("finite operands are the tiles' own");
}

/// Largest error of a product by tiles that is added to numbers, in units of |a||b| and of what was there. Infinite where
/// it writes outside its result.
double tile_error(Index m, Index n, Index k, bool a, bool b, float alpha) {
  const Inside A(m, k, a, 1), B(k, n, b, 2);
  const Matrix<float> before = numbers<float>(m + 2, n + 3, 3);
  Matrix<float> after = before;
  engine::simd::amx_multiply_add(m, n, k, alpha, A.elements, B.elements, after.data() + after.cols() + 2,
                                 after.cols(), refuse_to_multiply);
  const Matrix<double> left = A.values.cast<double>(), right = B.values.cast<double>();
  Matrix<double> want = before.cast<double>(), size = Matrix<double>::Constant(m + 2, n + 3, 1e-300);
  if (k > 0) {
    want.block(1, 2, m, n) += double(alpha) * left * right;
    size.block(1, 2, m, n) = (before.block(1, 2, m, n).cast<double>().cwiseAbs()
                              + std::fabs(alpha) * left.rowwise().norm() * right.colwise().norm());
  }
  return ((after.cast<double>() - want).cwiseAbs().array() / size.array()).maxCoeff();
}

/// A product that AMX is chosen for where there is one, on a target.
Matrix<float> on_target(const std::string& name, const Matrix<float>& A, const Matrix<float>& B) {
  const OnTarget target(name);
  Matrix<float> out = Matrix<float>::Ones(A.rows(), B.cols());
  engine::add_product<float>(2.0f, factor(A, false), factor(B, false), out);
  return out;
}

bool same_kind(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::isinf(a) || std::isinf(b) ? a == b : true;
}

}  // namespace

TEMPLATE_TEST_CASE("products are sums of products around every edge", "[engine]", float, double) {
  for (const std::string& name : simd_targets()) {
    const OnTarget target(name);
    for (const bool a : {false, true})
      for (const bool b : {false, true}) {
        INFO(name << " " << a << b);
        for (const Index m : {0, 1, 2, 5, 6, 7, 8, 9, 13, 17})
          for (const Index n : {0, 1, 5, 23, 24, 25, 31, 33, 47, 49, 63, 64, 65, 81})
            for (const Index k : {0, 1, 3, 4, 9}) {
              INFO(m << " x " << n << " x " << k);
              CHECK(error<TestType>(m, n, k, a, b) < 10);
            }
        CHECK(error<TestType>(257, 50, 259, a, b) < 20);   // blocks of rows and of depth
        CHECK(error<TestType>(9, 2120, 5, a, b) < 10);     // and of columns
        CHECK(error<TestType>(1030, 145, 96, a, b) < 10);  // enough for the tiles of AMX
      }
    for (const Index m : {1, 5, 63, 64, 65})  // what few columns of A make of all rows of B
      for (const Index n : {4, 16, 48, 64, 80})
        for (const Index k : {383, 385, 900}) {
          INFO(name << " " << m << " x " << n << " x " << k);
          CHECK(error<TestType>(m, n, k, true, false) < 30);
        }
  }
}

// Blocks follow the number of threads: in few large ones B is packed whole, in many small ones rows are left over.
TEMPLATE_TEST_CASE("products do not depend on the number of threads", "[engine]", float, double) {
  using T = TestType;
  for (const auto& [m, k, n] : {std::array<Index, 3>{700, 300, 130}, {1100, 450, 601}, {50, 800, 2200}}) {
    const Matrix<T> A = normal_matrix(m, k, 1).template cast<T>(),
                    B = normal_matrix(k, n, 2).template cast<T>();
    const auto with = [&](int threads) {
      return engine::product<T>(factor(A, false), factor(B, false), {.n_jobs = threads}, "multiplying");
    };
    const Matrix<T> one = with(1);
    for (const int threads : {2, 3, 5, 8}) CHECK(with(threads) == one);
    CHECK((one.template cast<double>() - A.template cast<double>() * B.template cast<double>()).norm()
          < (std::is_same_v<T, float> ? 1e-5 : 1e-14) * static_cast<double>(one.norm()));
  }
  // A layer's gradient: small blocks of it are not packed, the whole is.
  Matrix<T> A = normal_matrix(2000, 200, 1).template cast<T>(),
            B = normal_matrix(2000, 64, 2).template cast<T>();
  const T tiny = std::numeric_limits<T>::denorm_min() * T(1000);
  A.col(3).setConstant(T(1) / std::numeric_limits<T>::epsilon());  // denormals count, whoever packs
  B.col(5).setConstant(tiny);
  const auto with = [&](int threads) {
    return engine::product<T>(factor(A, true), factor(B, false), {.n_jobs = threads}, "multiplying");
  };
  const Matrix<T> one = with(1);
  for (const int threads : {2, 5}) CHECK(with(threads) == one);
}

TEST_CASE("a product may start from a row, whatever its memory held before", "[engine]") {
  const Matrix<double> start = normal_matrix(1, 1100, 3);
  for (const auto& [m, k, n] : {std::array<Index, 3>{3, 4, 5}, {700, 30, 1100}, {9, 0, 7}}) {
    const Matrix<double> A = normal_matrix(m, k, 1), B = normal_matrix(k, n, 2), half = 0.5 * A * B;
    for (const int threads : {1, 3}) {
      Matrix<double> out = Matrix<double>::Constant(m, n, std::numeric_limits<double>::quiet_NaN());
      const auto set = [&](const Matrix<double>& from) {
        engine::set_product<double>(from, 0.5, factor(A, false), factor(B, false), out, {.n_jobs = threads},
                                    "multiplying");
      };
      set(start.leftCols(n));
      CHECK((out.rowwise() - start.row(0).leftCols(n) - half).cwiseAbs().maxCoeff() < 1e-12);
      set({});
      CHECK((out - half).cwiseAbs().maxCoeff() < 1e-12);
    }
  }
}

TEST_CASE("products by tiles are sums of products around every edge of a tile", "[engine]") {
  if (!engine::simd::amx_available()) return;
  for (const bool a : {false, true})
    for (const bool b : {false, true}) {
      for (const Index m : {0, 1, 15, 16, 17, 31, 32, 33, 48, 49, 65})
        for (const Index n : {0, 1, 15, 16, 17, 31, 32, 33, 48, 49, 65})
          for (const Index k : {0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65}) {
            INFO(m << " x " << n << " x " << k << " " << a << b);
            CHECK(tile_error(m, n, k, a, b, 1) < 4e-7);
          }
      CHECK(tile_error(70, 660, 290, a, b, -0.3f) < 4e-7);  // blocks of columns and of depth
    }
}

TEST_CASE("products by tiles keep their error where operands are badly scaled", "[engine]") {
  Matrix<float> A = numbers<float>(150, 100, 1), B = numbers<float>(100, 130, 2);
  for (Index i = 0; i < A.rows(); ++i) A.row(i) *= std::pow(10.0f, float(i % 7 - 3));
  for (Index j = 0; j < B.cols(); ++j) B.col(j) *= std::pow(10.0f, float(j % 5 - 2));
  // The worst that can be split: what three parts leave out has one sign.
  A.row(0).setConstant(1.0f + 32704.0f / (1 << 23));
  B.col(0).setConstant(1.0f + 32704.0f / (1 << 23));
  const Matrix<double> left = A.cast<double>(), right = B.cast<double>();
  const Matrix<double> want = (2 * left * right).array() + 1,
                       size = (2 * left.rowwise().norm() * right.colwise().norm()).array() + 1;
  for (const std::string& name : simd_targets()) {
    INFO(name);
    const Matrix<float> found = on_target(name, A, B);
    CHECK(((found.cast<double>() - want).cwiseAbs().array() / size.array()).maxCoeff() < 1e-6);
    if (name == "AMX")
      CHECK(((found.cast<double>() - want).cwiseAbs().array() / size.array()).maxCoeff() < 4e-7);
  }
}

TEST_CASE("infinities and NaNs come out alike on every target", "[engine]") {
  const float infinity = std::numeric_limits<float>::infinity(), largest = std::numeric_limits<float>::max();
  const Matrix<float> A0 = numbers<float>(150, 300, 1), B0 = numbers<float>(300, 700, 2);
  for (const float special : {infinity, -infinity, std::nanf(""), largest})
    for (const int where : {1, 2, 3}) {
      Matrix<float> A = A0, B = B0;
      if (where & 1) A(33, 299) = special;
      if (where & 2) B(257, 650) = special;
      const Matrix<float> plain = on_target(simd_targets().back(), A, B);
      for (const std::string& name : simd_targets()) {
        INFO(name << " " << special << " " << where);
        const Matrix<float> found = on_target(name, A, B);
        Index different = 0;
        for (Index i = 0; i < found.size(); ++i) different += !same_kind(found.data()[i], plain.data()[i]);
        CHECK(different == 0);
        CHECK(std::fabs(found(0, 0) - plain(0, 0)) < 1e-4f);
      }
    }
}

TEST_CASE("products have the same bits again and on other threads", "[engine]") {
  const Matrix<float> A = numbers<float>(200, 290, 1), B = numbers<float>(290, 700, 2);
  const auto multiply = [&] {
    Matrix<float> out = Matrix<float>::Zero(A.rows(), B.cols());
    engine::add_product<float>(1, factor(A, false), factor(B, false), out);
    return out;
  };
  const Matrix<float> first = multiply();
  CHECK(first == multiply());
  Matrix<float> others[2];
  std::thread threads[] = {std::thread([&] { others[0] = multiply(); }),
                           std::thread([&] { others[1] = multiply(); })};
  for (std::thread& thread : threads) thread.join();
  CHECK(first == others[0]);
  CHECK(first == others[1]);
}
