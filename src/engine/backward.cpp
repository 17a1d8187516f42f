#include "engine/backward.hpp"

#include <algorithm>
#include <limits>
#include <numbers>
#include <optional>
#include <vector>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/weigh_tile.hpp"

namespace likewise::engine {
namespace {

constexpr Index tile_rows = 256, tile_columns = 256;  // two tiles of floats fill a quarter of a second cache
constexpr Index largest_square = 16;                  // blocks a side of the latin square

/// Of a tile of pairs: P, dL/d log K, and how the costs make log K.
template <class T> struct Tiles {
  Matrix<T> weights, by_log, costs, slopes;
  Vector<T> row_sums, column_sums;  ///< of by_log
  std::vector<unsigned char> admitted;
};

template <class T> class Backward {
 public:
  Backward(const LogWeights<T>& K, const BackwardTerms<T>& terms) : K_(K), terms_(terms) {
    sums_.values = Matrix<T>::Zero(K.cols(), terms.n_columns);
    sums_.log_key_weights = Vector<double>::Zero(K.cols());
    sums_.pull = K.pull();
    // Exponentials of a lift in this precision need no tile of costs: the product is the exponent.
    if (const auto exponents = K.exponents())
      if (const auto* lifted = std::get_if<LiftedExponents<T>>(&*exponents)) lifted_ = *lifted;
    left_ = shifts(terms.log_left, lifted_ ? lifted_->queries : nullptr);
    right_ = shifts(terms.log_right, lifted_ ? lifted_->keys : nullptr);
  }

  BackwardSums<T> run(const Execution& run) {
    const Index side = std::clamp<Index>(
        std::min(block_count(K_.rows(), tile_rows), block_count(K_.cols(), tile_columns)), 1, largest_square);
    std::vector<double> scale(static_cast<std::size_t>(side * side));
    const double operations = static_cast<double>(K_.rows()) * static_cast<double>(K_.cols()) * 16;
    const Execution threads = sized(run, operations);
    // Blocks of queries are the items 0 .. side - 1, blocks of keys those behind them.
    const auto key_block = [side](Index round, Index i) { return (i + round) % side; };
    const auto items = [&](Index round, Index i) { return Items{i, side + key_block(round, i)}; };
    parallel_rounds(side, side, 2 * side, threads, "differentiating", items, [&](Index round, Index i) {
      const Index j = key_block(round, i);
      scale[static_cast<std::size_t>(i * side + j)] =
          block(share(i, side, K_.rows()), share(j, side, K_.cols()));
    });
    for (const double part : scale) sums_.scale -= K_.scale_slope() * part;
    return std::move(sums_);
  }

 private:
  /// One of `side` equal parts of [0, n).
  static Block share(Index part, Index side, Index n) {
    const Index begin = n * part / side;
    return {begin, n * (part + 1) / side - begin};
  }

  /// All tiles of a block of the square; returns its sum of dcost * cost.
  double block(Block queries, Block keys) {
    Tiles<T> tiles;
    double scale = 0;
    for (Index i = queries.begin; i < queries.begin + queries.size; i += tile_rows)
      for (Index j = keys.begin; j < keys.begin + keys.size; j += tile_columns) {
        const Block rows{i, std::min(tile_rows, queries.begin + queries.size - i)},
            columns{j, std::min(tile_columns, keys.begin + keys.size - j)};
        if (!K_.mask() || K_.mask()->coverage(i, rows.size, j, columns.size) != PairMask::Coverage::empty)
          scale += tile(rows, columns, tiles);
      }
    return scale;
  }

  /// What is added to the exponents of a row or column; to the base 2 and with the lift's bias in the fused form.
  Vector<T> shifts(const Vector<double>& log_scaling, const Lift<T>* lift) const {
    if (!lift) return log_scaling.template cast<T>();
    const Eigen::ArrayXd bias = lift->bias.template cast<double>().array();
    return (std::numbers::log2e * (log_scaling.array() - lifted_->scale * bias)).matrix().template cast<T>();
  }

  double tile(Block rows, Block keys, Tiles<T>& t) {
    t.weights.resize(rows.size, keys.size);
    t.by_log.setZero(rows.size, keys.size);
    add_outer(T(1), terms_.by_row.middleRows(rows.begin, rows.size),
              terms_.by_key.middleRows(keys.begin, keys.size), t.by_log);
    return lifted_ ? fused_tile(rows, keys, t) : filled_tile(rows, keys, t);
  }

  /// log K = -scale * cost: one product and one pass.
  double fused_tile(Block rows, Block keys, Tiles<T>& t) {
    t.weights.setZero();
    add_outer(static_cast<T>(lifted_->scale * std::numbers::log2e),
              lifted_->queries->features.middleRows(rows.begin, rows.size),
              lifted_->keys->features.middleRows(keys.begin, keys.size), t.weights);
    if (K_.mask()
        && K_.mask()->coverage(rows.begin, rows.size, keys.begin, keys.size) == PairMask::Coverage::partial)
      exclude(rows, keys, t);
    t.row_sums.resize(rows.size);
    t.column_sums.setZero(keys.size);
    const double by_scores =
        simd::weigh_tile<T>(rows.size, keys.size, left_.data() + rows.begin, right_.data() + keys.begin,
                            t.weights.data(), t.by_log.data(), t.row_sums.data(), t.column_sums.data());
    add_to_sums(rows, keys, t);
    if (sums_.pull)
      sums_.pull->add(rows.begin, keys.begin, static_cast<T>(-lifted_->scale), t.by_log, t.row_sums,
                      t.column_sums);
    // The sum of dL/d log K times the cost a_i + b_j - <A_i, B_j>.
    const auto dot = [](const auto& sums, const auto& bias) {
      return sums.template cast<double>().dot(bias.template cast<double>());
    };
    return -lifted_->scale
           * (dot(t.row_sums, lifted_->queries->bias.segment(rows.begin, rows.size))
              + dot(t.column_sums, lifted_->keys->bias.segment(keys.begin, keys.size))
              - by_scores / (lifted_->scale * std::numbers::log2e));
  }

  /// -inf where the support does not admit, before the weights.
  void exclude(Block rows, Block keys, Tiles<T>& t) const {
    t.admitted.resize(static_cast<std::size_t>(rows.size * keys.size));
    K_.mask()->admitted(rows.begin, rows.size, keys.begin, keys.size, t.admitted.data(), rows.size);
    for (Index a = 0; a < rows.size; ++a)
      for (Index b = 0; b < keys.size; ++b)
        if (!t.admitted[static_cast<std::size_t>(b * rows.size + a)]) {
          t.weights(a, b) = std::numeric_limits<T>::lowest();
          t.by_log(a, b) = 0;
        }
  }

  /// Any kernel and cost, by its own tiles.
  double filled_tile(Block rows, Block keys, Tiles<T>& t) {
    for (Matrix<T>* m : {&t.costs, &t.slopes}) m->resize(rows.size, keys.size);
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
    add_transposed_product<T>(T(1), t.weights,
                              terms_.by_row.block(rows.begin, 0, rows.size, terms_.n_columns),
                              sums_.values.middleRows(keys.begin, keys.size));
    sums_.log_key_weights.segment(keys.begin, keys.size) += t.column_sums.template cast<double>();
  }

  /// tile += alpha A B^T
  static void add_outer(T alpha, const Points<T>& A, const Points<T>& B, Matrix<T>& tile) {
    simd::multiply_add<T>(A.rows(), B.rows(), A.cols(), alpha, {A.data(), A.outerStride(), 1},
                          {B.data(), 1, B.outerStride()}, tile.data(), tile.cols());
  }

  const LogWeights<T>& K_;
  const BackwardTerms<T>& terms_;
  std::optional<LiftedExponents<T>> lifted_;
  Vector<T> left_, right_;
  BackwardSums<T> sums_;
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
