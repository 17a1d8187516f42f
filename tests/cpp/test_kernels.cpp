// Every kernel leaf against its formula: weights, log weights, integrals, laws.
#include <array>

#include <likewise/error.hpp>

#include "catch.hpp"
#include "oracles.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double inf = std::numeric_limits<double>::infinity();

// The formulas, written out, of a distance d (Exponential: of a cost d) and a scale h.
double formula(const Gaussian&, double d, double h) { return std::exp(-d * d / (2 * h * h)); }
double formula(const Exponential&, double c, double t) { return std::exp(-c / t); }
double formula(const Laplacian&, double d, double h) { return std::exp(-d / h); }
double formula(const Indicator& k, double d, double h) { return k.bandwidth.is_open() || d <= h ? 1 : 0; }
double formula(const Epanechnikov&, double d, double h) { return d < h ? 1 - d * d / h / h : 0; }
double formula(const Tricube&, double d, double h) {
  const double base = 1 - d * d * d / (h * h * h);
  return d < h ? base * base * base : 0;
}
double formula(const StudentT& k, double d, double h) {
  return 1 / std::pow(1 + d * d / (k.df * h * h), (k.df + 1) / 2);
}
double formula(const AlphaDecay& k, double d, double h) { return std::exp(-std::pow(d / h, k.decay)); }
double formula(const InverseDistance& k, double d, double) { return std::pow(d, -k.power); }
double formula(const Matern32&, double d, double h) {
  return (1 + std::sqrt(3) * d / h) * std::exp(-std::sqrt(3) * d / h);
}
double formula(const Matern52&, double d, double h) {
  return (1 + std::sqrt(5) * d / h + 5 * d * d / (3 * h * h)) * std::exp(-std::sqrt(5) * d / h);
}

double formula(const Kernel& kernel, double d, double h) {
  return std::visit([&](const auto& k) { return formula(k, d, h); }, kernel);
}

double input_of(const Kernel& kernel, double d) {
  return traits(kernel).input == KernelInput::squared_distance ? d * d : d;
}

template <class T> Matrix<T> log_weights_of(const Kernel& kernel, Matrix<T> input, double h) {
  log_weights<T>(kernel, input, h);
  return input;
}

// Midpoint rule for surface * integral_0^inf phi(r) r^(d-1) dr with r = u/(1-u).
double quadrature(const Kernel& kernel, int d, double h) {
  const std::array<double, 4> surface = {0, 2, 2 * pi, 4 * pi};
  const int n = 400000;
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double u = (i + 0.5) / n, r = u / (1 - u);
    const double cost = std::holds_alternative<Exponential>(kernel) ? r * r : r;  // a squared Euclidean cost
    sum += formula(kernel, cost, h) * std::pow(r, d - 1) / ((1 - u) * (1 - u)) / n;
  }
  return surface[static_cast<std::size_t>(d)] * sum;
}

double smallest_eigenvalue(const Kernel& kernel, const Matrix<double>& X, double h) {
  const Eigen::MatrixXd K = Eigen::MatrixXd::NullaryExpr(
      X.rows(), X.rows(), [&](Index i, Index j) { return formula(kernel, (X.row(i) - X.row(j)).norm(), h); });
  return oracles::symmetric_eigenpairs(K).values(0);
}

}  // namespace

TEMPLATE_TEST_CASE("weights and log weights are the formula", "[kernel]", float, double) {
  using T = TestType;
  const double tolerance = 40 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const double h : {0.7, 3.0})
    for (const Kernel& kernel : samples::kernels(h)) {
      INFO(repr(kernel) << " h=" << h);
      Matrix<T> distance(3, 15);
      for (Index i = 0; i < distance.size(); ++i) distance.data()[i] = T(0.013 + 0.05 * h * double(i));
      const bool squared = traits(kernel).input == KernelInput::squared_distance;
      const Matrix<T> input = squared ? Matrix<T>(distance.array().square()) : distance;
      const Matrix<T> logs = log_weights_of<T>(kernel, input, h);
      for (Index i = 0; i < input.size(); ++i) {
        const double d = double(distance.data()[i]), got = double(logs.data()[i]);
        const double want = formula(kernel, d, h);
        INFO("d = " << d);
        CHECK(weight(kernel, input_of(kernel, d), h) == Approx(want).epsilon(1e-10).margin(1e-300));
        if (has_edge(kernel) && d > 0)
          CHECK(std::exp(log_weight_at(kernel, d, h)) == Approx(want).epsilon(1e-9).margin(1e-300));
        if (std::fabs(d / h - 1) < 0.01) continue;  // the edge of a compact kernel is ill-conditioned
        if (want > 1e-280)
          CHECK(std::fabs(got - std::log(want)) <= 40 * tolerance * (1 + std::fabs(std::log(want))));
        if (want == 0 && traits(kernel).compact) CHECK(got == -inf);
      }
    }
}

TEMPLATE_TEST_CASE("log weights fall with the input and are never NaN", "[kernel]", float, double) {
  using T = TestType;
  const T top = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::denorm_min();
  Matrix<T> input(1, 9);
  input << T(0), least, T(1e-30), T(1e-10), T(0.5), T(2), T(1e30), top, std::numeric_limits<T>::infinity();
  for (const double h : {1e-320, 1e-60, 1e-30, 1e-3, 1.0, 1e30, 1e60, 1e300})
    for (const Kernel& kernel : samples::kernels(h)) {
      INFO(repr(kernel));
      const Matrix<T> logs = log_weights_of<T>(kernel, input, h);
      CHECK(!logs.hasNaN());
      for (Index i = 1; i < input.size(); ++i) CHECK(logs(i) <= logs(i - 1));
      const bool reads = traits(kernel).input != KernelInput::nothing;
      CHECK(logs(8) == (reads ? -std::numeric_limits<T>::infinity() : T(0)));
      const auto* inverse = std::get_if<InverseDistance>(&kernel);
      CHECK(logs(0) == (inverse ? T(inverse->log_weight_on_self()) : T(0)));
    }
  // A score of attention is a negative cost: the largest exponent stays finite.
  const Matrix<T> low = Matrix<T>::Constant(1, 1, -top);
  CHECK(log_weights_of<T>(Exponential{}, low, 1e-20)(0) == top);
}

TEST_CASE("a zero distance outweighs every other inverse distance", "[kernel]") {
  Matrix<double> d(1, 3);
  d << 0, std::numeric_limits<double>::denorm_min(), 1;
  const Matrix<double> logs = log_weights_of<double>(InverseDistance{}, d, 1);
  CHECK(std::exp(logs(1) - logs(0)) == 0);
  CHECK(std::exp(logs(2)) == 1);
}

TEST_CASE("a kernel is compact exactly where it says so", "[kernel]") {
  for (const Kernel& kernel : samples::kernels(1)) {
    INFO(repr(kernel));
    const Matrix<double> beyond = Matrix<double>::Constant(1, 1, input_of(kernel, 1.0001));
    CHECK((log_weights_of<double>(kernel, beyond, 1)(0) == -inf) == traits(kernel).compact);
  }
}

TEST_CASE("an indicator counts the distance h itself", "[kernel]") {
  for (const double h : {0.1, 0.3, 1.0, 3.0}) {
    const Matrix<double> edge = Matrix<double>::Constant(1, 1, h * h);
    CHECK(log_weights_of<double>(Indicator{h}, edge, h)(0) == 0);
  }
}

TEST_CASE("log_integral is the integral over space", "[kernel]") {
  const double h = 0.7;
  for (const Kernel& kernel : samples::kernels(h))
    for (const int d : {1, 2, 3}) {
      INFO(repr(kernel) << " d=" << d);
      const double got = log_integral(kernel, d, h);
      const auto* student = std::get_if<StudentT>(&kernel);
      const bool diverges = std::holds_alternative<InverseDistance>(kernel)
                            || traits(kernel).input == KernelInput::nothing
                            || (student && d >= student->df + 1);
      if (diverges)
        CHECK(got == inf);
      else
        CHECK(std::exp(got) == Approx(quadrature(kernel, d, h)).epsilon(1e-4));
    }
}

TEST_CASE("a kernel is positive definite exactly where it says so", "[kernel]") {
  const Matrix<double> line = Vector<double>::LinSpaced(161, 0, 8), space = samples::normal(80, 3, 4);
  for (const Kernel& kernel : samples::kernels(1)) {
    if (traits(kernel).infinite_on_self) continue;
    INFO(repr(kernel));
    const double least =
        std::min(smallest_eigenvalue(kernel, line, 1), smallest_eigenvalue(kernel, space, 1));
    CHECK((least > -1e-10) == traits(kernel).positive_definite);
  }
}

TEST_CASE("a bandwidth is read and replaced in the kernels that have one", "[kernel]") {
  for (const Kernel& kernel : samples::kernels(0.7)) {
    INFO(repr(kernel));
    const Bandwidth* bandwidth = bandwidth_of(kernel);
    const KernelInput input = traits(kernel).input;
    const bool has_one = (input == KernelInput::distance || input == KernelInput::squared_distance)
                         && !traits(kernel).infinite_on_self;
    REQUIRE((bandwidth != nullptr) == has_one);
    const Kernel other = with_bandwidth(kernel, 2.5);
    CHECK(other.index() == kernel.index());
    CHECK((other == kernel) == !has_one);
    CHECK(scale_of(kernel) == (has_one || input == KernelInput::cost ? 0.7 : 1.0));
    if (has_one) {
      CHECK(bandwidth->length() == 0.7);
      CHECK(scale_of(other) == 2.5);
      CHECK(with_bandwidth(other, 0.7) == kernel);
    }
  }
  CHECK(with_bandwidth(Indicator{"median"}, 2.0) == Kernel(Indicator{2.0}));
  CHECK(with_bandwidth(Indicator{}, 2.0) == Kernel(Indicator{}));
}
