// Losses, optimizers and schedules against numbers worked out by hand.
#include <likewise/nn/loss.hpp>
#include <likewise/nn/optimizer.hpp>
#include <likewise/nn/schedule.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "slopes.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

/// One parameter after each of the steps with these gradients.
std::vector<double> path(const Optimizer& optimizer, double rate, double start,
                         const std::vector<double>& gradients) {
  OptimizerState<double> state;
  Vector<double> p = Vector<double>::Constant(1, start);
  std::vector<double> seen;
  for (const double g : gradients) {
    take_step<double>(optimizer, rate, Vector<double>::Constant(1, g), p, p, state);
    seen.push_back(p(0));
  }
  return seen;
}

}  // namespace

TEST_CASE("cross-entropy: closed values, gradients, weights", "[nn]") {
  Matrix<double> logits(2, 2);
  logits << std::log(3.0), 0, 1000, 1000;
  const Loss<double> loss = cross_entropy<double>(logits, {0, 1});
  CHECK(loss.value == Approx((std::log(4.0 / 3) + std::log(2.0)) / 2).epsilon(1e-14));
  CHECK(loss.gradient(0, 0) == Approx((0.75 - 1) / 2).epsilon(1e-14));
  CHECK(loss.gradient(1, 0) == Approx(0.25).epsilon(1e-14));

  const Matrix<double> z = normal_matrix(5, 4, 1);
  const std::vector<Index> labels = {3, 0, 1, 1, 2};
  Vector<double> weights(5);
  weights << 1, 0, 2, 0.5, 3;
  const auto value = [&](const Matrix<double>& at) {
    return cross_entropy<double>(at, labels, weights).value;
  };
  CHECK(relative_error(cross_entropy<double>(z, labels, weights).gradient, slopes<Matrix<double>>(value, z))
        < 1e-6);
  // A weight of 2 is a row that comes twice.
  const Matrix<double> twice = (Matrix<double>(3, 4) << z.row(0), z.row(0), z.row(1)).finished();
  CHECK(cross_entropy<double>(twice, {3, 3, 0}).value
        == Approx(cross_entropy<double>(z.topRows(2), {3, 0}, Vector<double>{{2, 1}}).value).epsilon(1e-13));

  // A row of weight 0 is not there, however wrong it is.
  Matrix<double> hopeless(2, 2);
  hopeless << 0, 0, 0, -std::numeric_limits<double>::infinity();
  CHECK(cross_entropy<double>(hopeless, {0, 1}, Vector<double>{{1, 0}}).value
        == Approx(std::log(2.0)).epsilon(1e-14));

  CHECK(contains(refusal([&] { cross_entropy<double>(z, {3, 0, 1, 1, 4}); }), "labels must be"));
  CHECK(contains(refusal([&] { cross_entropy<double>(z, {3, 0}); }), "labels must be"));
  CHECK(contains(refusal([&] { cross_entropy<double>(z, labels, -weights); }), "weights must be"));
}

TEST_CASE("squared error: the mean over entries", "[nn]") {
  const Matrix<double> p = normal_matrix(4, 3, 1), t = normal_matrix(4, 3, 2);
  CHECK(squared_error<double>(p, t).value == Approx((p - t).squaredNorm() / 12).epsilon(1e-14));
  const Vector<double> weights{{1, 2, 0, 4}};
  const auto value = [&](const Matrix<double>& at) { return squared_error<double>(at, t, weights).value; };
  CHECK(relative_error(squared_error<double>(p, t, weights).gradient, slopes<Matrix<double>>(value, p))
        < 1e-6);
  CHECK(contains(refusal([&] { squared_error<double>(p, t.topRows(2)); }), "targets must be"));
}

TEST_CASE("SGD with momentum and decay", "[nn]") {
  const auto plain = path(Sgd{}, 0.1, 1, {2, -1});
  CHECK(plain[0] == Approx(0.8).epsilon(1e-15));
  CHECK(plain[1] == Approx(0.9).epsilon(1e-15));
  const auto heavy = path(Sgd{.momentum = 0.9, .weight_decay = 0.5}, 0.1, 1, {2, -1});
  // m1 = 2 + 0.5, p1 = 0.75; m2 = 0.9 * 2.5 - 1 + 0.375 = 1.625
  CHECK(heavy[0] == Approx(0.75).epsilon(1e-15));
  CHECK(heavy[1] == Approx(0.75 - 0.1625).epsilon(1e-15));
}

TEST_CASE("Adam and AdamW, three steps by hand", "[nn]") {
  // The first step is rate * sign(g), whatever its size; eps stands outside the root.
  CHECK(path(Adam{}, 0.1, 1, {1e-8})[0] == Approx(1 - 0.1 * 0.5).epsilon(1e-12));
  const std::vector<double> g = {0.5, -1, 0.25};
  for (const bool decoupled : {false, true}) {
    const double decay = 0.3, rate = 0.1, b1 = 0.8, b2 = 0.9, eps = 1e-3;
    const Optimizer optimizer = decoupled ? Optimizer(AdamW{b1, b2, eps, decay}) : Adam{b1, b2, eps, decay};
    const auto got = path(optimizer, rate, 2, g);
    double p = 2, m = 0, v = 0;
    for (std::size_t s = 1; s <= g.size(); ++s) {
      double slope = g[s - 1];
      if (decoupled)
        p -= rate * decay * p;
      else
        slope += decay * p;
      m = b1 * m + (1 - b1) * slope;
      v = b2 * v + (1 - b2) * slope * slope;
      const double n = static_cast<double>(s);
      p -= rate * (m / (1 - std::pow(b1, n))) / (std::sqrt(v / (1 - std::pow(b2, n))) + eps);
      CHECK(got[s - 1] == Approx(p).epsilon(1e-13));
    }
  }
  CHECK(path(AdamW{}, 0.1, 1, {0})[0] == Approx(1 - 0.1 * 0.01).epsilon(1e-15));
}

TEST_CASE("a step to another vector leaves the old one as it was", "[nn]") {
  const Vector<float> g = normal_matrix(9, 1, 1).cast<float>(), p = normal_matrix(9, 1, 2).cast<float>();
  for (const Optimizer& optimizer : {Optimizer(Sgd{}), Optimizer(Sgd{.momentum = 0.5}), Optimizer(AdamW{})}) {
    OptimizerState<float> one, two;
    Vector<float> in_place = p, next;
    take_step<float>(optimizer, 0.1, g, in_place, in_place, one);
    take_step<float>(optimizer, 0.1, g, p, next, two);
    CHECK(next == in_place);
  }
}

TEST_CASE("what optimizers refuse", "[nn]") {
  Vector<double> p = Vector<double>::Ones(2);
  OptimizerState<double> state;
  const auto message = [&](const Optimizer& o, double rate, Index n) {
    return refusal([&] { take_step<double>(o, rate, Vector<double>::Ones(n), p, p, state); });
  };
  CHECK(contains(message(Sgd{.momentum = 1}, 0.1, 2), "momentum must be"));
  CHECK(contains(message(Adam{.beta2 = -1}, 0.1, 2), "beta2 must be"));
  CHECK(contains(message(AdamW{.weight_decay = -1}, 0.1, 2), "weight_decay must be"));
  CHECK(contains(message(Adam{}, -1, 2), "learning_rate must be"));
  CHECK(contains(message(Adam{}, 0.1, 3), "gradient must be"));
  CHECK(message(Sgd{}, 0.1, 2).find("must be") == std::string::npos);
  CHECK(contains(message(Adam{}, 0.1, 2), "state must be"));  // of an Sgd
}

TEST_CASE("clipping", "[nn]") {
  Vector<double> g{{3, 4}};
  CHECK(clip_gradient(g, 10) == Approx(5));
  CHECK(g(0) == 3);
  CHECK(clip_gradient(g, 1) == Approx(5));
  CHECK(g(1) == Approx(4 / (5 + 1e-6)).epsilon(1e-14));
  CHECK(contains(refusal([&] { clip_gradient(g, 0); }), "max_norm must be"));
}

TEST_CASE("schedules", "[nn]") {
  CHECK(rate_at(ConstantRate{}, 0.3, 17, 20) == 0.3);
  const CosineRate cosine{.warmup_steps = 4, .final_fraction = 0.1};
  CHECK(rate_at(cosine, 1, 0, 24) == Approx(0.25));
  CHECK(rate_at(cosine, 1, 3, 24) == Approx(1));
  CHECK(rate_at(cosine, 1, 4, 24) == Approx(1));
  CHECK(rate_at(cosine, 1, 14, 24) == Approx(0.1 + 0.9 / 2));
  CHECK(rate_at(cosine, 1, 24, 24) == Approx(0.1));
  CHECK(rate_at(cosine, 1, 99, 24) == Approx(0.1));
  const StepRate down{.every = 10, .factor = 0.5};
  CHECK(rate_at(down, 1, 9, 0) == 1);
  CHECK(rate_at(down, 1, 10, 0) == 0.5);
  CHECK(rate_at(down, 1, 29, 0) == 0.25);
  CHECK(contains(refusal([] { validate(Schedule(CosineRate{.warmup_steps = -1})); }), "warmup_steps must"));
  CHECK(contains(refusal([] { validate(Schedule(StepRate{.every = 0})); }), "every must be"));
}
