// Attention against softmax written out, and against what it is identical to.
#include <likewise/algorithms/attention.hpp>

#include <likewise/operator.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// Rows of scores, -inf where not admitted, to weights; a row of -inf to 0.
Eigen::MatrixXd softmax(const Eigen::MatrixXd& scores) {
  Eigen::MatrixXd W = Eigen::MatrixXd::Zero(scores.rows(), scores.cols());
  for (Index i = 0; i < scores.rows(); ++i)
    if (const double top = scores.row(i).maxCoeff(); top > minus_infinity) {
      W.row(i) = (scores.row(i).array() - top).exp();
      W.row(i) /= W.row(i).sum();
    }
  return W;
}

Eigen::MatrixXd minus_squared_distances(const Matrix<double>& q, const Matrix<double>& k) {
  Eigen::MatrixXd S(q.rows(), k.rows());
  for (Index i = 0; i < q.rows(); ++i)
    for (Index j = 0; j < k.rows(); ++j) S(i, j) = -(q.row(i) - k.row(j)).squaredNorm();
  return S;
}

struct Sequence {
  Matrix<double> q = samples::normal(9, 4, 41), k = samples::normal(12, 4, 42),
                 v = samples::normal(12, 3, 43);
};

}  // namespace

TEST_CASE("attention and metric-attention are softmaxes of their scores", "[attention]") {
  const Sequence s;
  CHECK(attention(s.q, s.k, s.v).isApprox(softmax(s.q * s.k.transpose() / 2.0) * s.v, 1e-12));
  CHECK(l2_attention(s.q, s.k, s.v).isApprox(softmax(minus_squared_distances(s.q, s.k) / 4.0) * s.v, 1e-12));
  CHECK(attention(s.q, s.k, s.v, {.temperature = 0.3})
            .isApprox(softmax(s.q * s.k.transpose() / 0.3) * s.v, 1e-12));
  const Matrix<float> single = attention(s.q.cast<float>(), s.k.cast<float>(), s.v.cast<float>());
  CHECK((single.cast<double>() - softmax(s.q * s.k.transpose() / 2.0) * s.v).norm() < 1e-5);
}

TEST_CASE("masks, causality and key weights", "[attention]") {
  const Sequence s;
  BoolMatrix mask = (samples::normal(9, 12, 44).array() > 0).matrix();
  mask.row(3).setConstant(false);
  Vector<double> log_w = samples::normal(12, 1, 45);
  log_w(5) = minus_infinity;
  Eigen::MatrixXd scores = s.q * s.k.transpose() / 2.0;
  scores.rowwise() += log_w.transpose();
  for (Index i = 0; i < 9; ++i)
    for (Index j = 0; j < 12; ++j)
      if (!mask(i, j) || j > i) scores(i, j) = minus_infinity;
  const Matrix<double> got =
      attention(s.q, s.k, s.v, {.support = Causal{} & Mask{mask}, .log_key_weights = log_w});
  CHECK(got.isApprox(softmax(scores) * s.v, 1e-12));
  CHECK(got.row(3).isZero());
  const Vector<double> nobody = Vector<double>::Constant(12, minus_infinity);
  CHECK(attention(s.q, s.k, s.v, {.log_key_weights = nobody}).isZero());
}

TEST_CASE("THEORY 2.1 to 2.3", "[attention]") {
  const Sequence s;
  Matrix<double> unit = s.k;
  unit.rowwise().normalize();
  const Mechanism gaussian{Euclidean{}, Gaussian{std::sqrt(2.0)}, AllPairs{},
                           RowStochastic{}};  // h^2 = sqrt(d) = 2
  CHECK(attention(s.q, unit, s.v).isApprox(gaussian.cross_operator(s.q, unit).apply(s.v), 1e-12));
  CHECK(attention(s.q, unit, s.v).isApprox(l2_attention(s.q, unit, s.v), 1e-12));

  const Vector<double> bias = -s.k.rowwise().squaredNorm() / 4.0;  // -|k|^2/(2 sqrt(d))
  CHECK(attention(s.q, s.k, s.v, {.log_key_weights = bias}).isApprox(l2_attention(s.q, s.k, s.v), 1e-12));

  Matrix<double> shifted = s.k;
  shifted.rowwise() += samples::normal(1, 4, 46).row(0);
  CHECK(attention(s.q, shifted, s.v).isApprox(attention(s.q, s.k, s.v), 1e-12));

  Matrix<double> twice_k(13, 4), twice_v(13, 3);
  twice_k << s.k, s.k.row(2);
  twice_v << s.v, s.v.row(2);
  Vector<double> log_two = Vector<double>::Zero(12);
  log_two(2) = std::log(2.0);
  CHECK(attention(s.q, twice_k, twice_v)
            .isApprox(attention(s.q, s.k, s.v, {.log_key_weights = log_two}), 1e-12));
}

TEST_CASE("many heads give what each gives alone, on any number of threads", "[attention]") {
  std::vector<Matrix<double>> q, k, v;
  for (unsigned h = 0; h < 6; ++h) {
    q.push_back(samples::normal(70, 4, 50 + h));
    k.push_back(samples::normal(80, 4, 60 + h));
    v.push_back(samples::normal(80, 2, 70 + h));
  }
  const auto map = [](const Matrix<double>& A) {
    return Eigen::Map<const Matrix<double>>(A.data(), A.rows(), A.cols());
  };
  std::vector<AttentionHead<double>> heads;
  for (std::size_t h = 0; h < 6; ++h)
    heads.push_back(
        {map(q[h]), map(k[h]), map(v[h]), {.support = h % 2 == 0 ? Support(Causal{}) : Support()}});
  for (const int n_jobs : {1, 2, 16}) {
    const auto got = attention(heads, {.n_jobs = n_jobs});
    const auto metric = l2_attention(heads, {.n_jobs = n_jobs});
    for (std::size_t h = 0; h < 6; ++h) {
      CHECK(got[h] == attention(q[h], k[h], v[h], heads[h].options, {.n_jobs = 1}));
      CHECK(metric[h] == l2_attention(q[h], k[h], v[h], heads[h].options, {.n_jobs = 1}));
    }
  }
}

TEST_CASE("empty sequences and what attention refuses", "[attention]") {
  const Sequence s;
  CHECK(attention(Matrix<double>(0, 4), s.k, s.v).rows() == 0);
  CHECK(attention(s.q, Matrix<double>(0, 4), Matrix<double>(0, 3)).isZero());
  CHECK(attention(s.q, s.k, Matrix<double>(12, 0)).cols() == 0);
  CHECK(attention(s.q.topRows(1), s.k.topRows(1), s.v.topRows(1)).isApprox(s.v.topRows(1)));
  CHECK(refusal([&] { attention(s.q, s.k.leftCols(3), s.v); }).starts_with("k must be"));
  CHECK(refusal([&] { attention(s.q, s.k, s.v.topRows(3)); }).starts_with("v must be"));
  CHECK(refusal([&] { attention(s.q, s.k, s.v, {.temperature = -1}); }).find("temperature must be")
        != std::string::npos);
  CHECK(refusal([&] { attention(s.q, s.k, s.v, {.support = Mask{BoolMatrix::Constant(2, 2, true)}}); })
        != "");
}
