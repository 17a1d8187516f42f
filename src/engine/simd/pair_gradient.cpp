#include "engine/simd/pair_gradient.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/pair_gradient.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <limits>

#include "engine/simd/product-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr Size kTileRows = kTile;

/// Hands out parts of one scratch, each on a vector's boundary; without memory it only counts.
template <class C> class Parts {
 public:
  explicit Parts(C* memory) : memory_(memory) {}
  C* take(Size size) {
    C* const part = memory_ ? memory_ + taken_ : nullptr;
    constexpr Size line = 128 / sizeof(C);
    taken_ += (size + line - 1) / line * line;
    return part;
  }
  Size taken() const { return taken_; }

 private:
  C* memory_;
  Size taken_ = 0;
};

/// Rows of n_columns numbers, on vector boundaries and an odd number of vectors apart: a power of two would let the rows of a
/// tile meet in few sets of the first cache.
template <class C> struct Padded {
  C* data = nullptr;
  Size n_columns = 0, pitch = 0;

  void take(Parts<C>& parts, Size n_rows, Size columns) {
    const Size vector = static_cast<Size>(hn::Lanes(Tag<C>()));
    n_columns = columns;
    pitch = ((columns + vector - 1) / vector | 1) * vector;
    data = parts.take(n_rows * pitch);
  }
  C* row(Size i) const { return data + i * pitch; }

  /// Rows, `stride` apart, then zeros up to n_filled rows.
  void copy(const C* rows, Size n_rows, Size stride, Size n_filled) const {
    for (Size i = 0; i < n_filled; ++i) {
      C* const to = row(i);
      const Size n = i < n_rows ? n_columns : 0;
      for (Size c = 0; c < n; ++c) to[c] = rows[i * stride + c];
      std::fill(to + n, to + pitch, C(0));
    }
  }
};

/// result += A B for n_rows rows of A, whose element (i, k) stands at A[i * row_stride + k * column_stride], and `depth` rows of
/// B. Rows of the result have B's columns and no gaps.
template <class C>
HWY_INLINE void AddProduct(const C* A, Size row_stride, Size column_stride, Size n_rows, const C* B,
                           Size depth, const Padded<C>& of_B, C* result) {
  const InPlace strides{row_stride, column_stride, of_B.pitch};
  const Panels<C> cut{of_B.n_columns};
  for (Size p = 0; p < cut.count(); ++p)
    PanelKernel(strides, A, cut.vectors(p))(A, strides, n_rows, B + cut.begin(p), depth,
                                            cut.end(p) - cut.begin(p), result + cut.begin(p), of_B.n_columns);
}

/// `size` numbers, of which nullptr stands for zeros, then `otherwise` up to n_filled.
template <class C> void CopyOr(const C* from, Size size, C otherwise, Size n_filled, C* to) {
  for (Size a = 0; a < n_filled; ++a) to[a] = a < size ? (from ? from[a] : C(0)) : otherwise;
}

/// One direction of a block, with its part of the scratch.
template <class C> struct Direction {
  const PairDirection<C>* given;
  Padded<C> row_columns, panel_columns;       ///< what is broadcast, and what products of rows add up
  C *row_shift, *row_deduction, *row_factor;  ///< of all rows
  C* row_sums;                                ///< a vector of partial sums for each row
  C* columns;                                 ///< (n_columns, lanes), of the panel
  C *shift, *deduction, *factor, *sums;       ///< of the panel's lanes
  C *weights, *slopes;                        ///< (kTile, lanes): P; dL/dP and then dL/d log P
  C* excluded;  ///< (kTile, lanes), is added to exponents: 0, or the lowest number
  bool masked;
};

template <class C> class PairWorker {
 public:
  PairWorker(const PairBlock<C>& block, PairScratch<C>& scratch) : block_(block) {
    Parts<C> count(nullptr);
    LayOut(count);
    Parts<C> parts(scratch.take(static_cast<std::size_t>(count.taken())));
    LayOut(parts);
  }

  double Run() {
    OpenRows();
    double by_scores = 0;
    for (Size first = 0; first < block_.panels.size; first += lanes_) {
      const Size size = std::min(lanes_, block_.panels.size - first);
      OpenPanel(first, size);
      for (Size tile = 0; tile < n_tiles_; ++tile) {
        const Size i = TileBegin(tile);
        by_scores += Meet(i, std::min(TileBegin(tile + 1), n_rows_) - i, first, size);
      }
    }
    CloseRows();
    return by_scores;
  }

 private:
  using V = Vec<C>;

  void LayOut(Parts<C>& parts) {
    const Size width = block_.width, c = block_.n_columns;
    row_points_.take(parts, n_filled_, width);
    panel_points_.take(parts, lanes_, width);
    points_ = parts.take(width * lanes_);
    scores_ = parts.take(kTileRows * lanes_);
    admitted_ = reinterpret_cast<unsigned char*>(parts.take(kTileRows * lanes_));
    for (int k = 0; k < block_.n_directions; ++k) {
      Direction<C>& d = directions_[k];
      d.given = &block_.directions[static_cast<std::size_t>(k)];
      d.row_columns.take(parts, n_filled_, c);
      if (d.given->by_values && !d.given->rows_ask) d.panel_columns.take(parts, lanes_, c);
      for (C** part : {&d.row_shift, &d.row_deduction, &d.row_factor}) *part = parts.take(n_filled_);
      d.row_sums = parts.take(n_filled_ * vector_);
      d.columns = parts.take(c * lanes_);
      for (C** part : {&d.shift, &d.deduction, &d.factor, &d.sums}) *part = parts.take(lanes_);
      for (C** part : {&d.weights, &d.slopes, &d.excluded}) *part = parts.take(kTileRows * lanes_);
    }
  }

  /// Rows are copied once and met by every panel.
  void OpenRows() {
    row_points_.copy(block_.rows.points, n_rows_, block_.width, n_filled_);
    for (int k = 0; k < block_.n_directions; ++k) {
      const Direction<C>& d = directions_[k];
      const PairTerms<C>& terms = d.given->rows;
      d.row_columns.copy(terms.columns, n_rows_, terms.stride, n_filled_);
      CopyOr(terms.shift, n_rows_, std::numeric_limits<C>::lowest(), n_filled_, d.row_shift);
      CopyOr(terms.deduction, n_rows_, C(0), n_filled_, d.row_deduction);
      CopyOr(terms.factor, n_rows_, C(0), n_filled_, d.row_factor);
      std::fill_n(d.row_sums, n_filled_ * vector_, C(0));
    }
  }

  void CloseRows() {
    for (int k = 0; k < block_.n_directions; ++k) {
      const Direction<C>& d = directions_[k];
      for (Size i = 0; i < n_rows_; ++i)
        d.given->rows.sums[i] +=
            static_cast<double>(hn::GetLane(hn::SumOfLanes(tag_, hn::Load(tag_, d.row_sums + i * vector_))));
    }
  }

  void OpenPanel(Size first, Size size) {
    const C* const points = block_.panels.points + first * block_.width;
    const auto pack = [size](const C* rows, Size stride, Size width, C scale, C* panel) {
      PackPanel<C>(rows, static_cast<std::size_t>(size), static_cast<std::size_t>(stride),
                   static_cast<std::size_t>(width), scale, panel);
    };
    pack(points, block_.width, block_.width, block_.scale, points_);
    if (block_.rows.by_points) panel_points_.copy(points, size, block_.width, lanes_);
    for (int k = 0; k < block_.n_directions; ++k) {
      const Direction<C>& d = directions_[k];
      const PairTerms<C>& terms = d.given->panels;
      const C* const columns = terms.columns + first * terms.stride;
      pack(columns, terms.stride, block_.n_columns, C(1), d.columns);
      const auto at = [first](const C* from) { return from ? from + first : nullptr; };
      CopyOr(at(terms.shift), size, std::numeric_limits<C>::lowest(), lanes_, d.shift);
      CopyOr(at(terms.deduction), size, C(0), lanes_, d.deduction);
      CopyOr(at(terms.factor), size, C(0), lanes_, d.factor);
      if (d.panel_columns.data) d.panel_columns.copy(columns, size, terms.stride, lanes_);
    }
  }

  /// A tile of rows with a panel.
  double Meet(Size i, Size n, Size first, Size size) {
    const Size filled = Filled(n);
    const Direction<C>* met[2];
    int n_met = 0;
    for (int k = 0; k < block_.n_directions; ++k)
      if (Admits(directions_[k], i, n, first, size)) met[n_met++] = &directions_[k];
    if (n_met == 0) return 0;
    Scores(i, filled);
    double by_scores = 0;
    for (int k = 0; k < n_met; ++k) {
      const Direction<C>& d = *met[k];
      Dots(d, i, filled);
      by_scores += Weigh(d, i, filled);
      SumLanes(d, first, size);
      if (!d.given->by_values) continue;
      if (d.given->rows_ask)
        AddProduct(d.weights, 1, lanes_, size, d.row_columns.row(i), n, d.row_columns,
                   d.given->by_values + first * block_.n_columns);
      else
        AddProduct(d.weights, lanes_, 1, n, d.panel_columns.data, size, d.panel_columns,
                   d.given->by_values + i * block_.n_columns);
    }
    if (!block_.rows.by_points) return by_scores;
    C* const slopes = met[0]->slopes;
    if (n_met == 2)
      for (Size at = 0; at < n * lanes_; ++at) slopes[at] += met[1]->slopes[at];
    AddProduct(slopes, 1, lanes_, size, row_points_.row(i), n, row_points_,
               block_.panels.by_points + first * block_.width);
    AddProduct(slopes, lanes_, 1, n, panel_points_.data, size, panel_points_,
               block_.rows.by_points + i * block_.width);
    return by_scores;
  }

  /// Whether the mask leaves pairs; where it takes some, `excluded` is added to their exponents.
  bool Admits(Direction<C>& d, Size i, Size n, Size first, Size size) {
    d.masked = false;
    if (!block_.mask) return true;
    const bool rows_ask = d.given->rows_ask;
    const Size row = block_.rows.first + i, panel = block_.panels.first + first;
    const Size query = rows_ask ? row : panel, key = rows_ask ? panel : row;
    const Size n_queries = rows_ask ? n : size, n_keys = rows_ask ? size : n;
    const PairMask::Coverage coverage = block_.mask->coverage(query, n_queries, key, n_keys);
    if (coverage == PairMask::Coverage::empty) return false;
    if (coverage == PairMask::Coverage::full) return true;
    block_.mask->admitted(query, n_queries, key, n_keys, admitted_, n_queries);
    std::fill_n(d.excluded, Filled(n) * lanes_, std::numeric_limits<C>::lowest());
    for (Size a = 0; a < n; ++a)
      for (Size b = 0; b < size; ++b)
        if (admitted_[rows_ask ? b * n + a : a * size + b]) d.excluded[a * lanes_ + b] = 0;
    return d.masked = true;
  }

  /// slopes = <columns_i, columns_j> - deduction_i - deduction_j - factor_i factor_j.
  HWY_NOINLINE void Dots(const Direction<C>& d, Size first, Size n) {
    for (Size i = 0; i < n; i += kGroup) {
      V acc[kKeys][kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        const V deduction = hn::Load(tag_, d.deduction + static_cast<Size>(v) * vector_),
                factor = hn::Load(tag_, d.factor + static_cast<Size>(v) * vector_);
        LIKEWISE_UNROLL
        for (std::size_t b = 0; b < kKeys; ++b) {
          const Size row = first + i + static_cast<Size>(b);
          acc[b][v] = hn::Neg(hn::MulAdd(factor, hn::Set(tag_, d.row_factor[row]),
                                         hn::Add(deduction, hn::Set(tag_, d.row_deduction[row]))));
        }
      }
      MultiplyAdd<kKeys, C>(d.columns, static_cast<std::size_t>(block_.n_columns),
                            d.row_columns.row(first + i), static_cast<std::size_t>(d.row_columns.pitch), 1,
                            acc);
      StoreGroup(acc, d.slopes, i);
    }
  }

  /// scale <A_i, B_j>. By itself: with the weights in the same loop, accumulators would leave the registers.
  HWY_NOINLINE void Scores(Size first, Size n) {
    for (Size i = 0; i < n; i += kGroup) {
      V acc[kKeys][kVectors];
      LIKEWISE_UNROLL
      for (std::size_t b = 0; b < kKeys; ++b) {
        LIKEWISE_UNROLL
        for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Zero(tag_);
      }
      MultiplyAdd<kKeys, C>(points_, static_cast<std::size_t>(block_.width), row_points_.row(first + i),
                            static_cast<std::size_t>(row_points_.pitch), 1, acc);
      StoreGroup(acc, scores_, i);
    }
  }

  HWY_INLINE void StoreGroup(const V (&acc)[kKeys][kVectors], C* tile, Size i) const {
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < kKeys; ++b) {
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v)
        hn::Store(acc[b][v], tag_,
                  tile + (i + static_cast<Size>(b)) * lanes_ + static_cast<Size>(v) * vector_);
    }
  }

  /// Scores become weights, and dL/dP becomes rate * dL/d log P; the sums of dL/d log P go to rows and lanes. Returns the sum of
  /// dL/d log P times the score.
  HWY_NOINLINE double Weigh(const Direction<C>& d, Size first, Size n) {
    const V largest = hn::Set(tag_, sizeof(C) == 4 ? C(126) : C(1022)), rate = hn::Set(tag_, block_.rate);
    V shift[kVectors], lane_sums[kVectors], total = hn::Zero(tag_);
    for (std::size_t v = 0; v < kVectors; ++v) {
      shift[v] = hn::Load(tag_, d.shift + static_cast<Size>(v) * vector_);
      lane_sums[v] = hn::Zero(tag_);
    }
    for (Size i = 0; i < n; ++i) {
      const V row_shift = hn::Set(tag_, d.row_shift[first + i]);
      V row_sum = hn::Load(tag_, d.row_sums + (first + i) * vector_);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        const Size at = i * lanes_ + static_cast<Size>(v) * vector_;
        const V score = hn::Load(tag_, scores_ + at);
        V x = hn::Add(score, hn::Add(row_shift, shift[v]));
        if (d.masked) x = hn::Add(x, hn::Load(tag_, d.excluded + at));
        const V w = Exp2(tag_, hn::Min(x, largest));
        // Where the weight is 0, nothing is owed, whatever dL/dP is.
        const V g = hn::IfThenElseZero(hn::Gt(w, hn::Zero(tag_)), hn::Mul(w, hn::Load(tag_, d.slopes + at)));
        hn::Store(w, tag_, d.weights + at);
        hn::Store(hn::Mul(g, rate), tag_, d.slopes + at);
        row_sum = hn::Add(row_sum, g);
        lane_sums[v] = hn::Add(lane_sums[v], g);
        total = hn::MulAdd(g, score, total);
      }
      hn::Store(row_sum, tag_, d.row_sums + (first + i) * vector_);
    }
    for (std::size_t v = 0; v < kVectors; ++v)
      hn::Store(lane_sums[v], tag_, d.sums + static_cast<Size>(v) * vector_);
    return static_cast<double>(hn::GetLane(hn::SumOfLanes(tag_, total)));
  }

  static void SumLanes(const Direction<C>& d, Size first, Size size) {
    for (Size a = 0; a < size; ++a) d.given->panels.sums[first + a] += static_cast<double>(d.sums[a]);
  }

  /// Tiles share the groups of rows about equally: a short one would visit all sums for little.
  Size TileBegin(Size tile) const { return n_filled_ / kGroup * tile / n_tiles_ * kGroup; }
  static Size Filled(Size n) { return (n + kGroup - 1) / kGroup * kGroup; }

  static constexpr Size kGroup = kKeys;
  const PairBlock<C>& block_;
  const Tag<C> tag_;
  const Size lanes_ = static_cast<Size>(PanelLanes<C>()), vector_ = static_cast<Size>(hn::Lanes(Tag<C>())),
             n_rows_ = block_.rows.size, n_filled_ = Filled(n_rows_),
             n_tiles_ = (n_rows_ + kTileRows - 1) / kTileRows;
  Padded<C> row_points_, panel_points_;
  C *points_ = nullptr, *scores_ = nullptr;  ///< (width, lanes) and (kTile, lanes)
  unsigned char* admitted_ = nullptr;
  Direction<C> directions_[2];
};

double DifferentiateFloat(const PairBlock<float>& block, PairScratch<float>& scratch) {
  return PairWorker<float>(block, scratch).Run();
}
double DifferentiateDouble(const PairBlock<double>& block, PairScratch<double>& scratch) {
  return PairWorker<double>(block, scratch).Run();
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(DifferentiateFloat);
HWY_EXPORT(DifferentiateDouble);

template <class C> struct PairScratch<C>::Memory {
  hwy::AlignedFreeUniquePtr<C[]> numbers;
  std::size_t size = 0;
};
template <class C> PairScratch<C>::PairScratch() : memory_(std::make_unique<Memory>()) {}
template <class C> PairScratch<C>::~PairScratch() = default;
template <class C> C* PairScratch<C>::take(std::size_t size) {
  if (size > memory_->size) {
    memory_->numbers = hwy::AllocateAligned<C>(size);
    memory_->size = size;
  }
  return memory_->numbers.get();
}
template class PairScratch<float>;
template class PairScratch<double>;

template <> double differentiate_pairs(const PairBlock<float>& block, PairScratch<float>& scratch) {
  return HWY_DYNAMIC_DISPATCH(DifferentiateFloat)(block, scratch);
}
template <> double differentiate_pairs(const PairBlock<double>& block, PairScratch<double>& scratch) {
  return HWY_DYNAMIC_DISPATCH(DifferentiateDouble)(block, scratch);
}

}  // namespace likewise::engine::simd
#endif
