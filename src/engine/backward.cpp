#include "engine/backward.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"

namespace likewise::engine {
namespace {

constexpr Index tile_rows = 256, tile_columns = 192;  // two tiles of floats fill half of a second cache
constexpr Index largest_square = 16;                  // blocks a side of the latin square

/// Weights of a tile and dL/dcost of its pairs.
template <class T> struct Tiles { Matrix<T> weights, dcost, costs, slopes; };

template <class T> class Backward {
 public:
  Backward(const LogWeights<T>& K, const BackwardTerms<T>& terms)
      : K_(K),
        terms_(terms),
        left_(terms.log_left.template cast<T>()),
        right_(terms.log_right.template cast<T>()) {
    sums_.values = Matrix<T>::Zero(K.cols(), terms.n_columns);
    sums_.log_key_weights = Vector<double>::Zero(K.cols());
    sums_.pull = K.pull();
  }

  BackwardSums<T> run(const Execution& run) {
    const Index side = std::clamp<Index>(
        std::min(block_count(K_.rows(), tile_rows), block_count(K_.cols(), tile_columns)), 1, largest_square);
    std::vector<double> scale(static_cast<std::size_t>(side * side));
    const double operations = static_cast<double>(K_.rows()) * static_cast<double>(K_.cols()) * 16;
    const Execution threads = sized(run, operations);
    for (Index round = 0; round < side; ++round)
      parallel_blocks(side, threads, "differentiating", [&](Index i) {
        const Index j = (i + round) % side;
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

  double tile(Block rows, Block keys, Tiles<T>& t) {
    weigh(rows, keys, t);
    add_transposed_product<T>(T(1), t.weights,
                              terms_.by_row.block(rows.begin, 0, rows.size, terms_.n_columns),
                              sums_.values.middleRows(keys.begin, keys.size));
    // dL/d log K, in place of the products.
    t.dcost.array() *= t.weights.array();
    sums_.log_key_weights.segment(keys.begin, keys.size) +=
        t.dcost.colwise().sum().template cast<double>().transpose();
    t.dcost.array() *= t.slopes.array();
    if (sums_.pull) sums_.pull->add(rows.begin, keys.begin, t.dcost);
    return static_cast<double>((t.dcost.array() * t.costs.array()).sum());
  }

  /// P and <by_row_i, by_key_j> of a tile.
  void weigh(Block rows, Block keys, Tiles<T>& t) {
    for (Matrix<T>* m : {&t.weights, &t.dcost, &t.costs, &t.slopes}) m->resize(rows.size, keys.size);
    K_.fill_slopes(rows.begin, keys.begin, t.weights, t.costs, t.slopes);
    t.weights.colwise() += left_.segment(rows.begin, rows.size);
    t.weights.rowwise() += right_.segment(keys.begin, keys.size).transpose();
    t.weights = exp_weights(t.weights.array()).matrix();
    t.dcost.setZero();
    const Points<T> by_row = terms_.by_row.middleRows(rows.begin, rows.size),
                    by_key = terms_.by_key.middleRows(keys.begin, keys.size);
    simd::multiply_add<T>(rows.size, keys.size, by_row.cols(), T(1), {by_row.data(), by_row.outerStride(), 1},
                          {by_key.data(), 1, by_key.outerStride()}, t.dcost.data(), keys.size);
  }

  const LogWeights<T>& K_;
  const BackwardTerms<T>& terms_;
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
