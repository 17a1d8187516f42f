#include <likewise/nn/in_context_model.hpp>

#include <cmath>
#include <string>

#include <likewise/operator.hpp>

#include "engine/call.hpp"

namespace likewise::nn {
namespace {

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }
std::string shape(const Matrix<double>& m) { return shape(m.rows(), m.cols()); }

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
}

Metric metric_of(const InContextModel& m, Index head) {
  const auto map = [&](const Matrix<double>& maps) {
    return Matrix<double>(maps.middleRows(head * m.rank(), m.rank()) * m.embedding);
  };
  if (m.tied()) return Mahalanobis{map(m.query_maps)};
  return Bilinear{map(m.query_maps), map(m.key_maps)};
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
