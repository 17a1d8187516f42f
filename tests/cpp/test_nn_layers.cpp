// Each layer against closed values and against finite differences.
#include <likewise/nn/layer_norm.hpp>
#include <likewise/nn/linear.hpp>
#include <likewise/nn/mlp.hpp>
#include <likewise/nn/pooling.hpp>

#include <cmath>

#include "catch.hpp"
#include "slopes.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

double dot(const Matrix<double>& a, const Matrix<double>& b) { return (a.array() * b.array()).sum(); }

double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(8 * std::atan(1.0)); }

}  // namespace

TEST_CASE("a layout knows who lives where", "[nn]") {
  ParameterLayout layout;
  const Slot a = layout.add_matrix("a", 2, 3), b = layout.add_vector("b", 4);
  CHECK(layout.size() == 10);
  CHECK((a.size() == 6 && b.offset == 6 && b.size() == 4));
  CHECK(layout.at("b") == b);
  CHECK(contains(refusal([&] { layout.add_vector("a", 1); }), "name must be"));
  CHECK(contains(refusal([&] { layout.at("c"); }), "a, b"));
}

TEST_CASE("linear: a product and a shift, with their gradients", "[nn]") {
  for (const bool bias : {true, false}) {
    ParameterLayout layout;
    const Linear linear(3, 2, layout, "l.", bias);
    Vector<double> parameters = normal_matrix(layout.size(), 1, 1);
    const Matrix<double> x = normal_matrix(5, 3, 2), g = normal_matrix(5, 2, 3);
    Matrix<double> y, grad_x;
    linear.forward<double>(parameters, x, y);
    Matrix<double> want = x * matrix_at(layout.at("l.weight"), parameters).transpose();
    if (bias) want.rowwise() += matrix_at(layout.at("l.bias"), parameters).row(0);
    CHECK(y.isApprox(want, 1e-14));

    const auto loss = [&](const Vector<double>& p, const Matrix<double>& at) {
      Matrix<double> out;
      linear.forward<double>(p, at, out);
      return dot(out, g);
    };
    Vector<double> gradient = Vector<double>::Constant(layout.size(), 1);  // is added to
    linear.backward<double>(parameters, x, g, gradient, &grad_x);
    gradient.array() -= 1;
    check_gradient(layout, gradient,
                   slopes<Vector<double>>([&](const auto& p) { return loss(p, x); }, parameters));
    CHECK(relative_error(grad_x,
                         slopes<Matrix<double>>([&](const auto& at) { return loss(parameters, at); }, x))
          < 1e-6);
  }
}

TEST_CASE("linear begins with torch.nn.Linear's law, and the same numbers everywhere", "[nn]") {
  ParameterLayout layout;
  const Linear linear(16, 500, layout);
  Vector<double> parameters(layout.size()), again(layout.size());
  linear.initialize(parameters, 5);
  linear.initialize(again, 5);
  CHECK(parameters == again);
  CHECK(parameters.cwiseAbs().maxCoeff() <= 0.25);
  CHECK(parameters.mean() == Approx(0).margin(0.01));
  CHECK(parameters.array().square().mean() == Approx(0.25 * 0.25 / 3).epsilon(0.03));
  std::mt19937_64 bits(5);
  CHECK(parameters(0) == 0.25 * (2 * (static_cast<double>(bits() >> 11) * 0x1p-53) - 1));
  CHECK(contains(refusal([] {
                   ParameterLayout l;
                   Linear(0, 1, l);
                 }),
                 "in_features must be"));
}

TEST_CASE("layer norm: mean, variance, and what they take from the gradient", "[nn]") {
  ParameterLayout layout;
  const LayerNorm norm(6, layout, "n.");
  Vector<double> parameters(layout.size());
  norm.initialize(parameters);
  LayerNormTrace<double> trace;
  Matrix<double> x(2, 6);
  x << 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7;
  const Matrix<double> y = norm.forward<double>(parameters, x, trace);
  CHECK(y(0, 0) == Approx(-2.5 / std::sqrt(35.0 / 12 + 1e-5)).epsilon(1e-14));
  CHECK(y.row(1).isZero(0));  // no variance: eps

  // 600 rows: more than one block of rows.
  for (const Index n : {4, 600}) {
    parameters = normal_matrix(layout.size(), 1, 1);
    x = normal_matrix(n, 6, 2);
    const Matrix<double> g = normal_matrix(n, 6, 3);
    const auto loss = [&](const Vector<double>& p, const Matrix<double>& at) {
      LayerNormTrace<double> t;
      return dot(norm.forward<double>(p, at, t), g);
    };
    Vector<double> gradient = Vector<double>::Constant(layout.size(), 1);
    norm.forward<double>(parameters, x, trace);
    const Matrix<double> grad_x = norm.backward<double>(parameters, trace, g, gradient);
    gradient.array() -= 1;
    check_gradient(layout, gradient,
                   slopes<Vector<double>>([&](const auto& p) { return loss(p, x); }, parameters));
    if (n == 4)
      CHECK(relative_error(grad_x,
                           slopes<Matrix<double>>([&](const auto& at) { return loss(parameters, at); }, x))
            < 1e-6);
  }
  CHECK(
      contains(refusal([&] { norm.forward<double>(parameters, Matrix<double>(2, 5), trace); }), "x must be"));
}

TEST_CASE("GELU in float64 is x Phi(x) on both tails", "[nn]") {
  Matrix<double> x = Vector<double>::LinSpaced(1301, -13, 13).transpose(), slope;
  const Matrix<double> at = x;
  activate(Activation::gelu, x, slope);
  for (Index i = 0; i < at.size(); ++i) {
    CHECK(x(i) == Approx(at(i) * normal_below(at(i))).epsilon(1e-13));
    CHECK(slope(i) == Approx(normal_below(at(i)) + at(i) * normal_density(at(i))).epsilon(1e-12));
  }
}

TEST_CASE("GELU in float32 is x Phi(x) on both tails, on every instruction set", "[nn]") {
  const Matrix<float> at = Vector<float>::LinSpaced(1301, -13, 13).transpose();
  for (const std::string& target : simd_targets()) {
    INFO(target);
    const OnTarget forced(target);
    Matrix<float> x = at, slope;
    activate(Activation::gelu, x, slope);
    for (Index i = 0; i < at.size(); ++i) {
      const double t = at(i);
      // The exponent t^2 / 2 has float32's rounding relative to itself.
      const double rounding = 5e-7 + 6e-8 * t * t;
      CHECK(x(i) == Approx(t * normal_below(t)).epsilon(rounding).margin(2e-37));  // denormals are 0
      CHECK(std::abs(slope(i) - (normal_below(t) + t * normal_density(t))) < 5e-7);
    }
    // Behind whole vectors, one by one.
    Matrix<float> special(1, 19), none;
    special.setConstant(1.5f);
    special.rightCols(3) << 0, -40, std::numeric_limits<float>::quiet_NaN();
    activate(Activation::gelu, special, none);
    CHECK((special(16) == 0 && special(17) == 0 && std::isnan(special(18))));
    CHECK(none(16) == Approx(0.5).epsilon(5e-7));
    CHECK(special(15) == Approx(1.5 * normal_below(1.5)));
  }
}

TEST_CASE("ReLU", "[nn]") {
  Matrix<float> x(1, 4), slope;
  x << -2, 0, 3, std::numeric_limits<float>::quiet_NaN();
  activate(Activation::relu, x, slope);
  CHECK((x(0) == 0 && x(1) == 0 && x(2) == 3 && std::isnan(x(3))));
  CHECK((slope(0) == 0 && slope(1) == 0 && slope(2) == 1));
}

TEST_CASE("MLP: gradients are slopes", "[nn]") {
  for (const Activation activation : {Activation::gelu, Activation::relu}) {
    ParameterLayout layout;
    const Mlp mlp(3, 5, activation, layout, "mlp.");
    CHECK(layout.at("mlp.fc2.weight").cols == 5);
    Vector<double> parameters(layout.size());
    mlp.initialize(parameters, 3);
    const Matrix<double> x = normal_matrix(7, 3, 2), g = normal_matrix(7, 3, 3);
    const auto loss = [&](const Vector<double>& p, const Matrix<double>& at) {
      MlpTrace<double> t;
      return dot(mlp.forward<double>(p, at, t), g);
    };
    MlpTrace<double> trace;
    Vector<double> gradient = Vector<double>::Zero(layout.size());
    mlp.forward<double>(parameters, x, trace);
    const Matrix<double> grad_x = mlp.backward<double>(parameters, x, trace, g, gradient);
    check_gradient(layout, gradient,
                   slopes<Vector<double>>([&](const auto& p) { return loss(p, x); }, parameters));
    CHECK(relative_error(grad_x,
                         slopes<Matrix<double>>([&](const auto& at) { return loss(parameters, at); }, x))
          < 1e-6);
  }
}

TEST_CASE("pooling reads what is no padding", "[nn]") {
  const Matrix<double> x = normal_matrix(6, 2, 1), g = normal_matrix(2, 2, 2);
  BoolMatrix padding(2, 3);
  padding << true, false, true, false, false, false;
  Matrix<double> y, grad_x;
  pool<double>(Pooling::mean, x, 2, nullptr, y);
  CHECK(y.row(1).isApprox(x.bottomRows(3).colwise().mean(), 1e-14));
  pool<double>(Pooling::mean, x, 2, &padding, y);
  CHECK(y.row(0).isApprox((x.row(0) + x.row(2)) / 2, 1e-14));
  CHECK(y.row(1).isZero(0));
  pool<double>(Pooling::cls, x, 2, nullptr, y);
  CHECK(y.row(1) == x.row(3));
  for (const Pooling pooling : {Pooling::mean, Pooling::cls}) {
    pool_backward<double>(pooling, g, 3, &padding, grad_x);
    const auto loss = [&](const Matrix<double>& at) {
      Matrix<double> out;
      pool<double>(pooling, at, 2, &padding, out);
      return dot(out, g);
    };
    CHECK(relative_error(grad_x, slopes<Matrix<double>>(loss, x)) < 1e-6);
  }
  Matrix<double> tokens = x;
  tokens.row(1).setZero();
  tokens.bottomRows(3).setZero();
  pool<double>(Pooling::none, x, 2, &padding, y);
  CHECK(y == tokens);
  pool_backward<double>(Pooling::none, x, 3, &padding, grad_x);
  CHECK(grad_x == tokens);
  pool<double>(Pooling::none, x, 2, nullptr, y);
  CHECK(y == x);
  CHECK(contains(refusal([&] { pool_backward<double>(Pooling::none, x, 4, nullptr, y); }), "grad_y must be"));
  CHECK(contains(refusal([&] { pool<double>(Pooling::mean, x, 4, nullptr, y); }), "batch must be"));
  CHECK(contains(refusal([&] { pool<double>(Pooling::mean, x, 3, &padding, y); }), "key_padding must be"));
}
