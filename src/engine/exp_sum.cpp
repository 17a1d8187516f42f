#include "engine/exp_sum.hpp"

#include <limits>
#include <vector>
#include "engine/exp_weights.hpp"

namespace likewise::engine {
namespace {

constexpr Index query_block = 64, key_block = 512;  // a tile of doubles fills a quarter of a megabyte
constexpr Index least_work_items = 16;              // fewer query blocks than this split over keys too
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

template <class T> Partial<T> neutral(Index rows, Index columns) {
  return {Vector<double>::Constant(rows, minus_infinity), Vector<double>::Zero(rows),
          Matrix<T>::Zero(rows, columns)};
}

/// Adds a tile of log weights (overwritten) with its keys' values to `part`.
template <class T> void accumulate(Partial<T>& part, Tile<T> tile, const Values<T>& V) {
  constexpr T largest = std::numeric_limits<T>::max();
  Vector<T> shift(tile.rows());
  for (Index a = 0; a < tile.rows(); ++a) {
    T top = tile.row(a).maxCoeff();
    if (top > largest)
      tile.row(a) = tile.row(a).cwiseMin(top = largest);  // an overflowed score: the largest there is
    if (static_cast<double>(top) > part.log_reference(a)) {
      const double rescale = std::exp(part.log_reference(a) - static_cast<double>(top));
      part.mass(a) *= rescale;
      part.sum.row(a) *= static_cast<T>(rescale);
      part.log_reference(a) = static_cast<double>(top);
    }
    // A row still without mass keeps reference -inf; any finite shift leaves its weights at 0.
    shift(a) = part.mass(a) > 0 || top > -largest ? static_cast<T>(part.log_reference(a)) : T(0);
  }
  tile.colwise() -= shift;
  tile = exp_weights(tile.array()).matrix();
  part.mass += tile.rowwise().sum().template cast<double>();
  if (V.cols() > 0) part.sum.noalias() += tile * V;
}

template <class T>
Partial<T> reduce_block(const LogWeights<T>& K, const Vector<T>& bias, const Values<T>& V, Block queries,
                        Block keys) {
  Partial<T> part = neutral<T>(queries.size, V.cols());
  Matrix<T> tile(queries.size, std::min(key_block, keys.size));
  for (Index j = keys.begin; j < keys.begin + keys.size; j += key_block) {
    const Index size = std::min(key_block, keys.begin + keys.size - j);
    Tile<T> block = tile.leftCols(size);
    K.fill(queries.begin, j, block);
    block.rowwise() += bias.segment(j, size).transpose();
    accumulate<T>(part, block, V.middleRows(j, size));
  }
  return part;
}

/// One of the equal parts of a range of keys, on tile boundaries.
Block part_of(Block keys, Index part, Index n_parts) {
  const Index tiles = block_count(keys.size, key_block);
  const Index first = tiles * part / n_parts * key_block, last = tiles * (part + 1) / n_parts * key_block;
  return {keys.begin + std::min(first, keys.size), std::min(last, keys.size) - std::min(first, keys.size)};
}

template <class T> void put(Partial<T>& whole, Index at, const Partial<T>& part) {
  whole.log_reference.segment(at, part.mass.size()) = part.log_reference;
  whole.mass.segment(at, part.mass.size()) = part.mass;
  whole.sum.middleRows(at, part.mass.size()) = part.sum;
}

/// The keys as queries: tiles are filled as they are and turned.
template <class T> class TransposedWeights final : public LogWeights<T> {
 public:
  explicit TransposedWeights(const LogWeights<T>& K) : K_(K) {}
  Index rows() const override { return K_.cols(); }
  Index cols() const override { return K_.rows(); }
  void fill(Index i0, Index j0, Tile<T> out) const override {
    Matrix<T> tile(out.cols(), out.rows());
    K_.fill(j0, i0, tile);
    out = tile.transpose();
  }
  Index nearest_key(Index) const override { return -1; }  // empty columns stay 0

 private:
  const LogWeights<T>& K_;
};

}  // namespace

template <class T>
Partial<T> exp_sum(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                   const Execution& run) {
  const Index n_blocks = block_count(K.rows(), query_block);
  const Index n_parts = n_blocks > 0 ? block_count(least_work_items, n_blocks) : 1;
  const Vector<T> bias = key_bias.cast<T>();
  Partial<T> whole = neutral<T>(K.rows(), V.cols());
  std::vector<Partial<T>> parts(static_cast<std::size_t>(n_parts > 1 ? n_blocks * n_parts : 0));
  const double operations =
      static_cast<double>(K.rows()) * static_cast<double>(K.cols()) * (16 + static_cast<double>(V.cols()));
  parallel_blocks(n_blocks * n_parts, sized(run, operations), "propagating", [&](Index item) {
    const Block queries = block_of(item / n_parts, K.rows(), query_block);
    const Block keys = part_of(K.admitted_keys(queries.begin, queries.size), item % n_parts, n_parts);
    Partial<T> part = reduce_block(K, bias, V, queries, keys);
    if (n_parts > 1)
      parts[static_cast<std::size_t>(item)] = std::move(part);
    else
      put(whole, queries.begin, part);
  });
  for (std::size_t item = 0; item < parts.size(); item += static_cast<std::size_t>(n_parts)) {
    Partial<T> row = parts[item];
    for (std::size_t k = 1; k < static_cast<std::size_t>(n_parts); ++k) row = merge(row, parts[item + k]);
    put(whole, static_cast<Index>(item) / n_parts * query_block, row);
  }
  return whole;
}

template <class T>
Partial<T> exp_sum_transposed(const LogWeights<T>& K, const Vector<double>& query_bias, const Values<T>& V,
                              const Execution& run) {
  return exp_sum<T>(TransposedWeights<T>(K), query_bias, V, run);
}

template <class T> Vector<double> log_mass(const Partial<T>& part) {
  return part.log_reference.array() + part.mass.array().log();
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template Partial<T> exp_sum(const LogWeights<T>&, const Vector<double>&, const Values<T>&,            \
                              const Execution&);                                                        \
  template Partial<T> exp_sum_transposed(const LogWeights<T>&, const Vector<double>&, const Values<T>&, \
                                         const Execution&);                                             \
  template Vector<double> log_mass(const Partial<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
