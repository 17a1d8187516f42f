// The derivative of a weighted sum over a block of pairs: weights are made again, met with dL/dP and handed to both sides
// while they are in the first cache. Compiled for each instruction set.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "engine/terms/pair_mask.hpp"

namespace likewise::engine::simd {

/// One side of a block of pairs: points that make the scores, and what the loss owes to them.
template <class C> struct PairSide {
  std::ptrdiff_t first, size;  ///< what the mask calls the first one
  const C* points;             ///< (size, width)
  C* by_points;                ///< (size, width), is added to; nullptr: not asked for
};

/// What a side brings to dL/dP and to the exponents, as those who ask or as those who are asked.
template <class C> struct PairTerms {
  const C* columns;             ///< (size, n_columns): dL/dY of those who ask, V of those who are asked
  std::ptrdiff_t stride;        ///< of their rows
  const C* shift;               ///< (size,), of the exponents, to the base 2
  const C *deduction, *factor;  ///< (size,), or nullptr: 0
  double* sums;                 ///< (size,), get each point's sum of dL/d log P
};

/// Who asks whom.
template <class C> struct PairDirection {
  bool rows_ask;
  PairTerms<C> rows, panels;
  C* by_values;  ///< of the side that is asked: P^T dL/dY, (size, n_columns), is added to; nullptr: not asked for
};

/// P_ij = 2^(scale <A_i, B_j> + shift_i + shift_j) and
/// dL/d log P_ij = P_ij (<columns_i, columns_j> - deduction_i - deduction_j - factor_i factor_j), in one direction or in both, which
/// share their scores. Points get `rate` times the sum of dL/d log P times the points they meet.
template <class C> struct PairBlock {
  PairSide<C> rows, panels;
  std::ptrdiff_t width, n_columns;
  C scale, rate;
  const PairMask* mask;  ///< nullptr: all pairs
  std::array<PairDirection<C>, 2> directions;
  int n_directions;
};

/// Memory that a thread keeps from block to block: fresh memory of this size would be paged in for each.
template <class C> class PairScratch {
 public:
  PairScratch();
  ~PairScratch();
  /// At least `size` numbers, aligned for any vector; what they were is lost.
  C* take(std::size_t size);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

/// Adds the block's derivatives to all that it names; returns the sum of dL/d log P_ij times scale <A_i, B_j>. Five products of
/// the block's shape, seven in both directions; scratch of O((n_rows + one panel) (width + n_columns)) numbers.
template <class C> double differentiate_pairs(const PairBlock<C>& block, PairScratch<C>& scratch);

}  // namespace likewise::engine::simd
