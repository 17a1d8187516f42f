#include "engine/backward.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <mutex>
#include <numbers>
#include <numeric>
#include <optional>
#include <vector>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/weigh_tile.hpp"

namespace likewise::engine {
namespace {

constexpr Index tile_rows = 128, tile_columns = 256;  // two tiles of floats fill a quarter of a second cache
constexpr Index meeting_size = 128;                   // of four tiles, two directions
constexpr Index block_size = 256;                     // or more, of the points
constexpr Index largest_square = 16;                  // blocks a side of the latin square

/// Of a tile of pairs: P, dL/d log K, and how the costs make log K.
template <class T> struct Tiles {
  Matrix<T> weights, by_log, costs, slopes;
  Vector<T> row_sums, column_sums;  ///< of by_log
  std::vector<unsigned char> admitted;
};

/// Tiles that blocks hand on to each other: fresh memory of this size would be paged in for each block.
template <class T> class TilePool {
 public:
  template <class Use> double with(const Use& use) {
    std::unique_ptr<std::array<Tiles<T>, 2>> tiles = taken();
    const double result = use((*tiles)[0], (*tiles)[1]);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(tiles));
    return result;
  }

 private:
  std::unique_ptr<std::array<Tiles<T>, 2>> taken() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<std::array<Tiles<T>, 2>>();
    auto tiles = std::move(free_.back());
    free_.pop_back();
    return tiles;
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<std::array<Tiles<T>, 2>>> free_;
};

template <class T> class Backward {
 public:
  Backward(const LogWeights<T>& K, const BackwardTerms<T>& terms) : K_(K), terms_(terms) {
    if (terms.by_values) sums_.values = Matrix<T>::Zero(K.cols(), terms.values.cols());
    sums_.log_key_weights = Vector<double>::Zero(K.cols());
    sums_.pull = K.pull();
    // Exponentials of a lift in this precision need no tile of costs: the product is the exponent.
    if (const auto exponents = K.exponents())
      if (const auto* lifted = std::get_if<LiftedExponents<T>>(&*exponents)) lifted_ = *lifted;
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
    const Index side = std::clamp<Index>(
        std::min(block_count(K_.rows(), block_size), block_count(K_.cols(), block_size)), 1, largest_square);
    std::vector<double> scale(static_cast<std::size_t>(side * side));
    // Blocks of queries are the items 0 .. side - 1, blocks of keys those behind them.
    const auto key_block = [side](Index round, Index i) { return (i + round) % side; };
    const auto items = [&](Index round, Index i) { return Items{i, side + key_block(round, i)}; };
    parallel_rounds(side, side, 2 * side, threads(run), "differentiating", items, [&](Index round, Index i) {
      const Index j = key_block(round, i);
      scale[static_cast<std::size_t>(i * side + j)] =
          block(share(i, side, K_.rows()), share(j, side, K_.cols()));
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

  Execution threads(const Execution& run) const {
    return sized(run, static_cast<double>(K_.rows()) * static_cast<double>(K_.cols()) * 16);
  }

  /// One of `side` equal parts of [0, n).
  static Block share(Index part, Index side, Index n) {
    const Index begin = n * part / side;
    return {begin, n * (part + 1) / side - begin};
  }

  /// All tiles of a block of the square; returns its sum of dcost * cost.
  double block(Block queries, Block keys) {
    return pool_.with([&](Tiles<T>& tiles, Tiles<T>&) {
      double scale = 0;
      for (Index i = queries.begin; i < queries.begin + queries.size; i += tile_rows)
        for (Index j = keys.begin; j < keys.begin + keys.size; j += tile_columns) {
          const Block rows{i, std::min(tile_rows, queries.begin + queries.size - i)},
              columns{j, std::min(tile_columns, keys.begin + keys.size - j)};
          if (admits(rows, columns)) scale += tile(rows, columns, tiles);
        }
      return scale;
    });
  }

  /// All pairs of two blocks of one point set, in both directions; of a block with itself each once.
  double meeting(Block rows, Block keys) {
    return pool_.with([&](Tiles<T>& there, Tiles<T>& back) {
      double scale = 0;
      const bool itself = rows.begin == keys.begin;
      for (Index i = rows.begin; i < rows.begin + rows.size; i += meeting_size)
        for (Index j = itself ? i : keys.begin; j < keys.begin + keys.size; j += meeting_size) {
          const Block a{i, std::min(meeting_size, rows.begin + rows.size - i)},
              b{j, std::min(meeting_size, keys.begin + keys.size - j)};
          scale += itself && i == j ? (admits(a, a) ? tile(a, a, there) : 0.0) : both_ways(a, b, there, back);
        }
      return scale;
    });
  }

  bool admits(Block rows, Block keys) const {
    return !K_.mask()
           || K_.mask()->coverage(rows.begin, rows.size, keys.begin, keys.size) != PairMask::Coverage::empty;
  }

  /// Tile (a, b) and the transpose of tile (b, a) from the same scores; their sum is what both blocks' points get.
  double both_ways(Block a, Block b, Tiles<T>& there, Tiles<T>& back) {
    const bool goes = admits(a, b), returns = admits(b, a);
    if (!goes && !returns) return 0;
    fill_scores(a, b, there.weights);
    if (returns) back.weights = there.weights;
    double by_scores = 0;
    if (goes) {
      set_by_weight(queries_, a, keys_, b, there.by_log);
      exclude(a, b, there, false);
      by_scores += weigh(left_.data() + a.begin, right_.data() + b.begin, there);
      add_to_sums(a, b, there);
    }
    if (returns) {
      set_by_weight(keys_, a, queries_, b, back.by_log);
      exclude(b, a, back, true);
      by_scores += weigh(right_.data() + a.begin, left_.data() + b.begin, back);
      add_returned(a, b, back);
      if (goes) {
        there.by_log += back.by_log;
        there.row_sums += back.row_sums;
        there.column_sums += back.column_sums;
      }
    }
    return pulled(a, b, goes ? there : back, by_scores);
  }

  static auto rows_of(const auto& M, Block rows) { return M.middleRows(rows.begin, rows.size); }
  static auto segment(const Vector<T>& v, Block rows) { return v.segment(rows.begin, rows.size); }

  /// What is added to the exponents of a row or column; to the base 2 and with the lift's bias in the fused form.
  Vector<T> shifts(const Vector<double>& log_scaling, const Lift<T>* lift) const {
    if (!lift) return log_scaling.template cast<T>();
    const Eigen::ArrayXd bias = lift->bias.template cast<double>().array();
    return (std::numbers::log2e * (log_scaling.array() - lifted_->scale * bias)).matrix().template cast<T>();
  }

  double tile(Block rows, Block keys, Tiles<T>& t) {
    set_by_weight(queries_, rows, keys_, keys, t.by_log);
    return lifted_ ? fused_tile(rows, keys, t) : filled_tile(rows, keys, t);
  }

  /// log K = -scale * cost: one product and one pass.
  double fused_tile(Block rows, Block keys, Tiles<T>& t) {
    fill_scores(rows, keys, t.weights);
    exclude(rows, keys, t, false);
    const double by_scores = weigh(left_.data() + rows.begin, right_.data() + keys.begin, t);
    add_to_sums(rows, keys, t);
    return pulled(rows, keys, t, by_scores);
  }

  /// scale <A_i, B_j>, to the base 2.
  void fill_scores(Block rows, Block keys, Matrix<T>& scores) const {
    scores.setZero(rows.size, keys.size);
    add_product<T>(static_cast<T>(lifted_->scale * std::numbers::log2e),
                   as_it_is<T>(rows_of(lifted_->queries->features, rows)),
                   transposed<T>(rows_of(lifted_->keys->features, keys)), scores);
  }

  /// What queries or keys bring to dL/dP = <columns_a, columns_b> - share_a - share_b - factor_a factor_b.
  struct Side {
    const Values<T>& columns;
    const Vector<T>&share, &factor;
  };

  /// dL/dP of a tile whose rows are points of one side and whose columns are those of the other.
  static void set_by_weight(const Side& a, Block rows, const Side& b, Block columns, Matrix<T>& tile) {
    tile.resize(rows.size, columns.size);
    for (Index i = 0; i < rows.size; ++i)
      tile.row(i).setConstant(a.share.size() ? -a.share(rows.begin + i) : T(0));
    if (b.share.size()) tile.rowwise() -= segment(b.share, columns).transpose();
    if (a.factor.size()) tile.noalias() -= segment(a.factor, rows) * segment(b.factor, columns).transpose();
    add_product<T>(T(1), as_it_is<T>(rows_of(a.columns, rows)), transposed<T>(rows_of(b.columns, columns)),
                   tile);
  }

  /// From scores to weights, with the sums of by_log; returns the sum of by_log * score.
  static double weigh(const T* row_shifts, const T* column_shifts, Tiles<T>& t) {
    t.row_sums.resize(t.weights.rows());
    t.column_sums.setZero(t.weights.cols());
    return simd::weigh_tile<T>(t.weights.rows(), t.weights.cols(), row_shifts, column_shifts,
                               t.weights.data(), t.by_log.data(), t.row_sums.data(), t.column_sums.data());
  }

  /// Hands dL/d log K of a tile to the points; returns its sum times the cost a_i + b_j - <A_i, B_j>.
  double pulled(Block rows, Block keys, const Tiles<T>& t, double by_scores) {
    if (sums_.pull)
      sums_.pull->add(rows.begin, keys.begin, static_cast<T>(-lifted_->scale), t.by_log, t.row_sums,
                      t.column_sums);
    const auto dot = [](const auto& sums, const auto& bias) {
      return sums.template cast<double>().dot(bias.template cast<double>());
    };
    return -lifted_->scale
           * (dot(t.row_sums, lifted_->queries->bias.segment(rows.begin, rows.size))
              + dot(t.column_sums, lifted_->keys->bias.segment(keys.begin, keys.size))
              - by_scores / (lifted_->scale * std::numbers::log2e));
  }

  /// -inf where the support does not admit, before the weights. `transposed`: t's rows are the keys.
  void exclude(Block queries, Block keys, Tiles<T>& t, bool transposed) const {
    const PairMask* mask = K_.mask();
    if (!mask
        || mask->coverage(queries.begin, queries.size, keys.begin, keys.size) != PairMask::Coverage::partial)
      return;
    t.admitted.resize(static_cast<std::size_t>(queries.size * keys.size));
    mask->admitted(queries.begin, queries.size, keys.begin, keys.size, t.admitted.data(), queries.size);
    for (Index a = 0; a < queries.size; ++a)
      for (Index b = 0; b < keys.size; ++b)
        if (!t.admitted[static_cast<std::size_t>(b * queries.size + a)]) {
          const Index i = transposed ? b : a, j = transposed ? a : b;
          t.weights(i, j) = std::numeric_limits<T>::lowest();
          t.by_log(i, j) = 0;
        }
  }

  /// Any kernel and cost, by its own tiles.
  double filled_tile(Block rows, Block keys, Tiles<T>& t) {
    for (Matrix<T>* m : {&t.weights, &t.costs, &t.slopes}) m->resize(rows.size, keys.size);
    K_.fill_slopes(rows.begin, keys.begin, t.weights, t.costs, t.slopes);
    t.weights.colwise() += left_.segment(rows.begin, rows.size);
    t.weights.rowwise() += right_.segment(keys.begin, keys.size).transpose();
    t.weights = exp_weights(t.weights.array()).matrix();
    t.by_log.array() *= t.weights.array();
    sum_up(t);
    add_to_sums(rows, keys, t);
    t.by_log.array() *= t.slopes.array();
    sum_up(t);
    if (sums_.pull) sums_.pull->add(rows.begin, keys.begin, T(1), t.by_log, t.row_sums, t.column_sums);
    return static_cast<double>((t.by_log.array() * t.costs.array()).sum());
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

  /// The same of a transposed tile, whose rows are the keys.
  void add_returned(Block keys, Block rows, const Tiles<T>& t) {
    if (terms_.by_values)
      add_product<T>(T(1), as_it_is<T>(t.weights), as_it_is<T>(rows_of(terms_.grad, rows)),
                     sums_.values.middleRows(keys.begin, keys.size));
    sums_.log_key_weights.segment(keys.begin, keys.size) += t.row_sums.template cast<double>();
  }

  const LogWeights<T>& K_;
  const BackwardTerms<T>& terms_;
  const Vector<T> none_ = {};
  const Side queries_{terms_.grad, terms_.share, terms_.row_share},
      keys_{terms_.values, none_, terms_.key_share};
  std::optional<LiftedExponents<T>> lifted_;
  Vector<T> left_, right_;
  BackwardSums<T> sums_;
  TilePool<T> pool_;
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
