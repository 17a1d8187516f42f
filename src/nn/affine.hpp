// Rows times a weight matrix, and the derivatives of that: what all layers are made of.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/nn/parameters.hpp>

#include "engine/parallel.hpp"
#include "engine/product.hpp"

namespace likewise::nn {

/// out = x W^T + b; W (outputs, inputs), b a row or empty.
template <class T>
void affine(const Points<T>& x, const Points<T>& W, const Points<T>& b, Tile<T> out, const Execution& run) {
  engine::set_product<T>(b, T(1), engine::as_it_is<T>(x), engine::transposed<T>(W), out, run, "multiplying");
}

/// grad_x = grad_out W.
template <class T>
void affine_vjp_input(const Points<T>& grad_out, const Points<T>& W, Tile<T> grad_x, const Execution& run) {
  engine::set_product<T>(Matrix<T>(), T(1), engine::as_it_is<T>(grad_out), engine::as_it_is<T>(W), grad_x,
                         run, "multiplying");
}

/// grad_x += grad_out W.
template <class T>
void affine_add_input(const Points<T>& grad_out, const Points<T>& W, Tile<T> grad_x, const Execution& run) {
  engine::add_product<T>(T(1), engine::as_it_is<T>(grad_out), engine::as_it_is<T>(W), grad_x, run,
                         "multiplying");
}

/// sums += the rows of M, summed. A strip of columns stays in registers while the rows pass.
template <class T> void add_rows(const Points<T>& M, Tile<T> sums, const Execution& run) {
  constexpr Index strip = 64 / sizeof(T);
  const Index strips = engine::block_count(M.cols(), strip);
  const auto add = [&](const auto& columns, Index first) {
    using Sums = Eigen::Array<T, 1, std::decay_t<decltype(columns)>::ColsAtCompileTime>;
    Sums sum = Sums::Zero(columns.cols());
    for (Index i = 0; i < columns.rows(); ++i) sum += columns.row(i).array();
    sums.row(0).segment(first, columns.cols()).array() += sum;
  };
  const Execution threads = engine::sized(run, 4 * static_cast<double>(M.size()));
  engine::parallel_blocks(strips, threads, "summing", [&](Index s) {
    const Index first = s * strip;
    if (first + strip <= M.cols())
      add(M.template middleCols<strip>(first), first);
    else
      add(M.rightCols(M.cols() - first), first);
  });
}

/// grad_W += grad_out^T x and grad_b += the sum of grad_out's rows; grad_b may be empty.
template <class T>
void affine_vjp_parameters(const Points<T>& grad_out, const Points<T>& x, Tile<T> grad_W, Tile<T> grad_b,
                           const Execution& run) {
  engine::add_product<T>(T(1), engine::transposed<T>(grad_out), engine::as_it_is<T>(x), grad_W, run,
                         "multiplying");
  if (grad_b.size()) add_rows<T>(grad_out, grad_b, run);
}

}  // namespace likewise::nn
