// Rows times a weight matrix, and the derivatives of that: what all layers are made of.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/nn/parameters.hpp>

#include "engine/product.hpp"

namespace likewise::nn {

/// out = x W^T + b; W (outputs, inputs), b a row or empty.
template <class T>
void affine(const Points<T>& x, const Points<T>& W, const Points<T>& b, Tile<T> out, const Execution& run) {
  engine::set_product<T>(b, T(1), engine::as_it_is<T>(x), engine::transposed<T>(W), out, run, "multiplying");
}

/// grad_x = grad_out W.
template <class T>
void affine_pull_input(const Points<T>& grad_out, const Points<T>& W, Tile<T> grad_x, const Execution& run) {
  engine::set_product<T>(Matrix<T>(), T(1), engine::as_it_is<T>(grad_out), engine::as_it_is<T>(W), grad_x,
                         run, "multiplying");
}

/// grad_x += grad_out W.
template <class T>
void affine_add_input(const Points<T>& grad_out, const Points<T>& W, Tile<T> grad_x, const Execution& run) {
  engine::add_product<T>(T(1), engine::as_it_is<T>(grad_out), engine::as_it_is<T>(W), grad_x, run,
                         "multiplying");
}

/// grad_W += grad_out^T x and grad_b += the sum of grad_out's rows; grad_b may be empty.
template <class T>
void affine_pull_parameters(const Points<T>& grad_out, const Points<T>& x, Tile<T> grad_W, Tile<T> grad_b,
                            const Execution& run) {
  engine::add_product<T>(T(1), engine::transposed<T>(grad_out), engine::as_it_is<T>(x), grad_W, run,
                         "multiplying");
  if (grad_b.size()) grad_b.row(0) += grad_out.colwise().sum();
}

}  // namespace likewise::nn
