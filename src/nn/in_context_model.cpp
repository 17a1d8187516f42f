#include <likewise/nn/in_context_model.hpp>

#include <cmath>
#include <string>
#include <type_traits>

#include <likewise/operator.hpp>

#include "engine/call.hpp"

namespace likewise::nn {
namespace {

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }
std::string shape(const Matrix<double>& m) { return shape(m.rows(), m.cols()); }

/// The maps of phi: none, or all of shapes that fit.
void check_phi(const InContextModel& m) {
  if (m.map_in.rows() + m.map_in_bias.rows() + m.map_out.rows() + m.map_out_bias.rows() == 0) return;
  const Index units = m.num_heads() * m.map_width(), outputs = m.num_heads() * m.rank();
  require(m.tied(), "map_in", "empty where queries and keys have maps of their own", shape(m.map_in));
  require(units > 0 && shape(m.map_in) == shape(units, m.rank()), "map_in",
          "map_width rows for each of " + std::to_string(m.num_heads())
              + " heads, of rank = " + std::to_string(m.rank()) + " columns",
          shape(m.map_in));
  require(m.map_in_bias.size() == units, "map_in_bias",
          "a number for each of " + std::to_string(units) + " rows of map_in", m.map_in_bias.size());
  require(shape(m.map_out) == shape(outputs, m.map_width()), "map_out",
          "of shape " + shape(outputs, m.map_width()), shape(m.map_out));
  require(m.map_out_bias.size() == outputs, "map_out_bias",
          "a number for each of " + std::to_string(outputs) + " rows of map_out", m.map_out_bias.size());
}

void check_maps(const InContextModel& m) {
  require(m.embedding.size() > 0, "embedding", "a matrix of one or more rows and columns",
          shape(m.embedding));
  require(m.num_heads() > 0, "log_temperature", "a number for each of one or more heads", 0);
  const Index embed_dim = m.embedding.rows();
  require(m.rank() > 0 && m.query_maps.rows() == m.num_heads() * m.rank() && m.query_maps.cols() == embed_dim,
          "query_maps",
          "rank rows for each of " + std::to_string(m.num_heads())
              + " heads, of embed_dim = " + std::to_string(embed_dim) + " columns",
          shape(m.query_maps));
  require(m.tied() || shape(m.key_maps) == shape(m.query_maps), "key_maps",
          "empty or of shape " + shape(m.query_maps), shape(m.key_maps));
  check_phi(m);
}

Metric metric_of(const InContextModel& m, Index head) {
  const auto of_head = [&](const auto& of_all) {
    const Index rows = of_all.rows() / m.num_heads();
    return std::remove_cvref_t<decltype(of_all)>(of_all.middleRows(head * rows, rows));
  };
  const Matrix<double> W = of_head(m.query_maps) * m.embedding;
  if (m.map_width())
    return Mapped{maps::ResidualMLP{.W1 = Matrix<double>(of_head(m.map_in) * W),
                                    .b1 = of_head(m.map_in_bias),
                                    .W2 = of_head(m.map_out),
                                    .b2 = of_head(m.map_out_bias),
                                    .skip = W}};
  if (m.tied()) return Mahalanobis{W};
  return Bilinear{W, Matrix<double>(of_head(m.key_maps) * m.embedding)};
}

}  // namespace

void validate(const InContextModel& m) {
  check_maps(m);
  const Index n_features = m.embedding.cols();
  require(m.context.rows() > 0 && m.context.cols() == n_features, "context",
          "one or more rows of n_features = " + std::to_string(n_features) + " columns", shape(m.context));
  require(m.values.rows() == m.context.rows() && m.values.cols() > 0, "values",
          "one or more columns of " + std::to_string(m.context.rows()) + " rows, one for each of context",
          shape(m.values));
}

std::vector<Mechanism> InContextModel::mechanisms() const {
  check_maps(*this);
  std::vector<Mechanism> heads;
  for (Index head = 0; head < num_heads(); ++head)
    heads.push_back({.metric = metric_of(*this, head),
                     .kernel = Exponential{std::exp(log_temperature(head))},
                     .empty_row = EmptyRow::nearest});
  return heads;
}

Matrix<double> InContextModel::outputs(const Points<double>& X, const Execution& run) const {
  const engine::Call call(run);
  validate(*this);
  require(X.cols() == embedding.cols(), "X",
          "of n_features = " + std::to_string(embedding.cols()) + " columns", X.cols());
  Matrix<double> sum = Matrix<double>::Zero(X.rows(), values.cols());
  for (const Mechanism& head : mechanisms())
    sum += head.cross_operator(X, context, {.storage = "streamed"}, run).apply(values, run);
  return sum / static_cast<double>(num_heads());
}

}  // namespace likewise::nn
