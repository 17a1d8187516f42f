// Edges that a graph gives: which of them a radius keeps, and which key stands in for a row without mass.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <likewise/operator.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

const Matrix<double> line = (Matrix<double>(4, 1) << 0, 1, 2, 3).finished();

}  // namespace

TEST_CASE("a radius among given edges holds its boundary", "[operator]") {
  const SparseMatrix<double> all = Matrix<double>::Ones(4, 4).sparseView();
  const Mechanism m{Euclidean{}, Indicator{}, Support(Graph{all}) & Support(Radius{1}), Unnormalized{}};
  const Matrix<double> P = m.self_operator(line).dense();
  for (Index i = 0; i < 4; ++i)
    for (Index j = 0; j < 4; ++j) CHECK(P(i, j) == (std::abs(i - j) <= 1 ? 1 : 0));
}

TEST_CASE("under given weights keys without weight are nobody's nearest", "[operator]") {
  SparseMatrix<double> weights(4, 4);
  weights.insert(0, 1) = 0.2;
  weights.insert(0, 2) = 0.7;
  weights.insert(1, 1) = weights.insert(2, 2) = weights.insert(3, 3) = 1;
  const Mechanism m{Euclidean{},     Indicator{}, Graph{weights, "given"},
                    RowStochastic{}, OneStep{},   EmptyRow::nearest};
  Vector<double> log_w = Vector<double>::Zero(4);
  log_w(1) = log_w(2) = -std::numeric_limits<double>::infinity();  // row 0 has no mass
  const auto P = m.self_operator(line, {.log_key_weights = log_w});
  const Matrix<double> V = (Matrix<double>(4, 1) << 10, 11, 12, 13).finished();
  const Matrix<double> Y = P * V;
  CHECK(Y(0, 0) == 0);
  CHECK(Y(3, 0) == 13);
}

TEST_CASE("mutual edges have the lesser of two weights, union ones the greater", "[operator]") {
  Matrix<double> costs(3, 3);
  costs << 0, 1, 2, 3, 0, 1, 0.5, 2, 0;
  for (const std::string how : {"mutual", "union"}) {
    const Mechanism m{Precomputed{1}, Laplacian{1.0}, Neighbors{2, how}, Unnormalized{}};
    const Matrix<double> P = m.self_operator(costs).dense();
    for (Index i = 0; i < 3; ++i)
      for (Index j = 0; j < 3; ++j) {
        const double a = std::exp(-costs(i, j)), b = std::exp(-costs(j, i));
        CHECK(P(i, j) == Approx(i == j ? 0 : how == "union" ? std::max(a, b) : std::min(a, b)));
      }
  }
}
