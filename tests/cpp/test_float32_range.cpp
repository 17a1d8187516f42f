// Float32 points so near or so far from each other that float32 cannot hold their squares.
#include <algorithm>

#include <likewise/operator.hpp>

#include "catch.hpp"
#include "samples.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

/// Kernels of samples.hpp with lengths in this unit.
std::vector<Kernel> kernels_of(double unit, int cost_power) {
  std::vector<Kernel> kernels = samples::kernels(3 * unit);
  for (Kernel& kernel : kernels)
    if (auto* exponential = std::get_if<Exponential>(&kernel))
      exponential->temperature = 9 * std::pow(unit, cost_power);
  return kernels;
}

}  // namespace

TEST_CASE("float32 weights are those of float64, in any unit of length", "[operator]") {
  const Matrix<double> Z = lattice(30, 2, 41), X = lattice(7, 2, 42);
  for (const double unit : {std::ldexp(1.0, -149), 1e-38, 1e-25, 1e-17, 1e-5, 1e16, 1e30}) {
    const Matrix<float> Zf = (Z * unit).cast<float>(), Xf = (X * unit).cast<float>();
    const Matrix<double> Zd = Zf.cast<double>(), Xd = Xf.cast<double>();
    for (const Metric& metric : {Metric(SquaredEuclidean{}), Metric(Euclidean{}), Metric(Manhattan{})})
      for (const Kernel& kernel : kernels_of(unit, traits(metric).distance_power)) {
        const Mechanism m{metric, kernel, AllPairs{}, RowStochastic{}, OneStep{}, EmptyRow::nearest};
        INFO(repr(m) << " in units of " << unit);
        const Matrix<double> want = m.cross_operator(Xd, Zd).dense();
        const Matrix<double> got = m.cross_operator(Xf, Zf).dense().cast<double>();
        CHECK((got - want).cwiseAbs().maxCoeff() < 2e-5);
        const Matrix<float> ones = Matrix<float>::Ones(30, 1);
        CHECK((m.self_operator(Zf, {.storage = "streamed"}) * ones - ones).cwiseAbs().maxCoeff() < 1e-5F);
      }
  }
}

TEST_CASE("two distant clusters of unlike scale in 1024 dimensions: float32 is float64 at length 1",
          "[operator]") {
  const Index n = 150, d = 1024;
  Matrix<double> points(2 * n, d);
  points.topRows(n) = 0.05 * normal_matrix(n, d, 43);
  points.bottomRows(n) = (0.02 * normal_matrix(n, d, 44)).array() + 100;
  for (const double offset : {0.0, 1e4}) {
    INFO(offset);
    const Matrix<float> Z = (points.array() + offset).cast<float>();
    const Matrix<double> same = Z.cast<double>(), V = normal_matrix(2 * n, 3, 45);
    const Mechanism m{SquaredEuclidean{}, Gaussian{1.0}, AllPairs{},
                      RowStochastic{},    OneStep{},     EmptyRow::zero};
    const Matrix<double> want = m.self_operator(same, {.storage = "dense"}) * V;
    const Matrix<float> got = m.self_operator(Z, {.storage = "streamed"}) * Matrix<float>(V.cast<float>());
    CHECK((got.cast<double>() - want).cwiseAbs().maxCoeff() < 2e-5);
    // Nobody hears the other cluster, and everybody hears more than itself.
    CHECK((want - V).rowwise().norm().minCoeff() > 1e-3);
  }
}
