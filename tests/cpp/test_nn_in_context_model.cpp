// Rows that attend to labeled rows, against plain loops.
#include <likewise/nn/in_context_model.hpp>

#include <cmath>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

constexpr Index n_features = 3, embed_dim = 4, rank = 2, num_heads = 3, n_context = 9, n_outputs = 2;

InContextModel model(bool tied) {
  InContextModel model{.embedding = normal_matrix(embed_dim, n_features, 1),
                       .query_maps = normal_matrix(num_heads * rank, embed_dim, 2),
                       .log_temperature = Vector<double>::LinSpaced(num_heads, 0, 2),
                       .context = normal_matrix(n_context, n_features, 4),
                       .values = normal_matrix(n_context, n_outputs, 5)};
  if (!tied) model.key_maps = normal_matrix(num_heads * rank, embed_dim, 3);
  return model;
}

/// That head's cost of x and z, coordinate by coordinate.
double cost(const InContextModel& m, Index head, Index row_of_z, const Matrix<double>& x) {
  double sum = 0;
  for (Index k = head * rank; k < (head + 1) * rank; ++k) {
    double of_x = 0, of_z = 0;
    for (Index e = 0; e < embed_dim; ++e)
      for (Index f = 0; f < n_features; ++f) {
        of_x += m.query_maps(k, e) * m.embedding(e, f) * x(0, f);
        of_z += (m.tied() ? m.query_maps : m.key_maps)(k, e) * m.embedding(e, f) * m.context(row_of_z, f);
      }
    sum += m.tied() ? (of_x - of_z) * (of_x - of_z) : -of_x * of_z;
  }
  return sum;
}

/// F of one row.
Matrix<double> expected(const InContextModel& m, const Matrix<double>& x) {
  Matrix<double> mean = Matrix<double>::Zero(1, n_outputs);
  for (Index head = 0; head < num_heads; ++head) {
    double mass = 0;
    Matrix<double> sum = Matrix<double>::Zero(1, n_outputs);
    for (Index j = 0; j < n_context; ++j) {
      const double weight = std::exp(-cost(m, head, j, x) / std::exp(m.log_temperature(head)));
      mass += weight;
      sum += weight * m.values.row(j);
    }
    mean += sum / (mass * num_heads);
  }
  return mean;
}

}  // namespace

TEST_CASE("outputs are the mean over heads of softmax averages of the values", "[nn]") {
  const Matrix<double> X = normal_matrix(20, n_features, 6);
  for (const bool tied : {true, false}) {
    const InContextModel m = model(tied);
    const Matrix<double> F = m.outputs(X);
    for (Index i = 0; i < X.rows(); ++i) CHECK((F.row(i) - expected(m, X.row(i))).norm() < 1e-12);
    CHECK(m.outputs(X, {.n_jobs = 1}) == m.outputs(X, {.n_jobs = 3}));
  }
}

TEST_CASE("a row far from all labeled rows is the nearest one's", "[nn]") {
  const InContextModel m = model(true);
  const Matrix<double> far = Matrix<double>::Constant(1, n_features, 1e6);
  Matrix<double> mean = Matrix<double>::Zero(1, n_outputs);
  for (Index head = 0; head < num_heads; ++head) {
    Index nearest = 0;
    for (Index j = 1; j < n_context; ++j)
      if (cost(m, head, j, far) < cost(m, head, nearest, far)) nearest = j;
    mean += m.values.row(nearest) / num_heads;
  }
  CHECK((m.outputs(far) - mean).norm() < 1e-12);
}

TEST_CASE("mechanisms need no labeled rows", "[nn]") {
  InContextModel m = model(false);
  const std::vector<Mechanism> heads = m.mechanisms();
  m.context.resize(0, 0);
  m.values.resize(0, 0);
  CHECK(m.mechanisms() == heads);
  CHECK(std::get<Exponential>(heads[2].kernel).temperature == Approx(std::exp(2.0)));
  CHECK(std::get<Bilinear>(heads[1].metric).key_factor->isApprox(m.key_maps.middleRows(2, 2) * m.embedding));
  CHECK(contains(refusal([&] { m.outputs(normal_matrix(1, n_features, 1)); }),
                 "context must be one or more rows"));
}

TEST_CASE("shapes that do not fit are refused by the member's name", "[nn]") {
  const Matrix<double> X = normal_matrix(5, n_features, 6);
  const auto said = [&](const std::function<void(InContextModel&)>& change) {
    InContextModel m = model(false);
    change(m);
    return refusal([&] { m.outputs(X); });
  };
  CHECK(said([](InContextModel&) {}) == "no error");
  CHECK(contains(said([](InContextModel& m) { m.embedding.resize(0, 3); }), "embedding must be"));
  CHECK(contains(said([](InContextModel& m) { m.log_temperature.resize(0); }), "log_temperature must be"));
  CHECK(contains(said([](InContextModel& m) { m.query_maps.setOnes(7, embed_dim); }),
                 "query_maps must be rank rows for each of 3 heads, of embed_dim = 4 columns; got 7 x 4"));
  CHECK(contains(said([](InContextModel& m) { m.query_maps.setOnes(6, 3); }), "query_maps must be"));
  CHECK(contains(said([](InContextModel& m) { m.query_maps.resize(0, embed_dim); }), "query_maps must be"));
  CHECK(contains(said([](InContextModel& m) { m.key_maps.setOnes(3, embed_dim); }),
                 "key_maps must be empty or of shape 6 x 4; got 3 x 4"));
  CHECK(contains(said([](InContextModel& m) { m.context.setOnes(9, 2); }),
                 "context must be one or more rows of n_features = 3 columns; got 9 x 2"));
  CHECK(contains(said([](InContextModel& m) { m.values.setOnes(8, 2); }), "values must be"));
  CHECK(contains(said([](InContextModel& m) { m.values.resize(9, 0); }), "values must be"));
  CHECK(contains(said([](InContextModel& m) { m.log_temperature(1) = 1e4; }), "temperature must be"));
  CHECK(contains(said([](InContextModel& m) { m.context(3, 1) = NAN; }), "must be finite"));
  CHECK(contains(refusal([] { model(true).outputs(normal_matrix(5, 2, 6)); }),
                 "X must be of n_features = 3 columns; got 2"));
}
