#include "operator/pair_filters.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include <likewise/error.hpp>

namespace likewise {
namespace {

/// The last key of query i under a causal filter, plus one.
Index causal_end(const Causal& causal, Index i, Index n_queries, Index n_keys) {
  const Index end = i + 1 + (causal.align == "lower_right" ? n_keys - n_queries : 0);
  return std::clamp<Index>(end, 0, n_keys);
}

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

struct Admits {
  Index i, j, n_queries, n_keys;
  bool operator()(const LeaveOneOut&) const { return i != j; }
  bool operator()(const Causal& causal) const { return j < causal_end(causal, i, n_queries, n_keys); }
  bool operator()(const Mask& mask) const { return (*mask.admitted)(i, j); }
  bool operator()(const Graph&) const { return true; }
};

template <class T> struct Exclude {
  Index i0, j0, n_queries, n_keys;
  T excluded;
  Tile<T>& tile;

  void operator()(const LeaveOneOut&) const {
    const Index first = std::max(i0, j0), last = std::min(i0 + tile.rows(), j0 + tile.cols());
    for (Index i = first; i < last; ++i) tile(i - i0, i - j0) = excluded;
  }
  void operator()(const Causal& causal) const {
    for (Index a = 0; a < tile.rows(); ++a) {
      const Index keep =
          std::clamp<Index>(causal_end(causal, i0 + a, n_queries, n_keys) - j0, 0, tile.cols());
      tile.row(a).tail(tile.cols() - keep).setConstant(excluded);
    }
  }
  void operator()(const Mask& mask) const {
    for (Index a = 0; a < tile.rows(); ++a)
      for (Index b = 0; b < tile.cols(); ++b)
        if (!(*mask.admitted)(i0 + a, j0 + b)) tile(a, b) = excluded;
  }
  void operator()(const Graph&) const {}
};

using Coverage = engine::PairMask::Coverage;

/// Whether a block of a mask holds a pair of that kind; a row is one fast search of bytes.
bool holds(const BoolMatrix& mask, Index i0, Index n, Index j0, Index m, bool kind) {
  for (Index i = i0; i < i0 + n; ++i)
    if (std::memchr(mask.data() + i * mask.cols() + j0, kind ? 1 : 0, static_cast<std::size_t>(m)))
      return true;
  return false;
}

/// Block after block, so that rows and columns stay in the cache; most masks are empty in most blocks.
bool is_symmetric(const BoolMatrix& mask) {
  constexpr Index size = 64;
  const Index n = mask.rows();
  if (mask.cols() != n) return false;
  for (Index i = 0; i < n; i += size)
    for (Index j = 0; j <= i; j += size) {
      const Index rows = std::min(size, n - i), cols = std::min(size, n - j);
      const bool above = holds(mask, j, cols, i, rows, true), below = holds(mask, i, rows, j, cols, true);
      if (above != below) return false;
      if (above && mask.block(i, j, rows, cols) != mask.block(j, i, cols, rows).transpose()) return false;
    }
  return true;
}

/// What one filter admits of a tile of pairs.
struct Covers {
  Index i0, n, j0, m, n_queries, n_keys;

  Coverage operator()(const LeaveOneOut&) const {
    const bool apart = i0 + n <= j0 || j0 + m <= i0;
    return apart ? Coverage::full : n == 1 && m == 1 ? Coverage::empty : Coverage::partial;
  }
  Coverage operator()(const Causal& causal) const {
    const Index first = causal_end(causal, i0, n_queries, n_keys),
                last = causal_end(causal, i0 + n - 1, n_queries, n_keys);
    return last <= j0 ? Coverage::empty : first >= j0 + m ? Coverage::full : Coverage::partial;
  }
  Coverage operator()(const Mask& mask) const {
    if (!holds(*mask.admitted, i0, n, j0, m, true)) return Coverage::empty;
    return holds(*mask.admitted, i0, n, j0, m, false) ? Coverage::partial : Coverage::full;
  }
  Coverage operator()(const Graph&) const { return Coverage::full; }
};

/// Takes away what one filter excludes, in the engine's layout: pair (a, b) at b * stride + a.
struct Restrict {
  Index i0, n, j0, m, n_queries, n_keys;
  unsigned char* admitted;
  Index stride;

  void operator()(const LeaveOneOut&) const {
    for (Index i = std::max(i0, j0); i < std::min(i0 + n, j0 + m); ++i)
      admitted[(i - j0) * stride + i - i0] = 0;
  }
  void operator()(const Causal& causal) const {
    for (Index a = 0; a < n; ++a)
      for (Index b = std::max<Index>(0, causal_end(causal, i0 + a, n_queries, n_keys) - j0); b < m; ++b)
        admitted[b * stride + a] = 0;
  }
  void operator()(const Mask& mask) const {
    for (Index a = 0; a < n; ++a) {
      const bool* row = mask.admitted->data() + (i0 + a) * mask.admitted->cols() + j0;
      for (Index b = 0; b < m; ++b) admitted[b * stride + a] &= static_cast<unsigned char>(row[b]);
    }
  }
  void operator()(const Graph&) const {}
};

}  // namespace

PairFilters::PairFilters(const Support& support, Index n_queries, Index n_keys)
    : n_queries_(n_queries), n_keys_(n_keys) {
  for (const PairFilter& filter : support.filters()) {
    if (const auto* mask = std::get_if<Mask>(&filter))
      require(mask->admitted->rows() == n_queries && mask->admitted->cols() == n_keys, "Mask",
              "of the operator's shape " + shape(n_queries, n_keys) + " (queries x keys)",
              shape(mask->admitted->rows(), mask->admitted->cols()));
    if (std::holds_alternative<LeaveOneOut>(filter))
      require(n_queries == n_keys, "LeaveOneOut",
              "on a square operator (a query must be a key to be left out)", shape(n_queries, n_keys));
    if (!std::holds_alternative<Graph>(filter)) filters_.push_back(filter);
  }
}

PairFilters PairFilters::first_without_self(Index n_queries, Index n_keys) {
  PairFilters filters;
  filters.filters_.emplace_back(LeaveOneOut{});
  filters.n_queries_ = n_queries;
  filters.n_keys_ = n_keys;
  return filters;
}

bool PairFilters::admits(Index i, Index j) const {
  if (i == j && std::binary_search(kept_.begin(), kept_.end(), i)) return true;
  for (const PairFilter& filter : filters_)
    if (!std::visit(Admits{i, j, n_queries_, n_keys_}, filter)) return false;
  return true;
}

template <class T> void PairFilters::exclude(Index i0, Index j0, T excluded, Tile<T> tile) const {
  std::vector<T> kept;
  for_kept(i0, tile.rows(), j0, tile.cols(), [&](Index i) { kept.push_back(tile(i - i0, i - j0)); });
  for (const PairFilter& filter : filters_)
    std::visit(Exclude<T>{i0, j0, n_queries_, n_keys_, excluded, tile}, filter);
  auto value = kept.begin();
  for_kept(i0, tile.rows(), j0, tile.cols(), [&](Index i) { tile(i - i0, i - j0) = *value++; });
}

engine::Block PairFilters::admitted_keys(Index i0, Index n) const {
  Index end = n_keys_;
  for (const PairFilter& filter : filters_)
    if (const auto* causal = std::get_if<Causal>(&filter))
      end = std::min(end, causal_end(*causal, i0 + n - 1, n_queries_, n_keys_));
  return {0, end};
}

engine::PairMask::Coverage PairFilters::coverage(Index i0, Index n, Index j0, Index m) const {
  Coverage both = Coverage::full;
  for (const PairFilter& filter : filters_) {
    const Coverage one = std::visit(Covers{i0, n, j0, m, n_queries_, n_keys_}, filter);
    if (one == Coverage::empty) both = one;
    if (one == Coverage::partial && both == Coverage::full) both = one;
  }
  if (both == Coverage::empty) for_kept(i0, n, j0, m, [&](Index) { both = Coverage::partial; });
  return both;
}

void PairFilters::admitted(Index i0, Index n, Index j0, Index m, unsigned char* admitted,
                           Index stride) const {
  for (Index b = 0; b < m; ++b) std::fill_n(admitted + b * stride, n, static_cast<unsigned char>(1));
  for (const PairFilter& filter : filters_)
    std::visit(Restrict{i0, n, j0, m, n_queries_, n_keys_, admitted, stride}, filter);
  for_kept(i0, n, j0, m, [&](Index i) { admitted[(i - j0) * stride + i - i0] = 1; });
}

bool PairFilters::symmetric() const {
  for (const PairFilter& filter : filters_) {
    if (std::holds_alternative<Causal>(filter) && n_keys_ > 1) return false;
    if (const auto* mask = std::get_if<Mask>(&filter))
      if (!is_symmetric(*mask->admitted)) return false;
  }
  return true;
}

bool PairFilters::leaves_self_out() const {
  for (Index i = 0; i < std::min(n_queries_, n_keys_); ++i)
    if (!admits(i, i)) return true;
  return false;
}

template void PairFilters::exclude(Index, Index, float, Tile<float>) const;
template void PairFilters::exclude(Index, Index, double, Tile<double>) const;

}  // namespace likewise
