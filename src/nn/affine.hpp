// Rows times a weight matrix, and the derivatives of that: what all layers are made of.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/nn/parameters.hpp>

#include "engine/parallel.hpp"
#include "engine/product.hpp"

namespace likewise::nn {

constexpr Index affine_block = 256;  // rows a thread takes at a time

/// `run` on one thread where n multiplications are done before a second has started.
inline Execution for_multiplications(const Execution& run, Index n) {
  return engine::sized(run, static_cast<double>(n) / 32);
}

/// out = x W^T + b; W (outputs, inputs), b a row or empty.
template <class T>
void affine(const Points<T>& x, const Points<T>& W, const Points<T>& b, Tile<T> out, const Execution& run) {
  const Execution threads = for_multiplications(run, x.rows() * W.size());
  engine::parallel_blocks(engine::block_count(x.rows(), affine_block), threads, "multiplying",
                          [&](Index block) {
                            const auto [begin, size] = engine::block_of(block, x.rows(), affine_block);
                            Tile<T> rows = out.middleRows(begin, size);
                            if (b.size())
                              rows.rowwise() = b.row(0);
                            else
                              rows.setZero();
                            engine::add_product<T>(T(1), engine::as_it_is<T>(x.middleRows(begin, size)),
                                                   engine::transposed<T>(W), rows);
                          });
}

/// grad_x += grad_out W.
template <class T>
void affine_pull_input(const Points<T>& grad_out, const Points<T>& W, Tile<T> grad_x, const Execution& run) {
  const Execution threads = for_multiplications(run, grad_out.rows() * W.size());
  engine::parallel_blocks(
      engine::block_count(grad_out.rows(), affine_block), threads, "multiplying", [&](Index block) {
        const auto [begin, size] = engine::block_of(block, grad_out.rows(), affine_block);
        engine::add_product<T>(T(1), engine::as_it_is<T>(grad_out.middleRows(begin, size)),
                               engine::as_it_is<T>(W), grad_x.middleRows(begin, size));
      });
}

/// grad_W += grad_out^T x and grad_b += the sum of grad_out's rows; grad_b may be empty. Threads share W's rows, so that each
/// sum has one order.
template <class T>
void affine_pull_parameters(const Points<T>& grad_out, const Points<T>& x, Tile<T> grad_W, Tile<T> grad_b,
                            const Execution& run) {
  constexpr Index outputs = 64;
  const Execution threads = for_multiplications(run, x.rows() * grad_W.size());
  engine::parallel_blocks(
      engine::block_count(grad_W.rows(), outputs), threads, "multiplying", [&](Index block) {
        const auto [begin, size] = engine::block_of(block, grad_W.rows(), outputs);
        engine::add_product<T>(T(1), engine::transposed<T>(grad_out.middleCols(begin, size)),
                               engine::as_it_is<T>(x), grad_W.middleRows(begin, size));
      });
  if (grad_b.size()) grad_b.row(0) += grad_out.colwise().sum();
}

}  // namespace likewise::nn
