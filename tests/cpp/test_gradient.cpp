// vjp: the same bits on any number of threads, and the derivative that central differences of the loss give.
#include <likewise/gradient.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr Index n = 1100;  // a latin square of three blocks a side

OperatorGradient<double> gradient(const Mechanism& m, const Matrix<double>& Z, int n_jobs) {
  return vjp<double>(m.self_operator(Z), normal_matrix(Z.rows(), 2, 2), normal_matrix(Z.rows(), 2, 3), {},
                     {.n_jobs = n_jobs});
}

double loss(const Mechanism& m, const Matrix<double>& Z) {
  const Matrix<double> Y = m.self_operator(Z) * normal_matrix(Z.rows(), 2, 3);
  return (Y.array() * normal_matrix(Z.rows(), 2, 2).array()).sum();
}

}  // namespace

TEST_CASE("gradients do not depend on the number of threads, and are slopes of the loss", "[gradient]") {
  const std::vector<Mechanism> mechanisms{
      {SquaredEuclidean{}, Gaussian{1.0}},
      {SquaredEuclidean{}, Gaussian{1.0}, Causal{}},
      {Minkowski{3}, Laplacian{1.0}, AllPairs{}, Symmetric{}},
      {SquaredEuclidean{}, Gaussian{1.0}, Neighbors{.n_neighbors = 8}},
  };
  const Matrix<double> Z = normal_matrix(n, 3, 1), direction = normal_matrix(n, 3, 4);
  for (const Mechanism& m : mechanisms) {
    CAPTURE(repr(m));
    const OperatorGradient<double> one = gradient(m, Z, 1), three = gradient(m, Z, 3);
    CHECK(one.points == three.points);
    CHECK(one.values == three.values);
    CHECK(one.log_key_weights == three.log_key_weights);
    CHECK(one.bandwidth == three.bandwidth);
    constexpr double step = 1e-6;
    const double slope = (loss(m, Z + step * direction) - loss(m, Z - step * direction)) / (2 * step);
    CHECK((one.points.array() * direction.array()).sum() == Approx(slope).epsilon(1e-5));
  }
}
