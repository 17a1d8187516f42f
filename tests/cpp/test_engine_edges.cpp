// The fused loop at the edges of its tiles, of the numbers and of the masks, against plain double loops.
#include <cmath>
#include <limits>

#include <likewise/simd_target.hpp>

#include "catch.hpp"
#include "engine/exp_sum.hpp"
#include "operator/tile_weights.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Case {
  Metric metric;
  Kernel kernel;
};

/// log K by definition, -inf where not admitted.
template <class T>
Matrix<double> log_kernel(const Case& c, const PairFilters& filters, const Matrix<T>& X, const Matrix<T>& Z) {
  const MetricTraits laws = traits(c.metric);
  const int power = engine::unit_power(laws, unit_of(traits(c.kernel).input));
  const double scale = scale_of(c.kernel);
  Matrix<double> K(X.rows(), Z.rows());
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < Z.rows(); ++j) {
      const RowRef<double> x = X.row(i).template cast<double>(), z = Z.row(j).template cast<double>();
      const double cost = std::visit(
          [&](const auto& leaf) {
            if constexpr (PointCost<std::decay_t<decltype(leaf)>>) return leaf.template cost<double>(x, z);
            return 0.0;
          },
          c.metric);
      Matrix<double> one =
          Matrix<double>::Constant(1, 1, engine::convert_power(cost, laws.distance_power, power));
      log_weights<double>(c.kernel, one, scale);
      K(i, j) = filters.empty() || filters.admits(i, j) ? one(0, 0) : -infinity;
    }
  return K;
}

/// Rows of `part` against sum_j exp(logs_ij + bias_j) [1, v_j], relative to the row's mass and its largest value.
template <class T>
double row_error(const Partial<T>& part, const Matrix<double>& logs, const Vector<double>& bias,
                 const Values<T>& V) {
  double worst = 0;
  for (Index i = 0; i < logs.rows(); ++i) {
    const Eigen::ArrayXd e = logs.row(i).transpose().array() + bias.array();
    const double top = e.size() ? e.maxCoeff() : -infinity;
    if (top == -infinity) {
      const bool empty =
          part.mass(i) == 0 && part.log_reference(i) == -infinity && (part.sum.row(i).array() == T(0)).all();
      worst = std::max(worst, empty ? 0.0 : infinity);
      continue;
    }
    const Eigen::ArrayXd w = (e - top).exp();
    const double scale = std::exp(part.log_reference(i) - top), mass = w.sum();
    worst = std::max(worst, std::fabs(scale * part.mass(i) / mass - 1));
    for (Index c = 0; c < V.cols(); ++c) {
      const Eigen::ArrayXd v = V.col(c).template cast<double>();
      worst = std::max(worst, std::fabs(scale * double(part.sum(i, c)) - (w * v).sum())
                                  / (mass * (1 + v.abs().maxCoeff())));
    }
  }
  return worst;
}

/// Relative to a row's mass, which of a compact kernel may be what rounding leaves near its edge.
template <class T> double tolerance(const Kernel& kernel) {
  return (std::is_same_v<T, float> ? 1e-5 : 1e-12) * (traits(kernel).compact ? 100 : 1);
}

/// Both orientations of one case, one thread against the loops and three against one.
template <class T>
void check(const Case& c, const PairFilters& filters, const Matrix<T>& X, const Matrix<T>& Z, Index columns,
           const Vector<double>& key_bias) {
  const auto K = make_tile_weights<T>(c.metric, {c.kernel, scale_of(c.kernel)}, filters, X, Z);
  const Matrix<double> logs = log_kernel(c, filters, X, Z);
  const Matrix<T> V = normal_matrix(Z.rows(), columns, 3).template cast<T>(),
                  W = normal_matrix(X.rows(), columns, 4).template cast<T>();
  const Vector<double> query_bias = normal_matrix(X.rows(), 1, 6);
  const Partial<T> part = engine::exp_sum<T>(*K, key_bias, V, {.n_jobs = 1});
  CHECK(row_error<T>(part, logs, key_bias, V) < tolerance<T>(c.kernel));
  CHECK(row_error<T>(engine::exp_sum_transposed<T>(*K, query_bias, W, {.n_jobs = 1}), logs.transpose(),
                     query_bias, W)
        < tolerance<T>(c.kernel));
  const Partial<T> threads = engine::exp_sum<T>(*K, key_bias, V, {.n_jobs = 3});
  CHECK((threads.mass.array() == part.mass.array()).all());
  CHECK((threads.sum.array() == part.sum.array()).all());
}

PairFilters filters_of(int which, Index n, Index m) {
  if (which == 1) return {Causal{}, {n, m}};
  if (which == 2) return {Mask{BoolMatrix((normal_matrix(n, m, 9).array() > 0.3).matrix())}, {n, m}};
  return {};
}

}  // namespace

TEMPLATE_TEST_CASE("sums around every tile edge, masks in both orientations", "[engine]", float, double) {
  using T = TestType;
  const Case cases[] = {{SquaredEuclidean{}, Gaussian{1.3}},
                        {DotProduct{}, Exponential{2.0}},
                        {Euclidean{}, StudentT{1.0, 2}},
                        {Manhattan{}, Laplacian{2.0}},
                        {Chebyshev{}, Epanechnikov{1.5}}};
  const Index columns[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17}, widths[] = {1, 2, 3, 5, 8, 16, 17};
  std::size_t turn = 0;
  for (const Index n : {1, 2, 23, 24, 25, 47, 48, 49, 97})
    for (const Index m : {1, 7, 8, 9, 63, 64, 65, 129})
      for (int which = 0; which < 3; ++which, ++turn) {
        if (which == 1 && n != m && n > m) continue;  // causal needs a key for each query
        const Index d = widths[turn % 7], c = columns[turn % 12];
        INFO(n << " x " << m << ", " << d << " features, " << c << " columns, filter " << which);
        const Matrix<T> X = normal_matrix(n, d, 1).template cast<T>(),
                        Z = normal_matrix(m, d, 2).template cast<T>();
        check<T>(cases[turn % 5], filters_of(which, n, m), X, Z, c, normal_matrix(m, 1, 5));
      }
}

TEMPLATE_TEST_CASE("keys of bias -inf are not there", "[engine]", float, double) {
  using T = TestType;
  const Matrix<T> X = normal_matrix(60, 4, 1).template cast<T>(),
                  Z = normal_matrix(200, 4, 2).template cast<T>();
  for (const Case& c : {Case{SquaredEuclidean{}, Gaussian{1.0}}, Case{Manhattan{}, Laplacian{1.0}}})
    for (const Index columns : {0, 1, 3}) {
      Vector<double> bias = normal_matrix(200, 1, 5);
      bias.segment(0, 64).setConstant(-infinity);  // the first tile, and later ones
      check<T>(c, {}, X, Z, columns, bias);
      bias.segment(128, 64).setConstant(-infinity);
      check<T>(c, {}, X, Z, columns, bias);
      bias.setConstant(-infinity);
      check<T>(c, {}, X, Z, columns, bias);
    }
}

TEMPLATE_TEST_CASE("rows whose keys are all masked have no mass", "[engine]", float, double) {
  using T = TestType;
  const Matrix<T> X = normal_matrix(70, 4, 1).template cast<T>(),
                  Z = normal_matrix(90, 4, 2).template cast<T>();
  BoolMatrix admitted = (normal_matrix(70, 90, 9).array() > 0).matrix();
  admitted.row(0).setConstant(false);
  admitted.middleRows(40, 20).setConstant(false);
  admitted.middleCols(64, 26).setConstant(false);
  for (const Case& c : {Case{SquaredEuclidean{}, Gaussian{1.0}}, Case{Euclidean{}, Tricube{2.0}}})
    for (const Index columns : {0, 1, 4})
      check<T>(c, {Mask{admitted}, {70, 90}}, X, Z, columns, Vector<double>::Zero(90));
}

TEMPLATE_TEST_CASE("logits to +-1e4 and temperatures from 1e-6 to 1e6", "[engine]", float, double) {
  using T = TestType;
  Matrix<T> Q = normal_matrix(50, 8, 1).template cast<T>(), K = normal_matrix(130, 8, 2).template cast<T>();
  const Matrix<T> V = normal_matrix(130, 3, 3).template cast<T>();
  for (const double t : {1e-6, 1e-4, 1e-2, 1.0, 1e3, 1e6}) {
    INFO("temperature " << t);
    for (const Metric& metric : {Metric{DotProduct{}}, Metric{SquaredEuclidean{}}}) {
      const Case c{metric, Exponential{t}};
      const auto W = make_tile_weights<T>(metric, {c.kernel, t}, {}, Q, K);
      const Partial<T> part = engine::exp_sum<T>(*W, Vector<double>::Zero(130), V, {.n_jobs = 1});
      const Matrix<double> logs = log_kernel<T>(c, {}, Q, K);
      CHECK(part.sum.allFinite());
      for (Index i = 0; i < 50; ++i) {  // softmaxes, whose exponents are known to epsilon times the largest
        const Eigen::ArrayXd w = (logs.row(i).array() - logs.row(i).maxCoeff()).exp().transpose();
        const Matrix<double> want = (w.matrix().transpose() * V.template cast<double>()) / w.sum();
        const double size = logs.row(i).cwiseAbs().maxCoeff();
        const double error =
            (part.sum.row(i).template cast<double>() / part.mass(i) - want.row(0)).cwiseAbs().maxCoeff();
        CHECK(error < 20 * (double(std::numeric_limits<T>::epsilon()) + size * 1e-15));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a point far from all others hears its nearest key", "[engine]", float, double) {
  using T = TestType;
  Matrix<T> X = normal_matrix(50, 3, 1).template cast<T>();
  const Matrix<T> Z = normal_matrix(130, 3, 2).template cast<T>();
  X.row(7).setConstant(T(1e4));
  const Matrix<T> V = normal_matrix(130, 1, 3).template cast<T>();
  const auto K = make_tile_weights<T>(SquaredEuclidean{}, {Gaussian{1.0}, 1.0}, {}, X, Z);
  const Partial<T> part = engine::exp_sum<T>(*K, Vector<double>::Zero(130), V, {.n_jobs = 1});
  Index nearest = 0;
  (Z.template cast<double>().rowwise() - X.row(7).template cast<double>())
      .rowwise()
      .squaredNorm()
      .minCoeff(&nearest);
  CHECK(part.mass(7) > 0);
  CHECK(double(part.sum(7, 0)) / part.mass(7) == Approx(double(V(nearest, 0))).epsilon(1e-4));
}

TEMPLATE_TEST_CASE("a point set with itself: each weight serves both of its points", "[engine]", float,
                   double) {
  using T = TestType;
  const Case c{SquaredEuclidean{}, Gaussian{3.0}};
  for (const std::string& name : simd_targets()) {
    const OnTarget target(name);
    // 6 blocks of 3 panels are the least: 864 points of float with AVX-512, 54 on the portable target.
    const Index n = name == "SCALAR" ? 71 : 1003;
    for (const Index columns : {0, 1, 2, 17, 47, 49}) {
      INFO(name << ", " << columns << " columns");
      const Matrix<T> X = normal_matrix(n, columns > 1 ? 48 : 3, 1).template cast<T>();
      check<T>(c, {}, X, X, columns, normal_matrix(n, 1, 5));
      Vector<double> wide = normal_matrix(n, 1, 5);
      wide(n / 2) = -50;  // beyond 2^60 below the others: no common reference
      check<T>(c, {}, X, X, columns, wide);
    }
  }
}
