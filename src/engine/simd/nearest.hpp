// Lists of the nearest keys of many queries, filled by fused loops that are compiled for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace likewise::engine::simd {

/// Indices as wide as the values they travel with, so that one mask moves both.
template <class C> using ListIndex = std::conditional_t<sizeof(C) == 4, std::int32_t, std::int64_t>;

/// Whether key j may be listed for query i; called for the few pairs that would be.
struct PairCondition {
  bool skip_self = false;
  const void* context = nullptr;
  bool (*admits)(const void* context, std::ptrdiff_t i, std::ptrdiff_t j) = nullptr;

  bool trivial() const { return !skip_self && !admits; }
  bool allows(std::ptrdiff_t i, std::ptrdiff_t j) const {
    return !(skip_self && i == j) && (!admits || admits(context, i, j));
  }
};

/// The lowest values of each row. A key that is not listed has a value of at least the row's threshold.
/// `keep` is a multiple of 16. capacity == keep: rows stay sorted, an insertion moves vectors. capacity > keep:
/// values are appended, and full rows cut back to the `keep` lowest.
template <class C> struct NearestLists {
  C* values;            ///< (rows, capacity), +inf where nothing is listed; one vector of slack at the end
  ListIndex<C>* keys;   ///< the same shape
  C* thresholds;        ///< (rows, rounded up to whole panels): +inf at first, -inf beyond the last row
  std::int32_t* sizes;  ///< (rows,): how many are listed; only of appended rows
  std::ptrdiff_t capacity, keep;

  bool sorted() const { return capacity == keep; }
};

/// The longest rows that pay as sorted lists.
constexpr std::ptrdiff_t longest_sorted_list = 64;

/// Values v_ij = query_bias_i + key_bias_j - <A_i, B_j>. Indices in lists are first_key + j (first_query + i).
template <class C> struct CostBlock {
  const C* panels;      ///< from pack_queries
  const C* query_bias;  ///< (n_queries, rounded up to whole panels), +inf beyond the last query
  std::ptrdiff_t n_queries, width;
  const C* keys;
  std::ptrdiff_t key_stride;
  const C* key_bias;
  std::ptrdiff_t n_keys;
  std::ptrdiff_t first_query, first_key;
};

/// Rows (n, width), contiguous, into ceil(n / panel_lanes) panels.
template <class C> void pack_queries(const C* rows, std::ptrdiff_t n, std::ptrdiff_t width, C* panels);

/// Offers every pair to the lists of the queries and, where given, each pair's mirror to the lists of the keys.
template <class C>
void scan_nearest(const CostBlock<C>& block, const PairCondition& rule, const NearestLists<C>& of_queries,
                  const NearestLists<C>* of_keys);

/// Who is told about pairs below a limit; `query` counts from 0 within the block.
struct PairSink {
  void* context;
  void (*found)(void* context, std::ptrdiff_t query, std::ptrdiff_t key);
};

/// Reports every pair with v_ij < limits[i] (rounded up to whole panels, -inf beyond the last).
template <class C> void scan_below(const CostBlock<C>& block, const C* limits, const PairSink& sink);

/// A k-d tree over sums of |x_k - z_k|^power, or over the largest |x_k - z_k| where power is infinite. Leaves hold `leaf_size` keys as (width, leaf_size), the last padded.
template <class C> struct SumTreeView {
  struct Node {
    C low, high;        ///< keys left of the split have coordinates up to low, those right of it from high
    std::int32_t axis;  ///< -1: a leaf
    std::int32_t
        target;  ///< the node right of the split (the left one follows this node), or the leaf's number
  };
  const Node* nodes;
  const C* leaves;
  const std::int32_t* keys;  ///< (leaves, leaf_size), -1 where padded
  const C *box_low, *box_high;
  std::ptrdiff_t width;
  double power;
  C slack;  ///< a branch is left out where its distance (1 - slack) is not below the threshold
};
constexpr std::ptrdiff_t tree_leaf_size = 32;

/// What a search through a tree met.
struct TreeVisits {
  std::int64_t nodes = 0, leaves = 0;
};

/// Offers the keys near each query to row 0, 1, ... of the lists. Points (n, width) contiguous; `ids` are the
/// queries' indices.
template <class C>
TreeVisits search_nearest(const SumTreeView<C>& tree, const C* points, const std::ptrdiff_t* ids,
                          std::ptrdiff_t n, const PairCondition& rule, const NearestLists<C>& lists);
/// Reports the keys of a sum below limits[query].
template <class C>
TreeVisits search_below(const SumTreeView<C>& tree, const C* points, std::ptrdiff_t n, const C* limits,
                        const PairSink& sink);

}  // namespace likewise::engine::simd
