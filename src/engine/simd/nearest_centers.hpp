// Squared distances between many points and a few centers: points in lanes, by definition (no product that cancels).
#pragma once

#include <likewise/types.hpp>

#include "engine/terms/block.hpp"

namespace likewise::engine {

/// Points with a coordinate a row, padded to whole blocks.
class PointColumns {
 public:
  static constexpr Index block = 1024;

  explicit PointColumns(const Matrix<double>& X);
  Index size() const { return n_; }
  Index blocks() const { return block_count(n_, block); }
  Block points(Index b) const { return block_of(b, n_, block); }
  /// Coordinates of block b: row p has `block` numbers; the last block's padding is 0.
  const double* coordinates(Index b) const { return X_.data() + b * block * dims_; }
  Index dims() const { return dims_; }

 private:
  Index n_, dims_;
  Vector<double> X_;
};

/// The nearest of k centers (row-major, k x dims) for each point of block b, ties to the lowest index: its number and
/// its squared distance, `PointColumns::block` of each.
void nearest_centers(const PointColumns& X, Index b, const Matrix<double>& centers, double* number,
                     double* cost);

/// then[c * block + i] = min(nearest[i], |x_i - center c|^2) for the points of block b.
void nearer_with_each(const PointColumns& X, Index b, const Matrix<double>& centers, const double* nearest,
                      double* then);

}  // namespace likewise::engine
