#include "operator/pair_filters.hpp"

#include <algorithm>

namespace likewise {
namespace {

using Coverage = engine::PairMask::Coverage;

/// What of a tile's keys [j0, j0 + m) one filter admits to query i.
template <class F>
AdmittedKeys keys_in_tile(const F& filter, Index i, Index j0, Index m, const PairShape& shape) {
  AdmittedKeys keys = filter.keys_of(i, shape);
  keys.begin = std::clamp(keys.begin, j0, j0 + m);
  keys.end = std::clamp(keys.end, keys.begin, j0 + m);
  if (keys.hole < keys.begin || keys.hole >= keys.end) keys.hole = -1;
  return keys;
}

/// Calls exclude(j, end) for runs of keys of the tile that the filter does not admit to query i.
template <class F, class Exclude>
void for_excluded(const F& filter, Index i, Index j0, Index m, const PairShape& shape,
                  const Exclude& exclude) {
  const AdmittedKeys keys = keys_in_tile(filter, i, j0, m, shape);
  if (keys.begin > j0) exclude(j0, keys.begin);
  if (keys.hole >= 0) exclude(keys.hole, keys.hole + 1);
  if (!keys.all)
    for (Index j = keys.begin; j < keys.end; ++j)
      if (!filter.admits(i, j, shape)) exclude(j, j + 1);
  if (keys.end < j0 + m) exclude(keys.end, j0 + m);
}

/// How many of a tile's keys it admits to query i.
template <class F> Index count_admitted(const F& filter, Index i, Index j0, Index m, const PairShape& shape) {
  const AdmittedKeys keys = keys_in_tile(filter, i, j0, m, shape);
  if (keys.all) return keys.end - keys.begin - (keys.hole >= 0);
  Index count = 0;
  for (Index j = keys.begin; j < keys.end; ++j) count += filter.admits(i, j, shape);
  return count;
}

/// What one filter admits of a tile of pairs.
template <class F>
Coverage covers(const F& filter, Index i0, Index n, Index j0, Index m, const PairShape& shape) {
  bool some = false, every = true;
  for (Index i = i0; i < i0 + n && !(some && !every); ++i) {
    const Index count = count_admitted(filter, i, j0, m, shape);
    some |= count > 0;
    every &= count == m;
  }
  return every ? Coverage::full : some ? Coverage::partial : Coverage::empty;
}

}  // namespace

PairFilters::PairFilters(const Support& support, const PairShape& shape) : shape_(shape) {
  for (const PairFilter& filter : support.filters()) {
    std::visit([&](const auto& leaf) { leaf.check(shape); }, filter);
    filters_.push_back(filter);
  }
}

PairFilters PairFilters::first_without_self(Index n_queries, Index n_keys) {
  PairFilters filters;
  filters.filters_.emplace_back(LeaveOneOut{});
  filters.shape_ = {n_queries, n_keys};
  return filters;
}

bool PairFilters::admits(Index i, Index j) const {
  if (i == j && std::binary_search(kept_.begin(), kept_.end(), i)) return true;
  for (const PairFilter& filter : filters_)
    if (!std::visit([&](const auto& leaf) { return leaf.admits(i, j, shape_); }, filter)) return false;
  return true;
}

template <class T> void PairFilters::exclude(Index i0, Index j0, T excluded, Tile<T> tile) const {
  std::vector<T> kept;
  for_kept(i0, tile.rows(), j0, tile.cols(), [&](Index i) { kept.push_back(tile(i - i0, i - j0)); });
  for (const PairFilter& filter : filters_)
    std::visit(
        [&](const auto& leaf) {
          for (Index a = 0; a < tile.rows(); ++a)
            for_excluded(leaf, i0 + a, j0, tile.cols(), shape_, [&](Index j, Index end) {
              tile.row(a).segment(j - j0, end - j).setConstant(excluded);
            });
        },
        filter);
  auto value = kept.begin();
  for_kept(i0, tile.rows(), j0, tile.cols(), [&](Index i) { tile(i - i0, i - j0) = *value++; });
}

engine::Block PairFilters::admitted_keys(Index i0, Index n) const {
  Index begin = 0, end = shape_.n_keys;
  for (const PairFilter& filter : filters_) {
    Index first = end, last = begin;
    for (Index i = i0; i < i0 + n; ++i) {
      const AdmittedKeys keys = std::visit([&](const auto& leaf) { return leaf.keys_of(i, shape_); }, filter);
      if (keys.begin >= keys.end) continue;
      first = std::min(first, keys.begin);
      last = std::max(last, keys.end);
    }
    begin = std::max(begin, first);
    end = std::min(end, last);
  }
  for_kept(i0, n, 0, shape_.n_keys, [&](Index i) {
    begin = end > begin ? std::min(begin, i) : i;
    end = std::max(end, i + 1);
  });
  return {begin, std::max<Index>(end - begin, 0)};
}

engine::PairMask::Coverage PairFilters::coverage(Index i0, Index n, Index j0, Index m) const {
  Coverage both = Coverage::full;
  for (const PairFilter& filter : filters_) {
    const Coverage one =
        std::visit([&](const auto& leaf) { return covers(leaf, i0, n, j0, m, shape_); }, filter);
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
    std::visit(
        [&](const auto& leaf) {
          for (Index a = 0; a < n; ++a)
            for_excluded(leaf, i0 + a, j0, m, shape_, [&](Index j, Index end) {
              for (Index b = j - j0; b < end - j0; ++b) admitted[b * stride + a] = 0;
            });
        },
        filter);
  for_kept(i0, n, j0, m, [&](Index i) { admitted[(i - j0) * stride + i - i0] = 1; });
}

bool PairFilters::symmetric() const {
  return std::all_of(filters_.begin(), filters_.end(), [&](const PairFilter& filter) {
    return std::visit([&](const auto& leaf) { return leaf.symmetric(shape_); }, filter);
  });
}

bool PairFilters::leaves_self_out() const {
  for (Index i = 0; i < std::min(shape_.n_queries, shape_.n_keys); ++i)
    if (!admits(i, i)) return true;
  return false;
}

template void PairFilters::exclude(Index, Index, float, Tile<float>) const;
template void PairFilters::exclude(Index, Index, double, Tile<double>) const;

}  // namespace likewise
