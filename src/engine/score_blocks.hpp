// Blocks of profiled scores as the fused loop takes them.
#pragma once

#include <numbers>
#include <optional>

#include <likewise/types.hpp>

#include "engine/parallel.hpp"
#include "engine/simd/panel_sum.hpp"
#include "engine/terms/scores.hpp"

namespace likewise::engine {

/// The arrays of a range of queries and keys, and views of blocks of it. References the scores.
template <class C> class ScoreBlocks {
 public:
  /// key_weight: natural logarithms, of the range's keys.
  ScoreBlocks(const ProfiledScores<C>& s, Block queries, Block keys, const Vector<double>& key_weight)
      : s_(s),
        queries_(queries),
        keys_(keys),
        key_weight_((std::numbers::log2e * key_weight).template cast<C>()),
        query_factor_(factors(s.query_scale, s.key_scale, queries)),
        key_factor_(factors(s.key_scale, s.query_scale, keys)),
        zeros_(Vector<C>::Zero(s.scores.query_bias ? 0 : std::max(queries.size, keys.size))) {}

  /// Calls use(block) for those of the range; `first` counts from its begin.
  template <class Use> void with(Block queries, Block keys, const PairMask* mask, const Use& use) const {
    const Scores<C>& s = s_.scores;
    const Index i = queries_.begin + queries.begin, j = keys_.begin + keys.begin;
    const Index width = s.queries ? s.queries->cols() : 0;
    const bool lift = s.way == ScoreWay::lift;
    simd::ScoreTerms<C> rule{.way = s.way,
                             .profile = s_.profile,
                             .key_weight = key_weight_.data() + keys.begin,
                             .query_point_factor = at(query_factor_, queries.begin),
                             .key_point_factor = at(key_factor_, keys.begin),
                             .p = static_cast<C>(s.p),
                             .query_factor = static_cast<C>(s.query_factor),
                             .factor = static_cast<C>(s.factor),
                             .unsure = static_cast<C>(s.unsure),
                             .least = lift && !s.not_negative ? std::numeric_limits<C>::lowest() : C(0)};
    rule.edge = s_.edge;
    rule.turned = s.turned;
    if (s.matrix) {
      rule.query_step = s.turned ? 1 : s.matrix->outerStride();
      rule.key_step = s.turned ? s.matrix->outerStride() : 1;
      rule.matrix = s.matrix->data() + i * rule.query_step + j * rule.key_step;
    }
    use(simd::ExponentBlock<C>{.queries = width ? s.queries->data() + i * width : nullptr,
                               .query_stride = width,
                               .query_bias = s.query_bias ? s.query_bias->data() + i : zeros_.data(),
                               .n_queries = queries.size,
                               .keys = width ? s.keys->data() + j * width : nullptr,
                               .key_stride = width,
                               .key_bias = s.key_bias ? s.key_bias->data() + j : zeros_.data(),
                               .n_keys = keys.size,
                               .width = width,
                               .query_scale = lift ? C(-1) : static_cast<C>(s.query_factor),
                               .upper_bound = s_.profile.upper_bound,
                               .mask = mask,
                               .first_query = i,
                               .first_key = j,
                               .rule = &rule});
  }

 private:
  static Vector<C> factors(const Vector<double>* own, const Vector<double>* other, Block range) {
    if (own) return own->segment(range.begin, range.size).template cast<C>();
    return Vector<C>::Ones(other ? range.size : 0);
  }
  static const C* at(const Vector<C>& factor, Index begin) {
    return factor.size() ? factor.data() + begin : nullptr;
  }

  const ProfiledScores<C>& s_;
  Block queries_, keys_;
  Vector<C> key_weight_, query_factor_, key_factor_, zeros_;
};

/// Log weights of a tile, the support's filters aside.
template <class T> void fill_log_weights(const AnyProfiledScores& scores, Index i0, Index j0, Tile<T> out) {
  std::visit(
      [&]<class C>(const ProfiledScores<C>& s) {
        const Block queries{i0, out.rows()}, keys{j0, out.cols()};
        const ScoreBlocks<C> blocks(s, queries, keys, Vector<double>::Zero(out.cols()));
        blocks.with({0, out.rows()}, {0, out.cols()}, nullptr, [&](const simd::ExponentBlock<C>& block) {
          if constexpr (std::is_same_v<C, T>) {
            simd::fill_log_weights<C>(block, out.data(), out.outerStride());
          } else {
            Matrix<C> tile(out.rows(), out.cols());
            simd::fill_log_weights<C>(block, tile.data(), tile.outerStride());
            out = tile.template cast<T>();
          }
        });
      },
      scores);
}

}  // namespace likewise::engine
