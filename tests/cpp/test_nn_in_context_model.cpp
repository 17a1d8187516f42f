// Rows that attend to labeled rows, against plain loops.
#include <likewise/nn/in_context_model.hpp>

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

constexpr Index n_features = 3, embed_dim = 4, rank = 2, num_heads = 3, n_context = 9, n_outputs = 2,
                width = 5;
using Numbers = std::vector<double>;

InContextModel model(bool tied) {
  InContextModel model{.embedding = normal_matrix(embed_dim, n_features, 1),
                       .query_maps = normal_matrix(num_heads * rank, embed_dim, 2),
                       .log_temperature = Vector<double>::LinSpaced(num_heads, 0, 2),
                       .context = normal_matrix(n_context, n_features, 4),
                       .values = normal_matrix(n_context, n_outputs, 5)};
  if (!tied) model.key_maps = normal_matrix(num_heads * rank, embed_dim, 3);
  return model;
}

/// Tied heads, each with a network of five hidden units.
InContextModel model_with_phi() {
  InContextModel m = model(true);
  m.map_in = normal_matrix(num_heads * width, rank, 7);
  m.map_in_bias = normal_matrix(num_heads * width, 1, 8);
  m.map_out = normal_matrix(num_heads * rank, width, 9);
  m.map_out_bias = normal_matrix(num_heads * rank, 1, 10);
  return m;
}

/// phi_h(u), unit by unit; u itself where heads have none.
Numbers phi(const InContextModel& m, Index head, const Numbers& u) {
  Numbers seen = u;
  for (Index unit = 0; unit < width && m.map_in.size(); ++unit) {
    double inside = m.map_in_bias(head * width + unit);
    for (Index k = 0; k < rank; ++k)
      inside += m.map_in(head * width + unit, k) * u[static_cast<std::size_t>(k)];
    for (Index k = 0; k < rank; ++k)
      seen[static_cast<std::size_t>(k)] += m.map_out(head * rank + k, unit) * std::tanh(inside);
  }
  for (Index k = 0; k < rank && m.map_in.size(); ++k)
    seen[static_cast<std::size_t>(k)] += m.map_out_bias(head * rank + k);
  return seen;
}

/// What that head compares of x, coordinate by coordinate.
Numbers seen(const InContextModel& m, const Matrix<double>& maps, Index head, const Matrix<double>& x) {
  Numbers u;
  for (Index k = head * rank; k < (head + 1) * rank; ++k) {
    u.push_back(0);
    for (Index e = 0; e < embed_dim; ++e)
      for (Index f = 0; f < n_features; ++f) u.back() += maps(k, e) * m.embedding(e, f) * x(0, f);
  }
  return phi(m, head, u);
}

/// That head's cost of x and z.
double cost(const InContextModel& m, Index head, Index row_of_z, const Matrix<double>& x) {
  const Numbers of_x = seen(m, m.query_maps, head, x),
                of_z = seen(m, m.tied() ? m.query_maps : m.key_maps, head, m.context.row(row_of_z));
  double sum = 0;
  for (std::size_t k = 0; k < of_x.size(); ++k)
    sum += m.tied() ? (of_x[k] - of_z[k]) * (of_x[k] - of_z[k]) : -of_x[k] * of_z[k];
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
  for (const InContextModel& m : {model(true), model(false), model_with_phi()}) {
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

TEST_CASE("a head with phi is a mechanism through a residual network", "[nn]") {
  const InContextModel m = model_with_phi();
  CHECK(m.map_width() == width);
  CHECK(model(true).map_width() == 0);
  const std::vector<Mechanism> heads = m.mechanisms();
  const auto& metric = std::get<Mapped>(heads[1].metric);
  const auto& network = std::get<maps::ResidualMLP>(metric.map);
  CHECK(metric.metric == MetricOfMapped(SquaredEuclidean{}));
  CHECK(network.skip->isApprox(m.query_maps.middleRows(rank, rank) * m.embedding));
  CHECK(network.W1->isApprox(m.map_in.middleRows(width, width) * *network.skip));
  CHECK(*network.b1 == m.map_in_bias.segment(width, width));
  CHECK(*network.W2 == m.map_out.middleRows(rank, rank));
  CHECK(*network.b2 == m.map_out_bias.segment(rank, rank));
}

TEST_CASE("maps of phi that do not fit are refused by the member's name", "[nn]") {
  const auto said = [&](const std::function<void(InContextModel&)>& change) {
    InContextModel m = model_with_phi();
    change(m);
    return refusal([&] { validate(m); });
  };
  CHECK(said([](InContextModel&) {}) == "no error");
  CHECK(contains(said([](InContextModel& m) { m.key_maps = m.query_maps; }),
                 "map_in must be empty where queries and keys have maps of their own; got 15 x 2"));
  CHECK(contains(said([](InContextModel& m) { m.map_in.resize(0, 0); }),
                 "map_in must be map_width rows for each of 3 heads, of rank = 2 columns; got 0 x 0"));
  CHECK(contains(said([](InContextModel& m) { m.map_in.resize(15, 0); }), "map_in must be"));
  CHECK(contains(said([](InContextModel& m) { m.map_in.setOnes(14, rank); }), "map_in must be"));
  CHECK(contains(said([](InContextModel& m) { m.map_in.setOnes(15, 3); }), "map_in must be"));
  CHECK(contains(said([](InContextModel& m) { m.map_in_bias.resize(0); }),
                 "map_in_bias must be a number for each of 15 rows of map_in; got 0"));
  CHECK(contains(said([](InContextModel& m) { m.map_out.setOnes(6, 4); }),
                 "map_out must be of shape 6 x 5; got 6 x 4"));
  CHECK(contains(said([](InContextModel& m) { m.map_out_bias.setOnes(15); }), "map_out_bias must be"));
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
