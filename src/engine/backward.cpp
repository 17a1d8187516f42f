#include "engine/backward.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <mutex>
#include <numbers>
#include <numeric>
#include <optional>
#include <vector>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/pair_gradient.hpp"
#include "engine/simd/panel_sum.hpp"

namespace likewise::engine {
namespace {

constexpr Index tile_rows = 128, tile_columns = 256;  // of tiles that are filled
constexpr Index fused_rows = 576;     // rows that all panels of a block meet, from a second cache
constexpr Index fused_tile = 64;      // of them meet a panel at once: where they can, blocks have whole ones
constexpr Index meeting_size = 128;   // of a block with itself, in both directions
constexpr Index block_size = 512;     // or more, of the points; where some are few, of the mean
constexpr Index least_block = 128;    // of rows that share the packing of a panel
constexpr Index largest_square = 16;  // blocks a side of the latin square

/// Of a tile of pairs: P, dL/d log K, and how the costs make log K.
template <class T> struct Tiles {
  Matrix<T> weights, by_log, costs, slopes;
  Vector<T> row_sums, column_sums;  ///< of by_log
};

/// What blocks hand on to each other: fresh memory of this size would be paged in for each.
template <class Item> class Pool {
 public:
  template <class Use> double with(const Use& use) {
    std::unique_ptr<Item> item = taken();
    const double result = use(*item);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(item));
    return result;
  }

 private:
  std::unique_ptr<Item> taken() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Item>();
    auto item = std::move(free_.back());
    free_.pop_back();
    return item;
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<Item>> free_;
};

template <class T> class Backward {
 public:
  Backward(const LogWeights<T>& K, const BackwardTerms<T>& terms) : K_(K), terms_(terms) {
    if (terms.by_values) sums_.values = Matrix<T>::Zero(K.cols(), terms.values.cols());
    sums_.log_key_weights = Vector<double>::Zero(K.cols());
    sums_.vjp = K.vjp();
    // Exponentials of a lift in this precision need no tile of costs: the product is the exponent.
    if (const auto exponents = K.exponents())
      if (const auto* lifted = std::get_if<LiftedExponents<T>>(&*exponents)) lifted_ = *lifted;
    if (lifted_ && sums_.vjp) points_ = sums_.vjp->lift_sums().value();
    left_ = shifts(terms.log_left, lifted_ ? lifted_->queries : nullptr);
    right_ = shifts(terms.log_right, lifted_ ? lifted_->keys : nullptr);
  }

  BackwardSums<T> run(const Execution& run) {
    const double scale =
        terms_.one_point_set && lifted_ && lifted_->symmetric ? tournament(run) : latin_square(run);
    sums_.scale = -K_.scale_slope() * scale;
    return std::move(sums_);
  }

 private:
  /// Every block of queries with every block of keys; returns the sum of dcost * cost.
  double latin_square(const Execution& run) {
    const Index side = side_of_square();
    std::vector<double> scale(static_cast<std::size_t>(side * side));
    // Blocks of queries are the items 0 .. side - 1, blocks of keys those behind them.
    const auto key_block = [side](Index round, Index i) { return (i + round) % side; };
    const auto items = [&](Index round, Index i) { return Items{i, side + key_block(round, i)}; };
    parallel_rounds(side, side, 2 * side, threads(run), "differentiating", items, [&](Index round, Index i) {
      const Index j = key_block(round, i);
      scale[static_cast<std::size_t>(i * side + j)] =
          block(share(i, side, K_.rows(), fused_tile), share(j, side, K_.cols()));
    });
    return std::accumulate(scale.begin(), scale.end(), 0.0);
  }

  /// The same for one point set: every two blocks meet once.
  double tournament(const Execution& run) {
    const Index n_blocks = std::clamp<Index>(block_count(K_.rows(), block_size), 1, largest_square) | 1,
                n_pairs = n_blocks / 2 + 1;
    std::vector<double> scale(static_cast<std::size_t>(n_blocks * n_pairs));
    const auto pair = [n_blocks](Index r, Index i) { return meeting_of(n_blocks, r, i); };
    parallel_rounds(n_blocks, n_pairs, n_blocks, threads(run), "differentiating", pair,
                    [&](Index r, Index i) {
                      const auto [a, b] = pair(r, i);
                      scale[static_cast<std::size_t>(r * n_pairs + i)] =
                          meeting(share(a, n_blocks, K_.rows()), share(b, n_blocks, K_.rows()));
                    });
    return std::accumulate(scale.begin(), scale.end(), 0.0);
  }

  /// Blocks of about block_size^2 pairs; where queries are few, as in a mini-batch, narrow ones, so that threads have work.
  Index side_of_square() const {
    const double pairs = static_cast<double>(K_.rows()) * static_cast<double>(K_.cols());
    const Index wanted = static_cast<Index>(std::ceil(std::sqrt(pairs) / block_size));
    return std::clamp<Index>(std::min({wanted, K_.rows() / least_block, K_.cols() / least_block}), 1,
                             largest_square);
  }

  Execution threads(const Execution& run) const {
    return sized(run, static_cast<double>(K_.rows()) * static_cast<double>(K_.cols()) * 16);
  }

  /// One of `side` about equal parts of [0, n), of whole units.
  static Block share(Index part, Index side, Index n, Index unit = simd::panel_lanes(sizeof(T) == 4)) {
    const Index units = block_count(n, unit);
    const auto edge = [&](Index p) { return std::min(n, units * p / side * unit); };
    return {edge(part), edge(part + 1) - edge(part)};
  }

  static auto rows_of(const auto& M, Block rows) { return M.middleRows(rows.begin, rows.size); }

  /// What is added to the exponents of a row or column; to the base 2 and with the lift's bias in the fused form.
  Vector<T> shifts(const Vector<double>& log_scaling, const LiftedPoints<T>* lift) const {
    if (!lift) return log_scaling.template cast<T>();
    const Eigen::ArrayXd bias = lift->bias.template cast<double>().array();
    return (std::numbers::log2e * (log_scaling.array() - lifted_->scale * bias)).matrix().template cast<T>();
  }

  /// Calls use(part) for the equal parts of a block, of at most `size` each, and sums up.
  template <class Use> static double over(Block block, Index size, const Use& use) {
    double sum = 0;
    const Index count = block_count(block.size, size);
    for (Index part = 0; part < count; ++part) {
      const Index begin = block.size * part / count, end = block.size * (part + 1) / count;
      sum += use(Block{block.begin + begin, end - begin});
    }
    return sum;
  }

  /// All pairs of a block of the square; returns their sum of dcost * cost.
  double block(Block queries, Block keys) {
    if (lifted_) return over(queries, fused_rows, [&](Block rows) { return fused(rows, keys, false); });
    return tiles_.with([&](Tiles<T>& t) {
      return over(queries, tile_rows, [&](Block rows) {
        return over(keys, tile_columns,
                    [&](Block columns) { return admits(rows, columns) ? tile(rows, columns, t) : 0.0; });
      });
    });
  }

  /// All pairs of two blocks of one point set, in both directions; of a block with itself each once.
  double meeting(Block a, Block b) {
    const auto both_ways = [this](Block rows, Block keys) {
      return over(rows, fused_rows, [&](Block part) { return fused(part, keys, true); });
    };
    if (a.begin != b.begin) return both_ways(a, b);
    return over(a, meeting_size, [&](Block rows) {
      const Index end = rows.begin + rows.size;
      return fused(rows, rows, false) + both_ways(rows, {end, a.begin + a.size - end});
    });
  }

  bool admits(Block rows, Block keys) const {
    return !K_.mask()
           || K_.mask()->coverage(rows.begin, rows.size, keys.begin, keys.size) != PairMask::Coverage::empty;
  }

  // --- exponentials of lifts: log K = -scale * cost, all in one loop ----------------------------------------------

  /// What points bring as queries or as keys.
  struct Role {
    const Values<T>& columns;
    const Vector<T>&shift, &deduction, &factor;

    simd::PairTerms<T> of(Block points, Vector<double>& sums) const {
      const auto part = [&](const Vector<T>& v) { return v.size() ? v.data() + points.begin : nullptr; };
      sums.setZero(points.size);
      return {columns.data() + points.begin * columns.outerStride(),
              columns.outerStride(),
              part(shift),
              part(deduction),
              part(factor),
              sums.data()};
    }
  };

  /// The sums of dL/d log K of one direction.
  struct Sums {
    Vector<double> rows, panels;
  };

  /// Rows ask panels or, `back`, are asked.
  simd::PairDirection<T> direction(bool back, Block rows, Block panels, Sums& sums) {
    const Block asked = back ? rows : panels;
    return {!back, (back ? keys_ : queries_).of(rows, sums.rows),
            (back ? queries_ : keys_).of(panels, sums.panels),
            terms_.by_values ? sums_.values.row(asked.begin).data() : nullptr};
  }

  static simd::PairSide<T> side(Block points, const LiftedPoints<T>& lift, Lift<T>* by) {
    const Index at = points.begin * lift.features().cols();
    return {points.begin, points.size, lift.features().data() + at, by ? by->features.data() + at : nullptr};
  }

  /// Rows ask panels and, `both_ways`, panels ask rows; both are the same points then, and get the sum of both directions.
  double fused(Block rows, Block panels, bool both_ways) {
    if (rows.size == 0 || panels.size == 0) return 0;
    std::array<Sums, 2> sums;
    simd::PairBlock<T> pairs{.rows = side(rows, *lifted_->queries, points_.queries),
                             .panels = side(panels, *lifted_->keys, points_.keys),
                             .width = lifted_->queries->features().cols(),
                             .n_columns = terms_.values.cols(),
                             .scale = static_cast<T>(lifted_->scale * std::numbers::log2e),
                             .rate = static_cast<T>(lifted_->scale),
                             .mask = K_.mask(),
                             .directions = {direction(false, rows, panels, sums[0])},
                             .n_directions = both_ways ? 2 : 1};
    if (both_ways) pairs.directions[1] = direction(true, rows, panels, sums[1]);
    const double by_scores = scratch_.with(
        [&](simd::PairScratch<T>& scratch) { return simd::differentiate_pairs<T>(pairs, scratch); });
    sums_.log_key_weights.segment(panels.begin, panels.size) += sums[0].panels;
    if (both_ways) {
      sums_.log_key_weights.segment(rows.begin, rows.size) += sums[1].rows;
      sums[0].rows += sums[1].rows;
      sums[0].panels += sums[1].panels;
    }
    return by_costs(rows, panels, sums[0], by_scores);
  }

  /// Hands the sums to the biases; returns the sum of dcost times the cost a_i + b_j - <A_i, B_j>.
  double by_costs(Block rows, Block panels, const Sums& sums, double by_scores) {
    const auto add = [this](Lift<T>* by, Block points, const Vector<double>& sum) {
      if (by) by->bias.segment(points.begin, points.size) -= (lifted_->scale * sum).template cast<T>();
    };
    add(points_.queries, rows, sums.rows);
    add(points_.keys, panels, sums.panels);
    const auto dot = [](const Vector<double>& sum, const Vector<T>& bias, Block points) {
      return sum.dot(bias.segment(points.begin, points.size).template cast<double>());
    };
    return by_scores / std::numbers::log2e
           - lifted_->scale
                 * (dot(sums.rows, lifted_->queries->bias, rows)
                    + dot(sums.panels, lifted_->keys->bias, panels));
  }

  // --- any kernel and cost, by its own tiles -----------------------------------------------------------------------

  double tile(Block rows, Block keys, Tiles<T>& t) {
    for (Matrix<T>* m : {&t.weights, &t.costs, &t.slopes}) m->resize(rows.size, keys.size);
    K_.fill_slopes(rows.begin, keys.begin, t.weights, t.costs, t.slopes);
    t.weights.colwise() += segment(left_, rows);
    t.weights.rowwise() += segment(right_, keys).transpose();
    t.weights = exp_weights(t.weights.array()).matrix();
    set_by_weight(rows, keys, t.by_log);
    t.by_log.array() *= t.weights.array();
    sum_up(t);
    add_to_sums(rows, keys, t);
    t.by_log.array() *= t.slopes.array();
    double by_scale = sums_.vjp ? sums_.vjp->take_near(rows.begin, keys.begin, t.costs, t.by_log) : 0;
    by_scale += static_cast<double>((t.by_log.array() * t.costs.array()).sum());
    if (!sums_.vjp) return by_scale;
    sum_up(t);
    sums_.vjp->add(rows.begin, keys.begin, T(1), t.by_log, t.row_sums, t.column_sums);
    return by_scale;
  }

  static auto segment(const Vector<T>& v, Block rows) { return v.segment(rows.begin, rows.size); }

  /// dL/dP of a tile.
  void set_by_weight(Block rows, Block keys, Matrix<T>& tile) const {
    tile.setZero(rows.size, keys.size);
    if (terms_.deduction.size()) tile.colwise() -= segment(terms_.deduction, rows);
    if (terms_.row_deduction.size())
      tile.noalias() -= segment(terms_.row_deduction, rows) * segment(terms_.key_deduction, keys).transpose();
    add_product<T>(T(1), as_it_is<T>(rows_of(terms_.grad, rows)), transposed<T>(rows_of(terms_.values, keys)),
                   tile);
  }

  static void sum_up(Tiles<T>& t) {
    t.row_sums = t.by_log.rowwise().sum();
    t.column_sums.setZero(t.by_log.cols());
    for (Index a = 0; a < t.by_log.rows(); ++a) t.column_sums += t.by_log.row(a).transpose();
  }

  /// What the values and the key weights get.
  void add_to_sums(Block rows, Block keys, const Tiles<T>& t) {
    if (terms_.by_values)
      add_product<T>(T(1), transposed<T>(t.weights), as_it_is<T>(rows_of(terms_.grad, rows)),
                     sums_.values.middleRows(keys.begin, keys.size));
    sums_.log_key_weights.segment(keys.begin, keys.size) += t.column_sums.template cast<double>();
  }

  const LogWeights<T>& K_;
  const BackwardTerms<T>& terms_;
  std::optional<LiftedExponents<T>> lifted_;
  const Vector<T> none_ = {};
  Vector<T> left_, right_;
  const Role queries_{terms_.grad, left_, terms_.deduction, terms_.row_deduction},
      keys_{terms_.values, right_, none_, terms_.key_deduction};
  BackwardSums<T> sums_;
  LiftSums<T> points_ = {};  ///< what the fused loop adds to, where the metric has a derivative
  Pool<simd::PairScratch<T>> scratch_;
  Pool<Tiles<T>> tiles_;
};

}  // namespace

template <class T>
BackwardSums<T> backward(const LogWeights<T>& K, const BackwardTerms<T>& terms, const Execution& run) {
  return Backward<T>(K, terms).run(run);
}

template BackwardSums<float> backward(const LogWeights<float>&, const BackwardTerms<float>&,
                                      const Execution&);
template BackwardSums<double> backward(const LogWeights<double>&, const BackwardTerms<double>&,
                                       const Execution&);

}  // namespace likewise::engine
