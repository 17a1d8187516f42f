// The fused loop on every instruction set that runs here: each kernel with each metric against the leaves' definitions.
#include <cmath>
#include <limits>

#include <likewise/simd_target.hpp>

#include "catch.hpp"
#include "engine/cost_source.hpp"
#include "engine/exp_sum.hpp"
#include "operator/tile_weights.hpp"
#include "samples.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Costs as the leaf defines them, of points rounded to T, as d^power of the kernel's unit.
template <class T>
Matrix<double> inputs(const Metric& metric, const Kernel& kernel, const Matrix<T>& X, const Matrix<T>& Z) {
  const Matrix<double> x = X.template cast<double>(), z = Z.template cast<double>();
  const MetricTraits laws = traits(metric);
  const int power = engine::unit_power(laws, unit_of(traits(kernel).input));
  Matrix<double> input(X.rows(), Z.rows());
  std::visit(
      [&](const auto& leaf) {
        for (Index i = 0; i < X.rows(); ++i)
          for (Index j = 0; j < Z.rows(); ++j) {
            double cost = 0;
            if constexpr (PointCost<std::decay_t<decltype(leaf)>>)
              cost = leaf.template cost<double>(x.row(i), z.row(j));
            else if constexpr (TileMetric<std::decay_t<decltype(leaf)>>)
              leaf.template fill<double>(x.row(i), z.row(j), Eigen::Map<Matrix<double>>(&cost, 1, 1));
            input(i, j) = engine::convert_power(cost, laws.distance_power, power);
          }
      },
      metric);
  return input;
}

bool reads(const Kernel& kernel, const Metric& metric) {
  const MetricTraits laws = traits(metric);
  return !reads_distance(traits(kernel).input) || laws.distance_power > 0;
}

/// Whether the input stands so near the edge of a compact kernel that rounding decides.
bool on_edge(const Kernel& kernel, double input, double h) {
  if (!traits(kernel).compact) return false;
  const double edge = traits(kernel).input == KernelInput::squared_distance ? h * h : h;
  return std::fabs(input / edge - 1) < 1e-4;
}

/// How much a relative error of the input magnifies in the weight: u |d log phi / du|.
double condition(const Kernel& kernel, double want) {
  const auto* alpha = std::get_if<AlphaDecay>(&kernel);
  return (alpha ? alpha->decay : 2) * std::fabs(std::log(want));
}

/// Weights may be off by `tolerance` relative to themselves (more where the kernel magnifies the rounding of its input), or
/// to the kernel's largest where it is compact.
template <class T>
void check_weights(const Kernel& kernel, double h, const Matrix<double>& input, const Matrix<T>& log_weights,
                   double tolerance) {
  double worst = 0;
  for (Index i = 0; i < input.rows(); ++i)
    for (Index j = 0; j < input.cols(); ++j) {
      const double want = weight(kernel, input(i, j), h), log_got = static_cast<double>(log_weights(i, j));
      if (on_edge(kernel, input(i, j), h) || want < 1e-30) continue;
      if (traits(kernel).infinite_on_self && !(input(i, j) > 0)) {
        CHECK(log_got == Approx(std::get<InverseDistance>(kernel).log_weight_on_self()).epsilon(1e-6));
        continue;
      }
      const double got = std::exp(log_got);
      const double unit = traits(kernel).compact ? 1 : want * (1 + condition(kernel, want) / 20);
      worst = std::max(worst, std::fabs(got - want) / unit);
    }
  CHECK(worst <= tolerance);
}

/// Masses and sums of exp_sum against those of the filled tile.
template <class T>
void check_sums(const engine::LogWeights<T>& K, const Matrix<T>& log_weights, double least_tolerance) {
  const Index m = K.cols();
  const Matrix<T> V = normal_matrix(m, 3, 5).template cast<T>();
  const Vector<double> bias = normal_matrix(m, 1, 6);
  const Partial<T> part = engine::exp_sum<T>(K, bias, V, {.n_jobs = 1});
  const Matrix<double> logs = log_weights.template cast<double>();
  for (Index i = 0; i < K.rows(); ++i) {
    const Eigen::ArrayXd exponents = logs.row(i).transpose().array() + bias.array();
    const double top = exponents.maxCoeff();
    if (top == -infinity) {
      CHECK(part.mass(i) == 0);
      continue;
    }
    // The filled logarithms are rounded numbers themselves.
    const double tolerance = least_tolerance + 8 * double(std::numeric_limits<T>::epsilon()) * std::fabs(top);
    if (tolerance > 0.01) continue;
    const Eigen::ArrayXd w = (exponents - top).exp();
    const double scale = std::exp(part.log_reference(i) - top);
    CHECK(std::fabs(scale * part.mass(i) / w.sum() - 1) <= tolerance);
    for (Index c = 0; c < V.cols(); ++c) {
      const Eigen::ArrayXd v = V.col(c).template cast<double>();
      CHECK(std::fabs(scale * static_cast<double>(part.sum(i, c)) - (w * v).sum())
            <= tolerance * (w * v.abs()).sum());
    }
  }
}

}  // namespace

TEST_CASE("targets are named, forced and refused", "[engine]") {
  const std::vector<std::string> names = simd_targets();
  REQUIRE(!names.empty());
  CHECK((names.back() == "SCALAR" || names.back() == "EMU128"));  // what is portable with gcc, with clang
  for (const std::string& name : names) {
    const OnTarget target(name);
    CHECK(simd_target() == name);
  }
  CHECK(contains(refusal([] { force_simd_target("AVX9"); }), "\"SCALAR\""));
}

TEMPLATE_TEST_CASE("every kernel of every metric on every target is its leaf", "[engine]", float, double) {
  using T = TestType;
  const bool single = std::is_same_v<T, float>;
  // The larger shape is one whose lifts float32 may compute.
  const Index shapes[][2] = {{5, 21}, {131, 133}};
  for (const auto& [n, m] : shapes) {
    Matrix<T> X = normal_matrix(n, 3, 1).template cast<T>(), Z = normal_matrix(m, 3, 2).template cast<T>();
    X.topRows(4) = Z.topRows(4);                     // distance 0
    X.row(1).array() += single ? T(1e-3) : T(1e-7);  // and a small one
    Z.row(7).setZero();                              // which has no direction
    for (const Metric& metric : samples::metrics(3))
      for (const double h : {0.7, 3.0})
        for (const Kernel& kernel : samples::kernels(h)) {
          if (!reads(kernel, metric)) continue;
          const double scale = scale_of(kernel);
          const Matrix<double> input = inputs(metric, kernel, X, Z);
          const auto K = make_tile_weights<T>(metric, {kernel, scale}, PairFilters{}, X, Z);
          for (const std::string& name : simd_targets()) {
            INFO(repr(kernel) << " of " << repr(metric).substr(0, 60) << " on " << name << ", " << n << " x "
                              << m);
            const OnTarget target(name);
            Matrix<T> logs(n, m);
            K->fill(0, 0, logs);
            check_weights<T>(kernel, scale, input, logs, single ? 3e-5 : 1e-9);
            check_sums<T>(*K, logs, single ? 3e-5 : 1e-9);
          }
        }
  }
}

TEST_CASE("per-point scales divide the input", "[engine]") {
  const Matrix<double> X = normal_matrix(37, 4, 1), Z = normal_matrix(70, 4, 2);
  const Vector<double> s = normal_matrix(37, 1, 3).array().exp(), t = normal_matrix(70, 1, 4).array().exp();
  for (const Metric& metric : {Metric{Euclidean{}}, Metric{Manhattan{}}, Metric{Minkowski{3}}})
    for (const Kernel& kernel : samples::kernels(1.0)) {
      if (traits(kernel).infinite_on_self || traits(kernel).input == KernelInput::nothing
          || traits(kernel).input == KernelInput::cost)
        continue;
      Matrix<double> input = inputs(metric, kernel, X, Z);
      const int power = traits(kernel).input == KernelInput::squared_distance ? 2 : 1;
      for (Index i = 0; i < 37; ++i)
        for (Index j = 0; j < 70; ++j) input(i, j) *= std::pow(s(i) * t(j), -0.5 * power);
      const auto K = make_tile_weights<double>(metric, {kernel, 1.0, s, t}, PairFilters{}, X, Z);
      INFO(repr(kernel) << " of " << repr(metric));
      Matrix<double> logs(37, 70);
      K->fill(0, 0, logs);
      check_weights<double>(kernel, 1.0, input, logs, 1e-10);
      check_sums<double>(*K, logs, 1e-10);
    }
}
