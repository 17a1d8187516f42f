// A stored operator, all of its entries.
#pragma once

#include <utility>

#include <likewise/linear_map.hpp>

#include "engine/block_products.hpp"
#include "engine/parallel.hpp"
#include "engine/product.hpp"

namespace likewise {

template <class T> struct DenseMap final : LinearMapStorage<T> {
  static constexpr Index rows_at_a_time = 64, few_columns = 16;
  static constexpr Index least_turned_columns = 8;  // fewer leave most lanes of the product empty
  Matrix<T> P;

  explicit DenseMap(Matrix<T> matrix) : P(std::move(matrix)) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    if (V.cols() > few_columns)
      return engine::product<T>(engine::as_it_is<T>(P), engine::as_it_is<T>(V), run, "propagating");
    // Few columns: each entry of P is read once, and V's columns lie in lanes.
    const Matrix<T> columns = V.transpose();
    Matrix<T> Y(P.rows(), V.cols());
    engine::parallel_blocks(engine::block_count(P.rows(), rows_at_a_time), sized(run, V), "propagating",
                            [&](Index b) {
                              const engine::Block rows = engine::block_of(b, P.rows(), rows_at_a_time);
                              engine::dense_rows_product(P, columns, Y, rows);
                            });
    return Y;
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    if (V.cols() >= least_turned_columns)
      return engine::product<T>(engine::transposed<T>(P), engine::as_it_is<T>(V), run, "propagating");
    Matrix<T> Y(P.cols(), V.cols());
    engine::parallel_blocks(
        engine::block_count(P.cols(), rows_at_a_time), sized(run, V), "propagating", [&](Index b) {
          const engine::Block cols = engine::block_of(b, P.cols(), rows_at_a_time);
          Y.middleRows(cols.begin, cols.size).noalias() = P.middleCols(cols.begin, cols.size).transpose() * V;
        });
    return Y;
  }

 private:
  Execution sized(const Execution& run, const Values<T>& V) const {
    return engine::sized(run, static_cast<double>(P.size()) * static_cast<double>(V.cols()));
  }
};

}  // namespace likewise
