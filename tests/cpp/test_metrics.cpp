// Every metric leaf against its definition, and every law it declares, on random points.
#include <likewise/error.hpp>

#include "catch.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

using Row = Eigen::RowVectorXd;

// The definitions, written out.
double defined(const SquaredEuclidean&, const Row& x, const Row& z) {
  double sum = 0;
  for (Index k = 0; k < x.size(); ++k) sum += (x(k) - z(k)) * (x(k) - z(k));
  return sum;
}
double defined(const Euclidean&, const Row& x, const Row& z) {
  return std::sqrt(defined(SquaredEuclidean{}, x, z));
}
double defined(const Mahalanobis& m, const Row& x, const Row& z) {
  const Eigen::MatrixXd M = m.factor->transpose() * *m.factor;
  double sum = 0;
  for (Index k = 0; k < x.size(); ++k)
    for (Index l = 0; l < x.size(); ++l) sum += (x(k) - z(k)) * M(k, l) * (x(l) - z(l));
  return sum;
}
double defined(const Cosine&, const Row& x, const Row& z) {
  double xz = 0, xx = 0, zz = 0;
  for (Index k = 0; k < x.size(); ++k) xz += x(k) * z(k), xx += x(k) * x(k), zz += z(k) * z(k);
  return 1 - xz / std::sqrt(xx * zz);
}
double defined(const Minkowski& m, const Row& x, const Row& z) {
  double sum = 0, largest = 0;
  for (Index k = 0; k < x.size(); ++k) {
    sum += std::pow(std::fabs(x(k) - z(k)), m.p);
    largest = std::fmax(largest, std::fabs(x(k) - z(k)));
  }
  return std::isinf(m.p) ? largest : std::pow(sum, 1 / m.p);
}
double defined(const Manhattan&, const Row& x, const Row& z) { return defined(Minkowski{1}, x, z); }
double defined(const Chebyshev&, const Row& x, const Row& z) {
  return defined(Minkowski{std::numeric_limits<double>::infinity()}, x, z);
}
double defined(const DotProduct&, const Row& x, const Row& z) {
  double sum = 0;
  for (Index k = 0; k < x.size(); ++k) sum += x(k) * z(k);
  return -sum;
}
double defined(const Bilinear& m, const Row& x, const Row& z) {
  double sum = 0;
  for (Index r = 0; r < m.query_factor->rows(); ++r) {
    double qx = 0, kz = 0;
    for (Index k = 0; k < x.size(); ++k)
      qx += (*m.query_factor)(r, k) * x(k), kz += (*m.key_factor)(r, k) * z(k);
    sum += qx * kz;
  }
  return -sum;
}
double activated(const std::string& activation, double slope, double s) {
  if (activation == "abs") return std::fabs(s);
  if (activation == "tanh") return std::tanh(s);
  return s > 0 ? s : slope * s;
}
double defined(const Additive& m, const Row& x, const Row& z) {
  double sum = 0;
  for (Index k = 0; k < x.size(); ++k) sum += (*m.a_query)(k)*x(k) + (*m.a_key)(k)*z(k);
  return -activated(m.activation, m.slope, sum);
}
double defined(const AdditiveDynamic& m, const Row& x, const Row& z) {
  double cost = 0;
  for (Index r = 0; r < m.a->size(); ++r) {
    double sum = m.b->size() ? (*m.b)(r) : 0;
    if (m.W_q->size() == 0) sum += x(r) + z(r);
    for (Index k = 0; k < x.size() && m.W_q->size(); ++k)
      sum += (*m.W_q)(r, k) * x(k) + (*m.W_k)(r, k) * z(k);
    cost -= (*m.a)(r)*activated(m.activation, m.slope, sum);
  }
  return cost;
}
double defined(const Precomputed&, const Row&, const Row&) { return std::nan(""); }  // no points
double defined(const CustomMetric&, const Row& x, const Row& z) {                    // Canberra
  double sum = 0;
  for (Index k = 0; k < x.size(); ++k) sum += std::fabs(x(k) - z(k)) / (std::fabs(x(k)) + std::fabs(z(k)));
  return sum;
}

Row defined(const maps::Linear& map, const Row& x) {
  Row y = Row::Zero(map.W->rows());
  for (Index r = 0; r < y.size(); ++r) {
    for (Index k = 0; k < x.size(); ++k) y(r) += (*map.W)(r, k) * x(k);
    if (map.b->size()) y(r) += (*map.b)(r);
  }
  return y;
}
Row defined(const maps::ResidualMLP& map, const Row& x) {
  Row hidden = defined(maps::Linear{map.W1, map.b1}, x);
  for (Index r = 0; r < hidden.size(); ++r) hidden(r) = std::tanh(hidden(r));
  return x + defined(maps::Linear{map.W2, map.b2}, hidden);
}
Row defined(const maps::Custom&, const Row& x) { return x; }
double defined(const Mapped& m, const Row& x, const Row& z) {
  const auto at = [](const PointMap& map, const Row& point) {
    return std::visit([&](const auto& leaf) { return defined(leaf, point); }, map);
  };
  const Row u = at(m.map, x), v = at(m.key_map ? *m.key_map : m.map, z);
  return std::visit([&](const auto& base) { return defined(base, u, v); }, m.metric);
}

Matrix<double> defined_costs(const Metric& metric, const Matrix<double>& X, const Matrix<double>& Z) {
  return Matrix<double>::NullaryExpr(X.rows(), Z.rows(), [&](Index i, Index j) {
    return std::visit([&](const auto& m) { return defined(m, X.row(i), Z.row(j)); }, metric);
  });
}

// The leaf's own cost, pair by pair, or its tile where it only fills.
template <class T> Matrix<double> costs(const Metric& metric, const Matrix<T>& X, const Matrix<T>& Z) {
  return std::visit(
      [&](const auto& m) {
        Matrix<T> out(X.rows(), Z.rows());
        if constexpr (PointCost<std::decay_t<decltype(m)>>) {
          for (Index i = 0; i < X.rows(); ++i)
            for (Index j = 0; j < Z.rows(); ++j) out(i, j) = m.template cost<T>(X.row(i), Z.row(j));
        } else if constexpr (TileMetric<std::decay_t<decltype(m)>>) {
          m.template fill<T>(X, Z, out);
        }
        return Matrix<double>(out.template cast<double>());
      },
      metric);
}

template <class T> constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());

bool close(const Matrix<double>& a, const Matrix<double>& b, double tolerance) {
  return ((a - b).cwiseAbs().array() <= tolerance * (1 + b.cwiseAbs().array())).all();
}

// Which laws the costs obey on these points.
template <class T> MetricTraits obeyed_laws(const Metric& metric, const Matrix<T>& X) {
  const double tolerance = 200 * eps<T>;
  const Matrix<double> C = costs<T>(metric, X, X);
  MetricTraits laws;
  laws.symmetric = close(C, C.transpose(), tolerance);
  laws.zero_on_self = C.diagonal().cwiseAbs().maxCoeff() <= tolerance && C.minCoeff() >= -tolerance;
  const Matrix<T> shifted =
      X.rowwise() + Eigen::Matrix<T, 1, Eigen::Dynamic>::LinSpaced(X.cols(), T(1), T(3));
  laws.shift_invariant = close(costs<T>(metric, shifted, shifted), C, 10 * tolerance);
  const int power = traits(metric).distance_power;
  const Matrix<double> D = C.cwiseMax(0).array().pow(power == 0 ? 1.0 : 1.0 / power);
  laws.triangle_inequality = power != 0;
  for (Index via = 0; via < D.rows() && power != 0; ++via) {
    const Matrix<double> detour = D.col(via).replicate(1, D.cols()) + D.row(via).replicate(D.rows(), 1);
    // Rounding grows like a root where D is a root of C.
    if (((D - detour).array() > std::sqrt(tolerance)).any()) laws.triangle_inequality = false;
  }
  return laws;
}

/// Random points, one of them twice, and the corners of a right angle, where p < 1 breaks the triangle.
Matrix<double> law_points(Index d) {
  Matrix<double> X = samples::normal(24, d, 7);
  X.row(1) = X.row(0);
  X.row(3) = X.row(2) + Row::Unit(d, 0);
  X.row(4) = X.row(3) + Row::Unit(d, d - 1);
  return X;
}

}  // namespace

TEMPLATE_TEST_CASE("a metric's cost, lift and tile agree with its definition", "[metric]", float, double) {
  using T = TestType;
  struct Shape {
    Index n, m, d;
  };
  for (const Shape s : {Shape{1, 1, 1}, {1, 5, 3}, {7, 4, 1}, {9, 6, 5}, {3, 70, 17}}) {
    const Matrix<T> X = samples::normal(s.n, s.d, 11).template cast<T>(),
                    Z = samples::normal(s.m, s.d, 12).template cast<T>();
    for (const Metric& metric : samples::metrics(s.d)) {
      INFO(repr(metric) << " n=" << s.n << " m=" << s.m << " d=" << s.d);
      const Matrix<double> want = defined_costs(metric, X.template cast<double>(), Z.template cast<double>());
      const double tolerance = 100 * eps<T> * static_cast<double>(s.d);
      CHECK(close(costs<T>(metric, X, Z), want, tolerance));
      std::visit(
          [&](const auto& m) {
            using M = std::decay_t<decltype(m)>;
            const MetricTraits laws = m.traits();
            CHECK(laws.lifts() == LiftedMetric<M>);
            if constexpr (LiftedMetric<M>) {
              const Lift<T> q = m.template lift_queries<T>(X), k = m.template lift_keys<T>(Z);
              const Matrix<T> lifted = (q.bias.replicate(1, s.m) + k.bias.transpose().replicate(s.n, 1))
                                       - q.features * k.features.transpose();
              const double power =
                  laws.distance_power == 0 ? 1 : laws.lift_power() / double(laws.distance_power);
              CHECK(close(lifted.template cast<double>(), want.array().pow(power).matrix(), 10 * tolerance));
            }
            if constexpr (TileMetric<M>) {
              Matrix<T> wide =
                  Matrix<T>::Constant(s.n, s.m + 3, T(-7));  // a tile is a block of something wider
              m.template fill<T>(X, Z, wide.leftCols(s.m));
              CHECK(close(wide.leftCols(s.m).template cast<double>(), want, tolerance));
              CHECK((wide.rightCols(3).array() == T(-7)).all());
            }
          },
          metric);
    }
  }
}

TEMPLATE_TEST_CASE("a metric declares exactly the laws it obeys", "[metric]", float, double) {
  using T = TestType;
  const Matrix<T> X = law_points(5).template cast<T>();
  for (const Metric& metric : samples::metrics(5)) {
    INFO(repr(metric));
    const MetricTraits declared = traits(metric), obeyed = obeyed_laws<T>(metric, X);
    CHECK(declared.symmetric == obeyed.symmetric);
    CHECK(declared.zero_on_self == obeyed.zero_on_self);
    CHECK(declared.shift_invariant == obeyed.shift_invariant);
    CHECK(declared.triangle_inequality == obeyed.triangle_inequality);
  }
}

/// (sum_k |u_k - v_k|^power)^(1/power) of the rows as the metric sees them, in plain loops.
Matrix<double> summed_distances(const CoordinateSum& sum, const Matrix<double>& X, const Matrix<double>& Z) {
  const auto seen = [&](const Matrix<double>& points) {
    return sum.factor ? Matrix<double>(points * sum.factor->transpose()) : points;
  };
  const Matrix<double> U = seen(X), V = seen(Z);
  Matrix<double> distances(X.rows(), Z.rows());
  for (Index i = 0; i < U.rows(); ++i)
    for (Index j = 0; j < V.rows(); ++j) {
      const auto difference = (U.row(i) - V.row(j)).array().abs();
      distances(i, j) = std::isinf(sum.power) ? difference.maxCoeff()
                                              : std::pow(difference.pow(sum.power).sum(), 1 / sum.power);
    }
  return distances;
}

TEST_CASE("laws of lifts and of sums over coordinates are those of the cost", "[metric]") {
  const Matrix<double> X = samples::normal(9, 5, 11), Z = samples::normal(7, 5, 12);
  for (const Metric& metric : samples::metrics(5)) {
    INFO(repr(metric));
    const MetricTraits laws = traits(metric);
    const Matrix<double> want = defined_costs(metric, X, Z);
    if (const auto sum = coordinate_sum(metric))
      CHECK(close(summed_distances(*sum, X, Z), want.array().pow(1.0 / laws.distance_power).matrix(), 1e-12));
    const Widths features = widths(metric);
    CHECK((features.queries == Widths::any || features.queries == 5));
    CHECK((features.keys == Widths::any || features.keys == 5));
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (LiftedMetric<M>) {
            const Lift<double> q = m.template lift_queries<double>(X), k = m.template lift_keys<double>(Z);
            const double longest =
                m.projection_size(X.rowwise().norm().maxCoeff(), Z.rowwise().norm().maxCoeff());
            if (longest > 0)
              CHECK((q.features * k.features.transpose()).cwiseAbs().maxCoeff() <= 2 * longest);
            if (longest > 0) CHECK(q.bias.cwiseAbs().maxCoeff() <= longest);
            const double ratio = laws.lift->ratio;
            if (ratio == 0) return;
            const CoordinateSum squares{.power = 2, .factor = nullptr};
            const Matrix<double> d = summed_distances(squares, ratio * q.features, k.features);
            const Matrix<double> lifted = want.array().pow(double(laws.lift_power()) / laws.distance_power);
            CHECK(close(d.array().square().matrix() / (2 * ratio), lifted, 1e-12));
          }
        },
        metric);
  }
}

TEST_CASE("declared laws hold on one feature too", "[metric]") {
  const Matrix<double> X = samples::normal(12, 1, 5);
  for (const Metric& metric : samples::metrics(1)) {
    INFO(repr(metric));
    const MetricTraits declared = traits(metric), obeyed = obeyed_laws<double>(metric, X);
    CHECK((!declared.symmetric || obeyed.symmetric));
    CHECK((!declared.zero_on_self || obeyed.zero_on_self));
    CHECK((!declared.shift_invariant || obeyed.shift_invariant));
    CHECK((!declared.triangle_inequality || obeyed.triangle_inequality));
  }
}

TEST_CASE("a shift-invariant distance is a norm to its distance_power", "[metric]") {
  const Matrix<double> X = samples::normal(9, 4, 5), doubled = 2 * X;
  for (const Metric& metric : samples::metrics(4)) {
    if (!traits(metric).shift_invariant || traits(metric).distance_power == 0) continue;
    INFO(repr(metric));
    const double factor = std::pow(2.0, traits(metric).distance_power);
    CHECK(close(costs<double>(metric, doubled, doubled), factor * costs<double>(metric, X, X), 1e-13));
  }
}

TEST_CASE("cosine of a zero point is 0, as in scikit-learn, and of huge and tiny points right", "[metric]") {
  Matrix<double> X(4, 2);
  X << 0, 0, 1, 0, 1e300, 1e300, 1e-300, 0;
  const double r = 1 - std::sqrt(0.5);
  Matrix<double> want(4, 4);
  want << 1, 1, 1, 1, 1, 0, r, 0, 1, r, 0, r, 1, 0, r, 0;
  CHECK(close(costs<double>(Cosine{}, X, X), want, 1e-14));
  const Lift<double> q = Cosine{}.lift_queries<double>(X), k = Cosine{}.lift_keys<double>(X);
  CHECK(q.features.row(0).isZero(0));
  CHECK(q.features.row(2).norm() == Approx(1));
  CHECK(k.features.row(3).norm() == Approx(1));
}

TEST_CASE("powers of huge and tiny differences neither overflow nor vanish", "[metric]") {
  Matrix<float> X(3, 2);
  X << 0, 0, 3e30F, 4e30F, 3e-30F, 4e-30F;
  for (const double p : {2.0, 1.5, 3.0}) {
    Matrix<float> out(3, 3);
    Minkowski{p}.fill<float>(X, X, out);
    const double want = std::pow(std::pow(3.0, p) + std::pow(4.0, p), 1 / p);
    CHECK(out(0, 1) / 1e30F == Approx(want));
    CHECK(out(0, 2) / 1e-30F == Approx(want));
    CHECK(out(0, 0) == 0);
  }
}

TEST_CASE("a factor reproduces the matrix it came from", "[metric]") {
  const Matrix<double> W = samples::normal(2, 4, 9), M = W.transpose() * W;  // rank 2 of 4
  const Mahalanobis metric = Mahalanobis::from_matrix(M);
  CHECK(metric.factor->rows() == 2);
  CHECK((metric.factor->transpose() * *metric.factor - M).cwiseAbs().maxCoeff() < 1e-13);
  const Vector<double> m = Vector<double>::LinSpaced(4, 0, 3);
  const Mahalanobis diagonal = Mahalanobis::from_diagonal(m);
  CHECK((diagonal.factor->transpose() * *diagonal.factor - Eigen::MatrixXd(m.asDiagonal())).norm() < 1e-15);
  CHECK(Mahalanobis::from_matrix(Matrix<double>::Zero(3, 3)).factor->rows() == 0);
}

TEST_CASE("what kneighbors reports is a root only for Mahalanobis", "[metric]") {
  for (const Metric& metric : samples::metrics(3)) {
    INFO(repr(metric));
    CHECK(traits(metric).reports_root == std::holds_alternative<Mahalanobis>(metric));
  }
  CHECK(traits(Precomputed{2}) == MetricTraits{.distance_power = 2});
}
