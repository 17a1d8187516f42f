// The bandwidth rules against their formulas written out as plain loops.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>

#include <likewise/error.hpp>
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double distance(const Matrix<double>& X, Index i, const Matrix<double>& Z, Index j) {
  double sum = 0;
  for (Index k = 0; k < X.cols(); ++k) sum += (X(i, k) - Z(j, k)) * (X(i, k) - Z(j, k));
  return std::sqrt(sum);
}

Matrix<double> normal_points(Index n, Index d, unsigned seed, double offset = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix<double> points(n, d);
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < d; ++k) points(i, k) = offset + normal(random);
  return points;
}

SelectedBandwidth select(const std::string& rule, const Matrix<double>& Z,
                         const BandwidthOptions& options = {}, const Metric& metric = Euclidean{},
                         const Kernel& kernel = Gaussian{}, const Execution& run = {}) {
  return select_bandwidth<double>(rule, metric, kernel, Z, options, run);
}

/// Points of which row i occurs copies[i] times, and the log weights that say the same of the rows once each.
struct Repeated {
  Matrix<double> once, repeated;
  Vector<double> log_weights;
  std::vector<Index> origin;  // of each repeated row
};
Repeated repeat(const Matrix<double>& points, unsigned seed) {
  std::mt19937 random(seed);
  Repeated result;
  result.once = points;
  result.log_weights.resize(points.rows());
  for (Index i = 0; i < points.rows(); ++i) {
    const Index copies = 1 + static_cast<Index>(random() % 3);
    result.log_weights(i) = std::log(static_cast<double>(copies));
    for (Index copy = 0; copy < copies; ++copy) result.origin.push_back(i);
  }
  result.repeated.resize(static_cast<Index>(result.origin.size()), points.cols());
  for (std::size_t m = 0; m < result.origin.size(); ++m)
    result.repeated.row(static_cast<Index>(m)) = points.row(result.origin[m]);
  return result;
}

Matrix<double> repeat_rows(const Matrix<double>& values, const std::vector<Index>& origin) {
  Matrix<double> rows(static_cast<Index>(origin.size()), values.cols());
  for (std::size_t m = 0; m < origin.size(); ++m) rows.row(static_cast<Index>(m)) = values.row(origin[m]);
  return rows;
}

}  // namespace

TEST_CASE("median is the middle of all pairwise distances", "[bandwidth]") {
  for (const Index n : {2, 3, 4, 50, 51}) {
    const Matrix<double> Z = normal_points(n, 3, 1, 1e3);
    std::vector<double> all;
    for (Index i = 0; i < n; ++i)
      for (Index j = i + 1; j < n; ++j) all.push_back(distance(Z, i, Z, j));
    std::sort(all.begin(), all.end());
    const double want = (all[(all.size() - 1) / 2] + all[all.size() / 2]) / 2;
    CHECK(select("median", Z).length == Approx(want).epsilon(1e-12));
    CHECK(select("median", Z, {}, SquaredEuclidean{}).length == Approx(want).epsilon(1e-12));
    CHECK(select("median", Z).rule == "median");
  }
}

TEST_CASE("median of many points looks at a seeded sample", "[bandwidth]") {
  const Matrix<double> Z = normal_points(3000, 2, 2);
  const double exact = select("median", Z, {.max_points = 3000}).length;
  const double sampled = select("median", Z).length;
  CHECK(sampled != exact);
  CHECK(sampled == Approx(exact).epsilon(0.05));
  CHECK(sampled == select("median", Z).length);
  CHECK(sampled != select("median", Z, {.seed = 1}).length);
}

TEST_CASE("scott and silverman scale the standard deviation per dimension", "[bandwidth]") {
  const Index n = 200, d = 3;
  const Matrix<double> Z = normal_points(n, d, 3, 1e4);
  double variance = 0;
  for (Index k = 0; k < d; ++k) {
    double mean = 0;
    for (Index i = 0; i < n; ++i) mean += Z(i, k) / n;
    for (Index i = 0; i < n; ++i) variance += (Z(i, k) - mean) * (Z(i, k) - mean) / n / d;
  }
  const double scott = std::sqrt(variance) * std::pow(n, -1.0 / 7), factor = std::pow(4.0 / 5, 1.0 / 7);
  CHECK(select("scott", Z).length == Approx(scott).epsilon(1e-10));
  CHECK(select("silverman", Z).length == Approx(factor * scott).epsilon(1e-10));

  double mean_square = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j)
      mean_square += std::pow((Z.row(i) - Z.row(j)).cwiseAbs().sum(), 2) / (n * n);
  CHECK(select("scott", Z, {}, Manhattan{}).length
        == Approx(std::sqrt(mean_square / (2 * d)) * std::pow(n, -1.0 / 7)).epsilon(1e-10));
}

TEST_CASE("bgh finds the steepest place of the kernel sum", "[bandwidth]") {
  const Matrix<double> Z = normal_points(120, 2, 4);
  const auto log_sum = [&](double length) {  // eps = length^2 / 2
    double sum = 0;
    for (Index i = 0; i < 120; ++i)
      for (Index j = 0; j < 120; ++j)
        sum += std::exp(-std::pow(distance(Z, i, Z, j), 2) / (2 * length * length));
    return std::log(sum);
  };
  const auto slope = [&](double length) {  // d log S / d log eps, eps ~ length^2
    return (log_sum(length * 1.0001) - log_sum(length / 1.0001)) / (4 * std::log(1.0001));
  };
  const SelectedBandwidth found = select("bgh", Z);
  REQUIRE(found.grid.size() == found.curve.size());
  for (std::size_t l = 0; l < found.grid.size(); l += 3)
    CHECK(found.curve[l] == Approx(slope(found.grid[l])).epsilon(1e-4).margin(1e-6));
  double best = 0;
  for (double length = 0.01; length < 10; length *= 1.01) best = std::max(best, slope(length));
  CHECK(slope(found.length) >= best * (1 - 1e-4));
  CHECK(*found.intrinsic_dimension == Approx(2 * best).epsilon(1e-3));
}

TEST_CASE("bgh measures the dimension of a circle, a sphere and a swiss roll", "[bandwidth]") {
  const Index n = 1000;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform;
  Matrix<double> circle(n, 3), roll(n, 3);
  Matrix<double> sphere = normal_points(n, 3, 6);
  sphere.rowwise().normalize();
  for (Index i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * uniform(random);
    circle.row(i) << std::cos(angle), std::sin(angle), 0;
    const double t = 1.5 * std::numbers::pi * (1 + 2 * uniform(random));
    roll.row(i) << t * std::cos(t), 21 * uniform(random), t * std::sin(t);
  }
  CHECK(*select("bgh", circle).intrinsic_dimension == Approx(1).margin(0.25));
  CHECK(*select("bgh", sphere).intrinsic_dimension == Approx(2).margin(0.25));
  CHECK(*select("bgh", roll).intrinsic_dimension == Approx(2).margin(0.3));
}

TEST_CASE("bgh on a circle of equal spacing is a ratio of Bessel functions", "[bandwidth]") {
  const Index n = 400;
  Matrix<double> circle(n, 2);
  for (Index i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    circle.row(i) << std::cos(angle), std::sin(angle);
  }
  // S ~ exp(-u) I0(u) with u = 1/(2 eps) = 1/h^2, so d log S / d log eps = u (1 - I1(u)/I0(u)), above 1/2 at
  // its top.
  const auto slope = [](double u) { return u * (1 - std::cyl_bessel_i(1, u) / std::cyl_bessel_i(0, u)); };
  const SelectedBandwidth found = select("bgh", circle);
  double best = 0;
  for (double u = 0.5; u < 5; u += 0.001) best = std::max(best, slope(u));
  CHECK(*found.intrinsic_dimension == Approx(2 * best).epsilon(1e-6));
  CHECK(slope(1 / (found.length * found.length)) == Approx(best).epsilon(1e-6));
}

TEST_CASE("self_tuning is the distance to the n-th neighbor, for points and their keys", "[bandwidth]") {
  const Matrix<double> Z = normal_points(80, 2, 7), X = normal_points(15, 2, 8);
  const auto nth = [&](const Matrix<double>& from, Index i, bool self) {
    std::vector<double> row;
    for (Index j = 0; j < 80; ++j)
      if (!self || i != j) row.push_back(distance(from, i, Z, j));
    std::sort(row.begin(), row.end());
    return row[6];
  };
  for (const Metric& metric : {Metric(Euclidean{}), Metric(SquaredEuclidean{})}) {
    const SelectedBandwidth found = select("self_tuning", Z, {}, metric);
    CHECK(found.length == 1);
    for (Index i = 0; i < 80; ++i) CHECK(found.row_scale(i) == Approx(nth(Z, i, true)).epsilon(1e-12));
    CHECK(found.row_scale == found.key_scale);
    const Vector<double> at_new = row_scales_at<double>(found, metric, Gaussian{}, X, Z).scale;
    for (Index i = 0; i < 15; ++i) CHECK(at_new(i) == Approx(nth(X, i, false)).epsilon(1e-12));
    CHECK(row_scales_at<double>(found, metric, Gaussian{}, Z, Z).scale == found.row_scale);
  }
}

TEST_CASE("eight copies of a point take the distance to the nearest other place", "[bandwidth]") {
  Matrix<double> Z = normal_points(40, 2, 9);
  for (Index i = 1; i < 8; ++i) Z.row(i) = Z.row(0);
  const SelectedBandwidth found = select("self_tuning", Z);
  CHECK(found.row_scale.minCoeff() > 0);
  const double nearest = (Z.bottomRows(32).rowwise() - Z.row(0)).rowwise().norm().minCoeff();
  for (Index i = 0; i < 8; ++i) CHECK(found.row_scale(i) == Approx(nearest).epsilon(1e-12));
  CHECK(row_scales_at<double>(found, Euclidean{}, Gaussian{}, Z, Z).scale == found.row_scale);
}

TEST_CASE("perplexity gives each row the entropy asked for", "[bandwidth]") {
  const Matrix<double> Z = normal_points(150, 3, 10), X = normal_points(9, 3, 11) / 3;
  const auto entropy = [&](const Kernel& kernel, const Matrix<double>& from, Index i, double s, bool self) {
    const bool squared = traits(kernel).input == KernelInput::squared_distance;
    std::vector<double> p;
    double mass = 0, sum = 0;
    for (Index j = 0; j < 150; ++j) {
      if (self && i == j) continue;
      const double d = distance(from, i, Z, j);
      p.push_back(weight(kernel, squared ? d * d : d, s));
      mass += p.back();
    }
    for (const double w : p)
      if (w > 0) sum -= w / mass * std::log(w / mass);
    return sum;
  };
  for (const Kernel& kernel :
       {Kernel(Gaussian{}), Kernel(Laplacian{}), Kernel(Epanechnikov{}), Kernel(Tricube{}),
        Kernel(AlphaDecay{.decay = 4}), Kernel(StudentT{.df = 40}), Kernel(Matern32{}), Kernel(Matern52{})}) {
    for (const double wanted : {5.0, 30.0, 100.0}) {
      const BandwidthOptions options{.perplexity = wanted};
      const SelectedBandwidth found = select("perplexity", Z, options, Euclidean{}, kernel);
      CHECK(found.length == 1);
      CHECK(found.key_scale.size() == 0);
      const double log_wanted = std::log(wanted);
      for (Index i = 0; i < 150; i += 7)
        CHECK(entropy(kernel, Z, i, std::sqrt(found.row_scale(i)), true) == Approx(log_wanted).epsilon(1e-9));
      const Vector<double> at_new = row_scales_at<double>(found, Euclidean{}, kernel, X, Z, options).scale;
      for (Index i = 0; i < 9; ++i)
        CHECK(entropy(kernel, X, i, std::sqrt(at_new(i)), false) == Approx(log_wanted).epsilon(1e-9));
      CHECK(row_scales_at<double>(found, Euclidean{}, kernel, Z, Z, options).scale == found.row_scale);
    }
  }
}

TEST_CASE("a perplexity is below the number of other points, and 30 or a third of them where none is given",
          "[bandwidth]") {
  const Matrix<double> Z = normal_points(40, 3, 10);
  CHECK(refusal([&] { select("perplexity", Z, {.perplexity = 39}); }).find("other points (39)")
        != std::string::npos);
  CHECK(select("perplexity", Z)
            .row_scale.isApprox(select("perplexity", Z, {.perplexity = 13}).row_scale, 1e-9));
}

TEST_CASE("an entropy that a heavy tail never falls to ends with a finite scale", "[bandwidth]") {
  const Matrix<double> Z = normal_points(60, 20, 12);
  const SelectedBandwidth found = select("perplexity", Z, {.perplexity = 2}, Euclidean{}, StudentT{});
  CHECK(found.row_scale.allFinite());
  CHECK(found.row_scale.minCoeff() > 0);
}

TEST_CASE("scott and silverman count the effective number of points", "[bandwidth]") {
  const Matrix<double> Z = normal_points(50, 2, 33);
  const Vector<double> w = (normal_points(50, 1, 34).array().abs() + 0.1).matrix();
  const double total = w.sum(), effective = total * total / w.squaredNorm();
  double variance = 0;
  for (Index k = 0; k < 2; ++k) {
    const double mean = w.dot(Z.col(k)) / total;
    variance += w.dot((Z.col(k).array() - mean).square().matrix()) / total / 2;
  }
  const double scott = std::sqrt(variance) * std::pow(effective, -1.0 / 6);
  for (const double unit : {1.0, 1e-6, 1e9}) {
    const BandwidthOptions weights{.log_key_weights = (unit * w).array().log()};
    CHECK(select("scott", Z, weights).length == Approx(scott).epsilon(1e-10));
    CHECK(select("silverman", Z, weights).length == Approx(scott).epsilon(1e-10));  // 4/(d+2) = 1
  }
}

TEST_CASE("a weight of 2 equals the row twice, in every rule that counts points", "[bandwidth]") {
  const Repeated points = repeat(normal_points(60, 2, 13), 14);
  for (const std::string rule : {"median", "bgh"}) {
    const double weighted = select(rule, points.once, {.log_key_weights = points.log_weights}).length;
    // The top of bgh's curve is flat: half the digits.
    const double digits = rule == "bgh" ? 1e-5 : 1e-9;
    CHECK(weighted == Approx(select(rule, points.repeated).length).epsilon(digits));
    CHECK(weighted != Approx(select(rule, points.once).length).epsilon(1e-4));
  }
  for (const std::string rule : {"self_tuning", "perplexity"}) {
    const BandwidthOptions weights{.log_key_weights = points.log_weights, .perplexity = 8};
    const Vector<double> weighted = select(rule, points.once, weights).row_scale;
    const Vector<double> repeated = select(rule, points.repeated, {.perplexity = 8}).row_scale;
    for (std::size_t m = 0; m < points.origin.size(); ++m)
      CHECK(weighted(points.origin[m]) == Approx(repeated(static_cast<Index>(m))).epsilon(1e-9));
  }
}

TEST_CASE("a key of weight 0 is not there", "[bandwidth]") {
  const Matrix<double> Z = normal_points(50, 2, 15);
  Matrix<double> padded(60, 2);
  padded << Z, normal_points(10, 2, 16, 50);
  Vector<double> log_weights = Vector<double>::Zero(60);
  log_weights.tail(10).setConstant(-infinity);
  const BandwidthOptions options{.log_key_weights = log_weights};
  for (const std::string rule : {"median", "scott", "silverman", "bgh"})
    CHECK(select(rule, padded, options).length == Approx(select(rule, Z).length).epsilon(1e-10));
  for (const std::string rule : {"self_tuning", "perplexity"}) {
    const Vector<double> scales = select(rule, padded, options).row_scale.head(50);
    CHECK(scales.isApprox(select(rule, Z).row_scale, 1e-10));
  }
}

TEST_CASE("two points are enough; in one place any length is as good", "[bandwidth]") {
  Matrix<double> two(2, 1);
  two << 0, 3;
  CHECK(select("median", two).length == 3);
  for (const std::string rule : {"scott", "silverman", "bgh"}) CHECK(select(rule, two).length > 0);
  CHECK(select("self_tuning", two).row_scale == Vector<double>::Constant(2, 3));
  CHECK(select("perplexity", two).row_scale == Vector<double>::Constant(2, 9));
  for (const Index n : {1, 5, 20}) {
    const Matrix<double> same = Matrix<double>::Constant(n, 2, 0.3);
    for (const std::string rule : {"median", "scott", "silverman", "bgh"})
      CHECK(select(rule, same).length == 1);
    for (const std::string rule : {"self_tuning", "perplexity"})
      CHECK(select(rule, same).row_scale == Vector<double>::Ones(n));
    CHECK(loo_bandwidth<double>({.metric = Euclidean{}}, same, same, LooLoss::squared_error).length == 1);
  }
}

TEST_CASE("precomputed distances and float32 give the same lengths", "[bandwidth]") {
  const Matrix<double> Z = normal_points(70, 3, 17);
  Matrix<double> costs(70, 70);
  for (Index i = 0; i < 70; ++i)
    for (Index j = 0; j < 70; ++j) costs(i, j) = distance(Z, i, Z, j);
  for (const std::string rule : {"median", "bgh"})
    CHECK(select(rule, costs, {}, Precomputed{}).length == Approx(select(rule, Z).length).epsilon(1e-9));
  CHECK(
      select("self_tuning", costs, {}, Precomputed{}).row_scale.isApprox(select("self_tuning", Z).row_scale));
  CHECK(select("perplexity", costs, {}, Precomputed{}).row_scale.isApprox(select("perplexity", Z).row_scale));
  const Matrix<float> single = Z.cast<float>();
  CHECK(select_bandwidth<float>("median", Euclidean{}, Gaussian{}, single).length
        == Approx(select("median", Z).length).epsilon(1e-6));
}

TEST_CASE("what a rule cannot do is refused by name", "[bandwidth]") {
  const Matrix<double> Z = normal_points(20, 2, 18);
  const auto refused = [&](const std::string& rule, const Metric& metric, const Kernel& kernel = Gaussian{}) {
    return refusal([&] { select(rule, Z, {}, metric, kernel); });
  };
  CHECK(contains(refused("loo", Euclidean{}), "bandwidth"));
  CHECK(contains(refused("widest", Euclidean{}), "'median'"));
  CHECK(contains(refused("median", DotProduct{}), "a distance"));
  CHECK(contains(refused("perplexity", Euclidean{}, Exponential{}), "kernel must be"));
  CHECK(contains(refusal([&] { select("perplexity", Z, {.perplexity = 1}); }), "perplexity"));
  CHECK(contains(refusal([&] { select("self_tuning", Z, {.n_neighbors = 0}); }), "n_neighbors"));
  CHECK(contains(refusal([&] { select("median", Z, {.log_key_weights = Vector<double>::Zero(3)}); }),
                 "log_key_weights"));
  const Vector<double> nothing = Vector<double>::Constant(20, -infinity);
  CHECK(contains(refusal([&] { select("median", Z, {.log_key_weights = nothing}); }), "log_key_weights"));
}

TEST_CASE("rules do not depend on the number of threads", "[bandwidth]") {
  const Matrix<double> Z = normal_points(500, 4, 19);
  for (const std::string rule : {"median", "scott", "silverman", "bgh", "self_tuning", "perplexity"}) {
    const auto one = select(rule, Z, {}, Euclidean{}, Gaussian{}, Execution{.n_jobs = 1});
    CHECK(one == select(rule, Z, {}, Euclidean{}, Gaussian{}, Execution{.n_jobs = 3}));
  }
}

TEST_CASE("operators take the rules' scales", "[bandwidth]") {
  const Matrix<double> Z = normal_points(60, 2, 29);
  Mechanism m{.metric = Euclidean{}, .kernel = Gaussian{"perplexity"}, .support = LeaveOneOut{}};
  const Matrix<double> P = m.self_operator(Z).dense();
  for (Index i = 0; i < 60; ++i) {
    double entropy = 0;
    for (Index j = 0; j < 60; ++j)
      if (P(i, j) > 0) entropy -= P(i, j) * std::log(P(i, j));
    CHECK(entropy == Approx(std::log(59.0 / 3)).epsilon(1e-6));
  }

  m = {.metric = Euclidean{}, .kernel = Gaussian{"self_tuning"}, .normalization = Unnormalized{}};
  const auto K = m.self_operator(Z);
  const Matrix<double> weights = K.dense();
  const Vector<double> s = select("self_tuning", Z).row_scale;
  for (Index i = 0; i < 60; ++i)
    for (Index j = 0; j < 60; ++j)
      CHECK(weights(i, j)
            == Approx(std::exp(-std::pow(distance(Z, i, Z, j), 2) / (2 * s(i) * s(j))))
                   .epsilon(1e-9)
                   .margin(1e-14));
  CHECK(K.at(Z).dense().isApprox(weights, 1e-12));
}

// --- loo

namespace {

struct Task {
  Matrix<double> Z, Y;
};
Task sine(Index n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 6);
  std::normal_distribution<double> noise(0, 0.3);
  Task task{Matrix<double>(n, 1), Matrix<double>(n, 2)};
  for (Index i = 0; i < n; ++i) {
    task.Z(i, 0) = uniform(random);
    task.Y(i, 0) = std::sin(task.Z(i, 0)) + noise(random);
    task.Y(i, 1) = std::cos(task.Z(i, 0)) + noise(random);
  }
  return task;
}

using PairWeight = std::function<double(Index i, Index j)>;
/// Leave-one-out loss by plain loops; weights of pairs include key weights, of which min(1, w) of the point itself is left
/// out. Empty rows take the nearest key.
double plain_loo(const Task& task, const PairWeight& weight, const PairWeight& cost, LooLoss loss,
                 const Vector<double>& counts) {
  double total = 0;
  const Index n = task.Z.rows();
  for (Index i = 0; i < n; ++i) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(task.Y.cols());
    double mass = 0, least = infinity;
    Index nearest = 0;
    for (Index j = 0; j < n; ++j) {
      const double kept = i == j ? 1 - std::min(1.0, 1 / counts(i)) : 1;
      if (kept == 0) continue;
      const double w = kept * weight(i, j);
      mass += w;
      sum += w * task.Y.row(j);
      if (cost(i, j) < least && counts(j) > 0) {
        least = cost(i, j);
        nearest = j;
      }
    }
    const Eigen::RowVectorXd mean = mass > 0 ? Eigen::RowVectorXd(sum / mass) : task.Y.row(nearest);
    const double lost =
        loss == LooLoss::squared_error
            ? (task.Y.row(i) - mean).squaredNorm() / static_cast<double>(task.Y.cols())
            : -std::log(std::max(task.Y.row(i).dot(mean), std::numeric_limits<double>::epsilon()));
    total += counts(i) * lost;
  }
  return total / counts.sum();
}

double plain_loo(const Task& task, const Kernel& kernel, double h, LooLoss loss = LooLoss::squared_error,
                 Vector<double> counts = {}) {
  if (counts.size() == 0) counts = Vector<double>::Ones(task.Z.rows());
  const bool squared = traits(kernel).input == KernelInput::squared_distance;
  const auto cost = [&](Index i, Index j) { return distance(task.Z, i, task.Z, j); };
  const auto pair = [&](Index i, Index j) {
    const double d = cost(i, j);
    return counts(j) * weight(kernel, squared ? d * d : d, h);
  };
  return plain_loo(task, pair, cost, loss, counts);
}

SelectedBandwidth loo(const Mechanism& mechanism, const Task& task, LooLoss loss = LooLoss::squared_error,
                      const BandwidthOptions& options = {}, const Execution& run = {}) {
  return loo_bandwidth<double>(mechanism, task.Z, task.Y, loss, options, run);
}

void check_loo(const SelectedBandwidth& found, const std::function<double(double)>& plain) {
  CHECK(found.rule == "loo");
  REQUIRE(found.grid.size() == found.curve.size());
  for (std::size_t l = 0; l < found.grid.size(); ++l)
    CHECK(found.curve[l] == Approx(plain(found.grid[l])).epsilon(1e-9).margin(1e-13));
  double best = infinity;
  for (double h = found.grid.front(); h < found.grid.back(); h *= 1.02) best = std::min(best, plain(h));
  CHECK(plain(found.length) <= best * (1 + 1e-3));
}

}  // namespace

TEST_CASE("loo finds the least leave-one-out error of several targets", "[bandwidth][loo]") {
  const Task task = sine(80, 20);
  // StudentT's and the compact kernels' small lengths leave no weight to underflow: plain loops can follow.
  for (const Kernel& kernel : {Kernel(Epanechnikov{}), Kernel(Tricube{}), Kernel(StudentT{.df = 3}),
                               Kernel(Indicator{.bandwidth = "loo"})}) {
    const SelectedBandwidth found = loo({.metric = Euclidean{}, .kernel = kernel}, task);
    const Kernel numbered = with_bandwidth(kernel, Bandwidth(1.0));
    check_loo(found, [&](double h) { return plain_loo(task, numbered, h); });
  }
}

TEST_CASE("loo of a Gaussian does not underflow: a narrow one hears its nearest key", "[bandwidth][loo]") {
  Task task = sine(80, 21);
  task.Z(0, 0) = 60;  // far away: its weights are 0 in float64 at most lengths, their ratios are not
  const SelectedBandwidth found = loo({.metric = SquaredEuclidean{}, .kernel = Gaussian{}}, task);
  const auto cost = [&](Index i, Index j) { return distance(task.Z, i, task.Z, j); };
  std::vector<double> nearest(80, infinity);
  for (Index i = 0; i < 80; ++i)
    for (Index j = 0; j < 80; ++j)
      if (i != j)
        nearest[static_cast<std::size_t>(i)] = std::min(nearest[static_cast<std::size_t>(i)], cost(i, j));
  const auto plain = [&](double h) {
    const auto pair = [&](Index i, Index j) {
      return std::exp((std::pow(nearest[static_cast<std::size_t>(i)], 2) - std::pow(cost(i, j), 2))
                      / (2 * h * h));
    };
    return plain_loo(task, pair, cost, LooLoss::squared_error, Vector<double>::Ones(80));
  };
  for (std::size_t l = 0; l < found.grid.size(); ++l)
    CHECK(found.curve[l] == Approx(plain(found.grid[l])).epsilon(1e-6));
  double best = infinity;
  for (double h = found.grid.front(); h < 6; h *= 1.01) best = std::min(best, plain(h));
  CHECK(plain(found.length) <= best * (1 + 1e-4));
}

TEST_CASE("loo by log loss of classes", "[bandwidth][loo]") {
  Task task{normal_points(90, 2, 22), Matrix<double>::Zero(90, 3)};
  for (Index i = 0; i < 90; ++i) {
    task.Y(i, i % 3) = 1;
    task.Z(i, 0) += 1.5 * static_cast<double>(i % 3);
  }
  const SelectedBandwidth found =
      loo({.metric = Euclidean{}, .kernel = StudentT{.df = 5}}, task, LooLoss::log_loss);
  check_loo(found, [&](double h) { return plain_loo(task, StudentT{.df = 5}, h, LooLoss::log_loss); });
  const SelectedBandwidth compact =
      loo({.metric = Euclidean{}, .kernel = Tricube{}}, task, LooLoss::log_loss);
  check_loo(compact, [&](double h) { return plain_loo(task, Tricube{}, h, LooLoss::log_loss); });
}

TEST_CASE("loo counts a weight of 2 as the row twice and leaves out one of them", "[bandwidth][loo]") {
  const Task task = sine(60, 23);
  const Repeated points = repeat(task.Z, 24);
  const Task twice{points.repeated, repeat_rows(task.Y, points.origin)};
  const Vector<double> counts = points.log_weights.array().exp();
  for (const Mechanism& m :
       {Mechanism{.metric = Euclidean{}, .kernel = Gaussian{}},
        Mechanism{.metric = Euclidean{}, .kernel = Epanechnikov{}},
        Mechanism{.metric = Euclidean{}, .kernel = Gaussian{}, .support = Radius{0.8}}}) {
    const SelectedBandwidth weighted =
        loo(m, task, LooLoss::squared_error, {.log_key_weights = points.log_weights});
    const SelectedBandwidth repeated = loo(m, twice);
    CHECK(weighted.length == Approx(repeated.length).epsilon(1e-5));
    REQUIRE(weighted.curve.size() == repeated.curve.size());
    for (std::size_t l = 0; l < weighted.curve.size(); ++l)
      CHECK(weighted.curve[l] == Approx(repeated.curve[l]).epsilon(1e-7));
  }
  const SelectedBandwidth found = loo({.metric = Euclidean{}, .kernel = Epanechnikov{}}, task,
                                      LooLoss::squared_error, {.log_key_weights = points.log_weights});
  check_loo(found,
            [&](double h) { return plain_loo(task, Epanechnikov{}, h, LooLoss::squared_error, counts); });
}

TEST_CASE("loo among the nearest others", "[bandwidth][loo]") {
  const Task task = sine(70, 25);
  const auto cost = [&](Index i, Index j) { return distance(task.Z, i, task.Z, j); };
  const Index k = 9;
  Matrix<bool> near = Matrix<bool>::Zero(70, 70);
  for (Index i = 0; i < 70; ++i) {
    std::vector<std::pair<double, Index>> row;
    for (Index j = 0; j < 70; ++j)
      if (i != j) row.emplace_back(cost(i, j), j);
    std::sort(row.begin(), row.end());
    for (Index m = 0; m < k; ++m) near(i, row[static_cast<std::size_t>(m)].second) = true;
  }
  const Kernel kernel = StudentT{.df = 4};
  const auto plain = [&](double h) {
    const auto pair = [&](Index i, Index j) {
      return near(i, j) ? weight(kernel, std::pow(cost(i, j), 2), h) : 0.0;
    };
    return plain_loo(task, pair, cost, LooLoss::squared_error, Vector<double>::Ones(70));
  };
  check_loo(loo({.metric = Euclidean{}, .kernel = kernel, .support = Neighbors{.n_neighbors = k}}, task),
            plain);
  check_loo(
      loo({.metric = SquaredEuclidean{}, .kernel = kernel, .support = Neighbors{.n_neighbors = k}}, task),
      plain);
}

TEST_CASE("loo finds a temperature of scores", "[bandwidth][loo]") {
  Task task{normal_points(60, 3, 26), Matrix<double>(60, 1)};
  task.Y = task.Z.leftCols(1).array().tanh();
  const auto score = [&](Index i, Index j) { return -task.Z.row(i).dot(task.Z.row(j)); };
  const auto plain = [&](double t) {
    const auto pair = [&](Index i, Index j) { return std::exp(-score(i, j) / t); };
    return plain_loo(task, pair, score, LooLoss::squared_error, Vector<double>::Ones(60));
  };
  const SelectedBandwidth found = loo({.metric = DotProduct{}, .kernel = Exponential{}}, task);
  double best = infinity;
  for (double t = 0.1; t < 100; t *= 1.01) best = std::min(best, plain(t));
  CHECK(plain(found.length) <= best * (1 + 1e-4));

  const SelectedBandwidth gaussian = loo({.metric = Euclidean{}, .kernel = Gaussian{}}, task);
  const SelectedBandwidth squares = loo({.metric = SquaredEuclidean{}, .kernel = Exponential{}}, task);
  CHECK(squares.length == Approx(2 * gaussian.length * gaussian.length).epsilon(0.02));
}

TEST_CASE("loo shrinks by the null mass, with every filter, on any number of threads", "[bandwidth][loo]") {
  const Task task = sine(50, 27);
  const auto cost = [&](Index i, Index j) { return distance(task.Z, i, task.Z, j); };
  Task shrunk = task;
  const Mechanism m{.metric = Euclidean{}, .kernel = StudentT{.df = 2}, .normalization = RowStochastic{2.0}};
  const SelectedBandwidth found = loo(m, shrunk);
  for (std::size_t l = 0; l < found.grid.size(); l += 4) {
    double total = 0;
    for (Index i = 0; i < 50; ++i) {
      double mass = 2;
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(2);
      for (Index j = 0; j < 50; ++j) {
        if (i == j) continue;
        const double w = weight(StudentT{.df = 2}, std::pow(cost(i, j), 2), found.grid[l]);
        mass += w;
        sum += w * task.Y.row(j);
      }
      total += (task.Y.row(i) - sum / mass).squaredNorm() / 2;
    }
    CHECK(found.curve[l] == Approx(total / 50).epsilon(1e-10));
  }
  const Mechanism causal{.metric = Euclidean{}, .kernel = Gaussian{}, .support = Causal{}};
  const SelectedBandwidth one = loo(causal, task, LooLoss::squared_error, {}, Execution{.n_jobs = 1});
  CHECK(one == loo(causal, task, LooLoss::squared_error, {}, Execution{.n_jobs = 3}));
  // Distances kept or computed again give the same answer, to rounding.
  const SelectedBandwidth again =
      loo(causal, task, LooLoss::squared_error, {}, Execution{.n_jobs = 1, .memory_limit = 1000});
  CHECK(again.grid == one.grid);
  for (std::size_t l = 0; l < one.curve.size(); ++l)
    CHECK(again.curve[l] == Approx(one.curve[l]).epsilon(1e-10));
  CHECK(again.length == Approx(one.length).epsilon(1e-5));
  CHECK(loo({.metric = Euclidean{}, .kernel = Gaussian{}}, task)
        == loo({.metric = Euclidean{}, .kernel = Gaussian{}, .support = LeaveOneOut{}}, task));
}

TEST_CASE("loo of other normalizations asks operators", "[bandwidth][loo]") {
  const Task task = sine(40, 30);
  const auto cost = [&](Index i, Index j) { return distance(task.Z, i, task.Z, j); };
  const auto plain = [&](double h) {  // alpha = 1: keys divided by their kernel sum over the others
    const auto w = [&](Index i, Index j) {
      return i == j ? 0.0 : weight(StudentT{.df = 2}, std::pow(cost(i, j), 2), h);
    };
    Vector<double> density = Vector<double>::Zero(40);
    for (Index i = 0; i < 40; ++i)
      for (Index j = 0; j < 40; ++j) density(i) += w(i, j);
    const auto pair = [&](Index i, Index j) { return w(i, j) / density(j); };
    return plain_loo(task, pair, cost, LooLoss::squared_error, Vector<double>::Ones(40));
  };
  const SelectedBandwidth found =
      loo({.metric = Euclidean{}, .kernel = StudentT{.df = 2}, .normalization = Density{1}}, task);
  for (std::size_t l = 0; l < found.grid.size(); l += 4)
    CHECK(found.curve[l] == Approx(plain(found.grid[l])).epsilon(1e-9));
  for (std::size_t l = 0; l < found.grid.size(); ++l)
    CHECK(plain(found.length) <= found.curve[l] * (1 + 1e-9));
}

TEST_CASE("what loo cannot do is refused by name", "[bandwidth][loo]") {
  const Task task = sine(20, 28);
  const auto refused = [](const Mechanism& m, const Task& of) { return refusal([&] { loo(m, of); }); };
  CHECK(contains(refused({.kernel = InverseDistance{}}, task), "kernel must be"));
  CHECK(contains(refused({.metric = DotProduct{}}, task), "metric must be"));
  CHECK(contains(refused({}, {task.Z, task.Y.topRows(3)}), "Y must be"));
}

TEST_CASE("loo: a weight that is no number beside the others does not become the only one",
          "[bandwidth][loo]") {
  const Task task = sine(30, 31);
  const Mechanism m{.metric = Euclidean{}, .kernel = Gaussian{}};
  Vector<double> log_weights = Vector<double>::Zero(30);
  log_weights(7) = -800;  // exp is 0, and it is the nearest key of some point
  const SelectedBandwidth found = loo(m, task, LooLoss::squared_error, {.log_key_weights = log_weights});
  for (const double loss : found.curve) CHECK(std::isfinite(loss));
}
