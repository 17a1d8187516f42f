// shift I - A = P^T L D L^T P for a sparse symmetric A: systems are solved by it, and eigenvalues counted.
#pragma once

#include <memory>

#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

/// Eigenvalues of A above the shift. Rounding makes the count that of a matrix at most `error` (a norm) away from A.
struct Inertia {
  Index above;
  double error;
};

class SparseFactor {
 public:
  /// Finds an ordering and the places of L's entries (approximate minimum degree), no numbers yet.
  explicit SparseFactor(const SparseMatrix<double>& A);
  ~SparseFactor();
  SparseFactor(SparseFactor&&) noexcept;
  SparseFactor& operator=(SparseFactor&&) noexcept;

  double operations() const;  ///< multiplications of one factorization
  double entries() const;     ///< of L

  /// False where a pivot is 0: another shift will do.
  bool factorize(double shift);
  /// (shift I - A)^-1 B.
  Columns solve(const Columns& B) const;
  /// Sylvester: D has as many negative entries as shift I - A has negative eigenvalues.
  Inertia inertia() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A cheap guess of SparseFactor::operations, from how fast a walk through the graph widens. A's rows must be in the order
/// of such a walk.
double guessed_operations(const SparseMatrix<double>& A);

}  // namespace likewise::spectrum
