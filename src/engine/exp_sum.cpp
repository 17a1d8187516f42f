#include "engine/exp_sum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include "engine/exp_weights.hpp"
#include "engine/score_blocks.hpp"
#include "engine/simd/panel_sum.hpp"
#include "engine/symmetric_sum.hpp"

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

/// The pairs turned.
class TransposedMask final : public PairMask {
 public:
  explicit TransposedMask(const PairMask& mask) : mask_(mask) {}
  Coverage coverage(Index i0, Index n, Index j0, Index m) const override {
    return mask_.coverage(j0, m, i0, n);
  }
  void admitted(Index i0, Index n, Index j0, Index m, unsigned char* admitted, Index stride) const override {
    std::vector<unsigned char> turned(static_cast<std::size_t>(n * m));
    mask_.admitted(j0, m, i0, n, turned.data(), m);
    for (Index a = 0; a < n; ++a)
      for (Index b = 0; b < m; ++b) admitted[b * stride + a] = turned[static_cast<std::size_t>(a * m + b)];
  }

 private:
  const PairMask& mask_;
};

/// The keys as queries: tiles are filled as they are and turned.
template <class T> class TransposedWeights final : public LogWeights<T> {
 public:
  explicit TransposedWeights(const LogWeights<T>& K) : K_(K) {
    if (K.mask()) mask_.emplace(*K.mask());
  }
  Index rows() const override { return K_.cols(); }
  Index cols() const override { return K_.rows(); }
  void fill(Index i0, Index j0, Tile<T> out) const override {
    Matrix<T> tile(out.cols(), out.rows());
    K_.fill(j0, i0, tile);
    out = tile.transpose();
  }
  std::optional<Exponents> exponents() const override {
    std::optional<Exponents> e = K_.exponents();
    if (e) std::visit([](auto& form) { form = transposed(form); }, *e);
    return e;
  }
  std::optional<AnyProfiledScores> profiled() const override {
    std::optional<AnyProfiledScores> s = K_.profiled();
    if (s) std::visit([](auto& form) { form = transposed(form); }, *s);
    return s;
  }
  const PairMask* mask() const override { return mask_ ? &*mask_ : nullptr; }
  Index nearest_key(Index, const Vector<double>&) const override { return -1; }  // empty columns stay 0
  // Derivatives are taken of the kernel as it stands.
  void fill_slopes(Index i0, Index j0, Tile<T> k, Tile<T> costs, Tile<T> slopes) const override {
    Matrix<T> a(k.cols(), k.rows()), b = a, c = a;
    K_.fill_slopes(j0, i0, a, b, c);
    k = a.transpose();
    costs = b.transpose();
    slopes = c.transpose();
  }
  std::unique_ptr<CostVjp<T>> vjp() const override { return nullptr; }
  double scale_slope() const override { return K_.scale_slope(); }

 private:
  const LogWeights<T>& K_;
  std::optional<TransposedMask> mask_;
};

// --- any number of query blocks, over threads

/// The work of all queries with all keys: blocks of queries and, where those are few, parts of the keys, merged in order.
struct Division {
  Index query_block, n_blocks, n_parts;
};

template <class T> void put(Partial<T>& whole, Index at, const Partial<T>& part) {
  whole.log_reference.segment(at, part.mass.size()) = part.log_reference;
  whole.mass.segment(at, part.mass.size()) = part.mass;
  whole.sum.middleRows(at, part.mass.size()) = part.sum;
}

/// Calls reduce(queries, part) for every block of queries and part of the keys and puts the parts together.
template <class T, class Reduce>
Partial<T> over_blocks(Index rows, Index columns, const Division& work, const Execution& run,
                       const Reduce& reduce) {
  Partial<T> whole = neutral<T>(rows, columns);
  const bool split = work.n_parts > 1;
  std::vector<Partial<T>> parts(static_cast<std::size_t>(split ? work.n_blocks * work.n_parts : 0));
  parallel_blocks(work.n_blocks * work.n_parts, run, "propagating", [&](Index item) {
    const Block queries = block_of(item / work.n_parts, rows, work.query_block);
    Partial<T> part = reduce(queries, item % work.n_parts);
    if (split)
      parts[static_cast<std::size_t>(item)] = std::move(part);
    else
      put(whole, queries.begin, part);
  });
  for (std::size_t item = 0; item < parts.size(); item += static_cast<std::size_t>(work.n_parts)) {
    Partial<T> row = parts[item];
    for (std::size_t k = 1; k < static_cast<std::size_t>(work.n_parts); ++k)
      row = merge(row, parts[item + k]);
    put(whole, static_cast<Index>(item) / work.n_parts * work.query_block, row);
  }
  return whole;
}

Division divide(Index rows, Index cols, Index query_block) {
  const Index n_blocks = block_count(rows, query_block);
  const Index wanted = n_blocks > 0 ? block_count(least_work_items, n_blocks) : 1;
  return {query_block, n_blocks, std::clamp<Index>(block_count(cols, key_block), 1, wanted)};
}

// --- tiles of log weights: a user's own metric

template <class T>
Partial<T> tiled_sum(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                     const Execution& run) {
  const Vector<T>& bias = key_bias.cast<T>();
  const Division work = divide(K.rows(), K.cols(), query_block);
  const double operations =
      static_cast<double>(K.rows()) * static_cast<double>(K.cols()) * (16 + static_cast<double>(V.cols()));
  return over_blocks<T>(K.rows(), V.cols(), work, sized(run, operations), [&](Block queries, Index part) {
    const Block keys = part_of(K.admitted_keys(queries.begin, queries.size), part, work.n_parts);
    return reduce_block(K, bias, V, queries, keys);
  });
}

/// The far queries' rows by tiles, the others' in whatever loop takes them.
template <class T>
void put_far_rows(const LogWeights<T>& K, const std::vector<bool>& far, const Vector<double>& key_bias,
                  const Values<T>& V, Partial<T>& sums, const Execution& run) {
  const Vector<T> bias = key_bias.cast<T>();
  parallel_blocks(block_count(K.rows(), query_block), run, "propagating", [&](Index b) {
    const Block rows = block_of(b, K.rows(), query_block);
    const auto begin = far.begin() + rows.begin, end = begin + rows.size;
    if (std::find(begin, end, true) == end) return;
    const Partial<T> part = reduce_block<T>(K, bias, V, rows, K.admitted_keys(rows.begin, rows.size));
    for (Index a = 0; a < rows.size; ++a) {
      if (!begin[a]) continue;
      sums.log_reference(rows.begin + a) = part.log_reference(a);
      sums.mass(rows.begin + a) = part.mass(a);
      sums.sum.row(rows.begin + a) = part.sum.row(a);
    }
  });
}

// --- the fused loop

constexpr double log2_e = std::numbers::log2e;

/// The biases of the fused loop's exponents, to the base 2. Key biases are taken relative to the largest: what all keys
/// share costs no digits.
template <class C> struct ExponentBiases {
  Vector<C> query, key;
  double shared = 0;

  ExponentBiases(const LiftedExponents<C>& e, const Vector<double>& key_bias) {
    const double largest = key_bias.size() ? key_bias.maxCoeff() : 0;
    shared = largest > minus_infinity ? largest : 0;
    query = (-e.scale * log2_e * e.queries->bias.template cast<double>()).template cast<C>();
    key = (log2_e * ((key_bias.array() - shared) - e.scale * e.keys->bias.template cast<double>().array()))
              .template cast<C>();
  }
};

/// Sums found in C, handed out in T.
template <class T, class C> Partial<T> as(Partial<C> part) {
  if constexpr (std::is_same_v<T, C>)
    return part;
  else
    return {part.log_reference, part.mass, part.sum.template cast<T>()};
}

/// The work of one pair beside its value columns, in multiply-adds: `width` of them and what the weight takes.
struct Size {
  Index rows, cols, pair_work;
};

/// Panels over threads. with(queries, keys, use) calls use(block) for those queries and keys; `shared` is added to the
/// references, natural logarithms.
template <class T, class C, class With>
Partial<T> panel_sums(const Size& size, double shared, const Values<C>& V, const Execution& run,
                      const With& with) {
  const Index rows = size.rows, cols = size.cols;
  // Few queries: one panel a block, so that there is work for all threads.
  const Index panel = simd::panel_lanes(sizeof(C) == 4), panels = rows >= 64 * panel ? 4 : 1;
  const Division work = divide(rows, cols, panels * panel);
  const double operations = static_cast<double>(rows) * static_cast<double>(cols)
                            * static_cast<double>(size.pair_work + V.cols()) / 32;
  return over_blocks<T>(rows, V.cols(), work, sized(run, operations), [&](Block queries, Index part) {
    const Block keys = part_of({0, cols}, part, work.n_parts);
    Partial<C> sums = neutral<C>(queries.size, V.cols());
    with(queries, keys, [&](const simd::ExponentBlock<C>& block) {
      simd::sum_panels<C>(block, {.values = V.data() + keys.begin * V.outerStride(),
                                  .value_stride = V.outerStride(),
                                  .n_columns = V.cols(),
                                  .reference = sums.log_reference.data(),
                                  .mass = sums.mass.data(),
                                  .sums = sums.sum.data(),
                                  .sum_stride = V.cols()});
    });
    sums.log_reference = (sums.log_reference.array() * std::numbers::ln2 + shared).matrix();
    return as<T>(std::move(sums));
  });
}

/// Exponentials of lifts.
template <class T, class C>
Partial<T> fused_sum(const LogWeights<T>& K, const LiftedExponents<C>& e, const Vector<double>& key_bias,
                     const Values<C>& V, const Execution& run) {
  if (K.mask() == nullptr && symmetric_sum_serves(e, key_bias, V.cols()))
    return as<T>(symmetric_sum<C>(e, key_bias, V, run));
  const Index width = e.queries->features().cols();
  const ExponentBiases<C> bias(e, key_bias);
  const auto with = [&](Block queries, Block keys, const auto& use) {
    use(simd::ExponentBlock<C>{.queries = e.queries->features().data() + queries.begin * width,
                               .query_stride = width,
                               .query_bias = bias.query.data() + queries.begin,
                               .n_queries = queries.size,
                               .keys = e.keys->features().data() + keys.begin * width,
                               .key_stride = width,
                               .key_bias = bias.key.data() + keys.begin,
                               .n_keys = keys.size,
                               .width = width,
                               .query_scale = static_cast<C>(e.scale * log2_e),
                               .upper_bound = e.upper_bound,
                               .mask = K.mask(),
                               .first_query = queries.begin,
                               .first_key = keys.begin});
  };
  return panel_sums<T, C>({K.rows(), K.cols(), width + 8}, bias.shared, V, run, with);
}

/// All other kernels: scores, then a profile.
template <class T, class C>
Partial<T> fused_sum(const LogWeights<T>& K, const ProfiledScores<C>& s, const Vector<double>& key_bias,
                     const Values<C>& V, const Execution& run) {
  const double largest = key_bias.size() ? key_bias.maxCoeff() : 0;
  const double shared = largest > minus_infinity ? largest : 0;
  const Vector<double> weight = key_bias.array() - shared;
  const ScoreBlocks<C> blocks(s, {0, K.rows()}, {0, K.cols()}, weight);
  const Index width = s.scores.queries ? s.scores.queries->cols() : 0;
  return panel_sums<T, C>(
      {K.rows(), K.cols(), 2 * width + 24}, shared, V, run,
      [&](Block queries, Block keys, const auto& use) { blocks.with(queries, keys, K.mask(), use); });
}

/// Either form, in its own precision.
template <class T, class Form>
Partial<T> any_fused_sum(const LogWeights<T>& K, const Form& form, const Vector<double>& key_bias,
                         const Values<T>& V, const Execution& run) {
  return std::visit(
      [&]<template <class> class F, class C>(const F<C>& f) -> Partial<T> {
        if constexpr (std::is_same_v<T, C>)
          return fused_sum<T, C>(K, f, key_bias, V, run);
        else if constexpr (std::is_same_v<C, double>)  // float32 points whose products need float64
          return fused_sum<T, C>(K, f, key_bias, Matrix<C>(V.template cast<C>()), run);
        else
          throw std::logic_error("float64 operators have float64 products");
      },
      form);
}

}  // namespace

template <class T>
Partial<T> exp_sum_less_shift(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                              const Execution& run) {
  if (const auto rows = K.far_rows()) {
    Partial<T> sums = exp_sum_less_shift<T>(rows->others, key_bias, V, run);
    put_far_rows<T>(K, rows->far, key_bias, V, sums, run);
    return sums;
  }
  if (const auto exponents = K.exponents()) return any_fused_sum(K, *exponents, key_bias, V, run);
  if (const auto scores = K.profiled()) return any_fused_sum(K, *scores, key_bias, V, run);
  return tiled_sum(K, key_bias, V, run);
}

template <class T>
Partial<T> exp_sum(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                   const Execution& run) {
  Partial<T> sums = exp_sum_less_shift<T>(K, key_bias, V, run);
  if (const Vector<double>* shift = K.row_shift()) sums.log_reference += *shift;
  return sums;
}

template <class T>
Partial<T> exp_sum_transposed(const LogWeights<T>& K, const Vector<double>& query_bias, const Values<T>& V,
                              const Execution& run) {
  return exp_sum<T>(TransposedWeights<T>(K), query_bias, V, run);
}

template <class T> Vector<double> log_mass(const Partial<T>& part) {
  // One by one: a vectorized logarithm differs from the last few rows' in the last bit, and equal masses must stay equal.
  return part.log_reference + part.mass.unaryExpr([](double mass) { return std::log(mass); });
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template Partial<T> exp_sum(const LogWeights<T>&, const Vector<double>&, const Values<T>&,            \
                              const Execution&);                                                        \
  template Partial<T> exp_sum_less_shift(const LogWeights<T>&, const Vector<double>&, const Values<T>&, \
                                         const Execution&);                                             \
  template Partial<T> exp_sum_transposed(const LogWeights<T>&, const Vector<double>&, const Values<T>&, \
                                         const Execution&);                                             \
  template Vector<double> log_mass(const Partial<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
