// K itself, before any scaling: asked for sums of rows and columns, then turned into the map exp(log l_i + log K_ij + log
// r_j).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <likewise/linear_map.hpp>
#include <likewise/mechanism_value.hpp>
#include <likewise/undivided_rows.hpp>

#include "engine/log_weights.hpp"
#include "operator/edges.hpp"
#include "operator/lazy.hpp"

namespace likewise {

/// What scales K's rows and columns, and what a row without mass yields.
struct Scaling {
  std::shared_ptr<const Lazy<Vector<double>>> log_left;
  std::shared_ptr<const Vector<double>> log_right;
  bool by_row_mass = false;  ///< l_i is 1/(null_mass + mass of row i): taken from the product's own pass
  double null_mass = 0;
  EmptyRow empty_row = EmptyRow::zero;
  /// A sparse map divides its products by the rows' masses instead of storing divided weights: where nobody needs the
  /// entries, so that a mean of equal weights is a sum divided once.
  bool divides_products = false;
};

template <class T> class KernelMatrix {
 public:
  virtual ~KernelMatrix() = default;
  virtual Index rows() const = 0;
  virtual Index cols() const = 0;
  /// log sum_j K_ij exp(bias_j)
  virtual Vector<double> log_row_sums(const Vector<double>& key_bias, const Execution& run) const = 0;
  /// log sum_i exp(bias_i) K_ij
  virtual Vector<double> log_column_sums(const Vector<double>& row_bias, const Execution& run) const = 0;
  /// log K_ii of a square matrix, -inf where the pair is not admitted.
  virtual Vector<double> log_diagonal() const = 0;
  /// The scaled map in that storage ("streamed", "dense" or "sparse").
  virtual std::shared_ptr<const LinearMapStorage<T>> scaled(const Scaling& scaling,
                                                            const std::string& storage,
                                                            const Execution& run) const = 0;
  /// The storages it offers, the automatic choice first.
  virtual std::vector<std::string> storages() const = 0;
  /// Its rows before their division, under a scaling by row mass; nothing where it is made of tiles.
  virtual std::optional<UndividedRows> undivided(const Scaling& /*scaling*/, const Execution& /*run*/) const {
    return std::nullopt;
  }
  /// What it is made of; nullptr where that is edges.
  virtual std::shared_ptr<const engine::LogWeights<T>> tiles() const { return nullptr; }
};

/// Makes the weights of the same points in float64.
using MakeWide = std::function<std::shared_ptr<const engine::LogWeights<double>>()>;

/// From tiles: streamed, dense or, where most weights vanish, sparse. Of float32 points with large exponents stored entries are
/// found in float64, from what `wide` makes then.
template <class T>
std::shared_ptr<const KernelMatrix<T>> tiled_kernel_matrix(std::shared_ptr<const engine::LogWeights<T>> tiles,
                                                           MakeWide wide);

/// log l_i + K.row_shift()_i, what multiplies K's rows as they are filled, to all digits.
template <class T>
Vector<double> shifted_log_left(const engine::LogWeights<T>& K, const Scaling& scaling, const Execution& run);

/// From a list of edges: sparse or dense.
template <class T> std::shared_ptr<const KernelMatrix<T>> edge_kernel_matrix(WeightedEdges edges);

/// The matrix of a map whose storage is dense or sparse; nullptr for the others, and where products are divided.
template <class T> const Matrix<T>* dense_matrix_of(const LinearMapStorage<T>& map);
template <class T> const SparseMatrix<T>* sparse_matrix_of(const LinearMapStorage<T>& map);

}  // namespace likewise
