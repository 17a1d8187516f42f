// Kernel regression against plain loops, Householder least squares and explicit refits.
#include <cmath>

#include <Eigen/QR>

#include <likewise/algorithms/kernel_regression.hpp>
#include <likewise/operator.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

Vector<double> gaussian_weights(const Matrix<double>& Z, const Eigen::RowVectorXd& x, double h) {
  return (-(Z.rowwise() - x).rowwise().squaredNorm().array() / (2 * h * h)).exp();
}

Eigen::RowVectorXd weighted_mean(const Matrix<double>& Y, const Vector<double>& w) {
  return (w.transpose() * Y) / w.sum();
}

/// The intercept at x of the least sum_j w_j |y_j - a - b (z_j - x)|^2.
Eigen::RowVectorXd plane_at(const Matrix<double>& Z, const Matrix<double>& Y, const Vector<double>& w,
                            const Eigen::RowVectorXd& x) {
  Eigen::MatrixXd A(Z.rows(), Z.cols() + 1);
  A << Vector<double>::Ones(Z.rows()), Z.rowwise() - x;
  const Vector<double> root = w.cwiseSqrt();
  const Eigen::MatrixXd left = root.asDiagonal() * A, right = root.asDiagonal() * Y;
  return left.colPivHouseholderQr().solve(right).row(0);
}

Matrix<double> without_row(const Matrix<double>& A, Index row) {
  Matrix<double> rest(A.rows() - 1, A.cols());
  rest << A.topRows(row), A.bottomRows(A.rows() - row - 1);
  return rest;
}

const KernelRegressionOptions narrow{.kernel = Gaussian{0.7}};
const KernelRegressionOptions planes{.kernel = Gaussian{0.9}, .degree = 1};

}  // namespace

TEST_CASE("degree 0 is the weighted mean, and its std the root of the weighted variance") {
  const Matrix<double> Z = normal_matrix(40, 3, 1), Y = normal_matrix(40, 2, 2), X = normal_matrix(9, 3, 3);
  KernelRegressionOptions options = narrow;
  options.sample_weight = normal_matrix(40, 1, 4).cwiseAbs().col(0);
  const auto fitted = kernel_regression(Z, Y, options);
  const auto plain = fitted.predict(X);
  const auto with_std = fitted.predict(X, true);
  for (Index i = 0; i < X.rows(); ++i) {
    const Vector<double> w = gaussian_weights(Z, X.row(i), 0.7).cwiseProduct(options.sample_weight);
    const Eigen::RowVectorXd mean = weighted_mean(Y, w);
    const Eigen::RowVectorXd variance = weighted_mean(Y.cwiseAbs2(), w) - mean.cwiseAbs2();
    CHECK((plain.mean.row(i) - mean).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((with_std.mean.row(i) - mean).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((with_std.std.row(i) - variance.cwiseSqrt()).cwiseAbs().maxCoeff() < 1e-10);
  }
  CHECK(plain.std.size() == 0);
}

TEST_CASE("the estimator is the operator with the same slots") {
  const Matrix<double> Z = normal_matrix(50, 2, 5), Y = normal_matrix(50, 1, 6), X = normal_matrix(20, 2, 7);
  for (const Metric& metric : {Metric(Euclidean{}), Metric(Manhattan{}), Metric(Cosine{})})
    for (const Support& support : {Support(AllPairs{}), Support(Neighbors{7})}) {
      const auto fitted = kernel_regression(Z, Y,
                                            {.metric = metric,
                                             .kernel = Laplacian{0.4},
                                             .support = support,
                                             .normalization = RowStochastic{0.1}});
      const Mechanism m{metric, Laplacian{0.4}, support, RowStochastic{0.1}, OneStep{}, EmptyRow::nearest};
      CHECK(fitted.keyed.mechanism() == m);
      CHECK(fitted.predict(X).mean == m.cross_operator(X, Z) * Y);
      CHECK((fitted.predict(X, true).mean - fitted.predict(X).mean).cwiseAbs().maxCoeff() < 1e-12);
    }
}

TEST_CASE("the variance does not cancel under a large offset of the targets") {
  const Matrix<double> Z = normal_matrix(60, 2, 8), X = normal_matrix(5, 2, 9);
  Matrix<double> Y = normal_matrix(60, 1, 10);
  const Matrix<double> want = kernel_regression(Z, Y, narrow).predict(X, true).std;
  Y.array() += 1e9;
  const Matrix<double> got = kernel_regression(Z, Y, narrow).predict(X, true).std;
  CHECK((got - want).cwiseAbs().maxCoeff() < 1e-6);
}

TEST_CASE("degree 1 is weighted least squares at each query") {
  const Matrix<double> Z = normal_matrix(80, 3, 11), Y = normal_matrix(80, 2, 12),
                       X = 0.5 * normal_matrix(10, 3, 13);
  for (const Support& support : {Support(AllPairs{}), Support(Neighbors{30})}) {
    KernelRegressionOptions options = planes;
    options.support = support;
    const auto got = kernel_regression(Z, Y, options).predict(X);
    CHECK(got.n_reduced == 0);
    const Matrix<double> P = Mechanism{Euclidean{}, Gaussian{0.9}, support}.cross_operator(X, Z).dense();
    for (Index i = 0; i < X.rows(); ++i)
      CHECK((got.mean.row(i) - plane_at(Z, Y, P.row(i).transpose(), X.row(i))).cwiseAbs().maxCoeff() < 1e-8);
  }
}

TEST_CASE("degree 1 reproduces linear functions, far from the origin and in small windows") {
  const Matrix<double> slope = normal_matrix(2, 3, 14);
  for (const double offset : {0.0, 1e6})
    for (const double scale : {1.0, 1e-3}) {
      const Matrix<double> Z = scale * normal_matrix(200, 2, 15) + Matrix<double>::Constant(200, 2, offset);
      const Matrix<double> X =
          0.5 * scale * normal_matrix(20, 2, 16) + Matrix<double>::Constant(20, 2, offset);
      const auto line = [&](const Matrix<double>& A) -> Matrix<double> {
        return (A.array() - offset).matrix() / scale * slope;
      };
      const auto got =
          kernel_regression(Z, line(Z), {.kernel = Gaussian{0.5 * scale}, .degree = 1}).predict(X);
      CHECK(got.n_reduced == 0);
      CHECK((got.mean - line(X)).cwiseAbs().maxCoeff() < 1e-8);
    }
}

TEST_CASE("where too few points count, and in many dimensions, degree 1 becomes degree 0 and says so") {
  const Matrix<double> Z = normal_matrix(30, 2, 17), Y = normal_matrix(30, 1, 18);
  Matrix<double> X = normal_matrix(4, 2, 19);
  X.row(3).setConstant(100);  // sees its nearest key only
  KernelRegressionOptions options = planes;
  const auto got = kernel_regression(Z, Y, options).predict(X);
  options.degree = 0;
  const auto flat = kernel_regression(Z, Y, options).predict(X);
  CHECK(got.n_reduced == 1);
  CHECK(got.mean(3, 0) == Approx(flat.mean(3, 0)).epsilon(1e-12));

  options.degree = 1;
  const Matrix<double> wide = normal_matrix(30, local_linear_max_features + 1, 20);
  CHECK(kernel_regression(wide, Y, options).degree == 0);
}

TEST_CASE("for degree 1 three copies of a point are one point of weight 3") {
  const Matrix<double> Z = normal_matrix(12, 2, 35), Y = normal_matrix(12, 1, 36),
                       X = normal_matrix(20, 2, 37);
  KernelRegressionOptions options{.kernel = Gaussian{0.5}, .degree = 1};
  const auto copies = kernel_regression(Z.replicate(3, 1), Y.replicate(3, 1), options).predict(X);
  options.sample_weight = Vector<double>::Constant(12, 3);
  const auto weighted = kernel_regression(Z, Y, options).predict(X);
  CHECK(weighted.n_reduced > 0);
  CHECK(weighted.n_reduced < 20);
  CHECK(copies.n_reduced == weighted.n_reduced);
  CHECK((copies.mean - weighted.mean).cwiseAbs().maxCoeff() < 1e-9);
}

TEST_CASE("a coordinate without spread and collinear ones have no slope of their own") {
  Matrix<double> Z(100, 3);
  Z << normal_matrix(100, 1, 21), Matrix<double>::Constant(100, 1, 5), Matrix<double>::Zero(100, 1);
  Z.col(2) = 2 * Z.col(0);
  const Matrix<double> Y = 3 * Z.col(0);
  Matrix<double> X = Z.topRows(10);
  X.col(1).array() += 0.1;  // off the keys' plane, where 0.1 is not exact
  const auto got = kernel_regression(Z, Y, {.kernel = Gaussian{1.0}, .degree = 1}).predict(X);
  CHECK((got.mean - Y.topRows(10)).cwiseAbs().maxCoeff() < 1e-6);
}

TEST_CASE("the leave-one-out score is that of refits without the point, its copies included") {
  const Matrix<double> all_distinct = normal_matrix(25, 2, 22);
  const Matrix<double> Y = all_distinct.col(0) + 0.3 * normal_matrix(25, 1, 23);
  for (const int degree : {0, 1})
    for (const bool copies : {false, true}) {
      Matrix<double> Z = all_distinct;
      if (copies) Z.row(24) = Z.row(3);
      KernelRegressionOptions options = planes;
      options.degree = degree;
      double left = 0;
      for (Index i = 0; i < 25; ++i) {
        const Matrix<double> others = without_row(Z, i), values = without_row(Y, i);
        const double predicted = kernel_regression(others, values, options).predict(Z.row(i)).mean(0, 0);
        left += std::pow(Y(i, 0) - predicted, 2);
      }
      const double want = 1 - left / (Y.array() - Y.mean()).square().sum();
      CHECK(kernel_regression(Z, Y, options).loo_score() == Approx(want).epsilon(1e-9));
    }
}

TEST_CASE("classification: probabilities are the shares of the weights, ties go to the lowest class") {
  const Matrix<double> Z = normal_matrix(30, 2, 29), X = normal_matrix(8, 2, 30);
  std::vector<Index> labels;
  for (Index i = 0; i < 30; ++i) labels.push_back(i % 3);
  const auto fitted = kernel_classification(Z, labels, 3, narrow);
  const Matrix<double> proba = fitted.predict_proba(X);
  for (Index i = 0; i < X.rows(); ++i) {
    const Vector<double> w = gaussian_weights(Z, X.row(i), 0.7);
    for (Index c = 0; c < 3; ++c) {
      double share = 0;
      for (Index j = c; j < 30; j += 3) share += w(j) / w.sum();
      CHECK(proba(i, c) == Approx(share).epsilon(1e-12));
    }
  }
  const Matrix<double> pair = (Matrix<double>(2, 1) << -1, 1).finished();
  CHECK(kernel_classification(pair, {1, 0}, 2, narrow).predict(Matrix<double>::Zero(1, 1))
        == std::vector<Index>{0});
}

TEST_CASE("a far query has the value of its nearest key, in float too, and one point is enough") {
  const Matrix<float> Z = normal_matrix(30, 2, 31).cast<float>(), Y = normal_matrix(30, 1, 32).cast<float>();
  const Matrix<float> far = Matrix<float>::Constant(1, 2, 1e6F);
  Index nearest = 0;
  (Z.rowwise() - far.row(0)).rowwise().squaredNorm().minCoeff(&nearest);
  const auto epanechnikov = kernel_regression(Z, Y, {.kernel = Epanechnikov{1.0}}).predict(far, true);
  CHECK(epanechnikov.mean(0, 0) == Y(nearest, 0));
  CHECK(epanechnikov.std(0, 0) == 0);
  const auto single = kernel_regression(Z.topRows(1), Y.topRows(1));
  CHECK(single.predict(far).mean(0, 0) == Y(0, 0));
  CHECK(std::isnan(single.loo_score()));
}

TEST_CASE("bad input is refused by name") {
  const Matrix<double> Z = normal_matrix(10, 2, 33), Y = normal_matrix(10, 1, 34);
  const auto refused = [&](const KernelRegressionOptions& o) {
    return refusal([&] { kernel_regression(Z, Y, o); });
  };
  CHECK(contains(refusal([&] { kernel_regression(Z, Y.topRows(9), narrow); }), "y must be of length 10"));
  CHECK(contains(refused({.degree = 2}), "degree must be 0"));
  CHECK(contains(refused({.support = LeaveOneOut{}}), "support must be"));
  CHECK(contains(refused({.sample_weight = Vector<double>::Zero(10)}), "sample_weight must be positive"));
  CHECK(contains(refused({.sample_weight = Vector<double>::Ones(9)}), "sample_weight must be of length 10"));
  CHECK(contains(refused({.kernel = Gaussian{1.0}, .bandwidth = 2.0}), "bandwidth must be given once"));
  CHECK(contains(refused({.kernel = Gaussian{1.0}, .normalization = Symmetric{}, .degree = 1}),
                 "normalization"));
  CHECK(contains(refusal([&] { kernel_classification(Z, std::vector<Index>(10, 5), 3, narrow); }), "labels"));
  const auto fitted = kernel_regression(Z, Y, {.kernel = Gaussian{1.0}, .normalization = Symmetric{}});
  CHECK(contains(refusal([&] { fitted.predict(Z, true); }), "return_std"));
}

TEST_CASE("weight 2 is a row twice and weight 0 no row, bandwidth and score included") {
  const Matrix<double> Z = normal_matrix(20, 2, 24),
                       Y = Z.col(0).array().sin().matrix() + 0.1 * normal_matrix(20, 1, 25);
  Matrix<double> repeated(20, 2), values(20, 1);
  repeated << Z.row(0), Z.topRows(19);  // row 0 twice, row 19 not at all
  values << Y.row(0), Y.topRows(19);
  Vector<double> weight = Vector<double>::Ones(20);
  weight(0) = 2;
  weight(19) = 0;
  for (const int degree : {0, 1}) {
    KernelRegressionOptions options{.degree = degree};
    const auto want = kernel_regression(repeated, values, options);
    options.sample_weight = weight;
    const auto got = kernel_regression(Z, Y, options);
    CHECK(got.bandwidth.length == Approx(want.bandwidth.length).epsilon(1e-9));
    CHECK(got.loo_score() == Approx(want.loo_score()).epsilon(1e-9));
    const Matrix<double> X = normal_matrix(6, 2, 26);
    CHECK((got.predict(X).mean - want.predict(X).mean).cwiseAbs().maxCoeff() < 1e-8);
  }
}

TEST_CASE("the chosen bandwidth beats its neighbors in leave-one-out score") {
  const Matrix<double> Z = 3 * normal_matrix(150, 1, 27);
  const Matrix<double> Y = Z.array().sin().matrix() + 0.2 * normal_matrix(150, 1, 28);
  for (const int degree : {0, 1}) {
    const auto fitted = kernel_regression(Z, Y, {.degree = degree});
    const double h = fitted.bandwidth.length;
    CHECK(fitted.keyed.mechanism().kernel == Kernel(Gaussian{h}));
    for (const double factor : {0.25, 0.5, 2.0, 4.0})
      CHECK(kernel_regression(Z, Y, {.kernel = Gaussian{factor * h}, .degree = degree}).loo_score()
            < fitted.loo_score());
  }
}
