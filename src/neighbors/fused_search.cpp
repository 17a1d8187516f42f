#include "neighbors/fused_search.hpp"

#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>

#include "engine/cost_source.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/key_values.hpp"
#include "engine/simd/panel_sum.hpp"

namespace likewise::neighbors {
namespace {

using engine::simd::CostBlock;
using engine::simd::PairCondition;

constexpr Index lift_block = 512;  // rows that are lifted at a time

/// The largest term_size among queries. Not finite where float64 overflows.
double largest_query_term(const LiftedPairs& pairs, double s, const Execution& run) {
  std::mutex lock;
  double most = 0;
  engine::parallel_blocks(engine::block_count(pairs.n_queries(), lift_block), run, "lifting points",
                          [&](Index b) {
                            const auto [first, size] = engine::block_of(b, pairs.n_queries(), lift_block);
                            const Lift<double> lift = pairs.lift_queries(first, size);
                            double block_most = 0;
                            for (Index a = 0; a < size; ++a) {
                              const double term = term_size(lift, a, s / 2);
                              if (!std::isfinite(term)) block_most = std::numeric_limits<double>::infinity();
                              block_most = std::max(block_most, term);
                            }
                            const std::lock_guard guard(lock);
                            most = std::max(most, block_most);
                          });
  return most;
}

/// What of all terms of a search is largest: products and their sums stay below. Not finite where float64 overflows.
template <class C>
double largest_terms(const LiftedPairs& pairs, const LoweredKeys<C>& keys, bool queries_are_keys,
                     const Execution& run) {
  const double of_keys = keys.largest_term, s = keys.s;
  return of_keys + (queries_are_keys ? of_keys * std::max(1.0, s * s) : largest_query_term(pairs, s, run));
}

/// Points as the loops read them: v_ij <= d_ij^lift_power however all roundings fall. What projections and underflow may
/// add is taken from the queries' biases, so that those of the keys depend on no query.
template <class C> class LoweredLift {
 public:
  struct Rows {
    const C* features;
    const C* bias;
  };
  struct Scratch {
    Buffer<C> features, bias;
  };

  LoweredLift(const LiftedPairs& pairs, std::shared_ptr<const LoweredKeys<C>> keys)
      : pairs_(pairs),
        keys_(std::move(keys)),
        absolute_(pairs.projection_error()
                  + static_cast<double>(std::numeric_limits<C>::min())
                        * static_cast<double>(2 * width() + 8)) {}

  Index width() const { return keys_->width; }

  void queries(Index first, Index n, const Index* rows, C* features, C* bias) const {
    lower<C>(pairs_.lift_queries(first, n, rows), keys_->s / 2, absolute_, features, bias);
  }
  /// Keys that are not kept are lifted anew where they are used.
  Rows keys(Index first, Index n, Scratch& scratch) const {
    if (keys_->features) return {keys_->features.get() + first * width(), keys_->bias.get() + first};
    if (!scratch.features) {
      scratch.features = buffer<C>(most_rows * width());
      scratch.bias = buffer<C>(most_rows);
    }
    lower<C>(pairs_.lift_keys(first, n), 1 / (2 * keys_->s), 0, scratch.features.get(), scratch.bias.get());
    return {scratch.features.get(), scratch.bias.get()};
  }
  static constexpr Index most_rows = 1536;  ///< that are asked for at a time

 private:
  const LiftedPairs& pairs_;
  std::shared_ptr<const LoweredKeys<C>> keys_;
  double absolute_;
};

/// A block of queries ready for the loops.
template <class C> struct PackedQueries {
  Index n, padded;
  Buffer<C> panels, bias;

  PackedQueries(const LoweredLift<C>& lift, Index lanes, Index first, Index size, const Index* rows = nullptr)
      : n(size), padded(engine::block_count(size, lanes) * lanes) {
    const Buffer<C> features = buffer<C>(n * lift.width());
    panels = buffer<C>(padded * lift.width());
    bias = buffer<C>(padded);
    lift.queries(first, n, rows, features.get(), bias.get());
    std::fill(bias.get() + n, bias.get() + padded, std::numeric_limits<C>::infinity());
    engine::simd::pack_queries<C>(features.get(), n, lift.width(), panels.get());
  }
};

template <class C> class FusedSearch final : public BoundedSearch {
 public:
  FusedSearch(const LiftedPairs& pairs, std::shared_ptr<const LoweredKeys<C>> keys, const MetricTraits& laws,
              const SearchTerms& terms)
      : terms_(terms),
        lift_(pairs, std::move(keys)),
        symmetric_(terms.self && laws.symmetric),
        lanes_(engine::simd::panel_lanes(sizeof(C) == 4)) {
    const int from = engine::unit_power(laws, engine::CostUnit::reported), to = laws.lift_power();
    unit_.of_reported = [=](double d) { return engine::convert_power(d, from, to); };
  }

  std::vector<RowLimit> nearest(Index k, const Store& store, const Execution& run) const override {
    const Index n = terms_.pairs.n_queries();
    const double list_bytes = static_cast<double>(n) * static_cast<double>(RowLists<C>::bytes_per_row(k));
    if (symmetric_ && n > lanes_ && list_bytes <= most_list_bytes) return mirrored(k, store, run);
    if (n <= few_queries) return one_by_one(k, store, run);
    return crossed(nullptr, n, k, store, run);
  }

  /// The share of a few queries that would be left unresolved.
  double unresolved_share(Index k) const {
    const Index n = terms_.pairs.n_queries(), count = std::min(n, lanes_);
    std::vector<Index> rows(static_cast<std::size_t>(count));
    for (Index a = 0; a < count; ++a) rows[static_cast<std::size_t>(a)] = a * n / count;
    const auto rest = crossed(
        rows.data(), count, k, [](Index, const auto&) {}, Execution{.n_jobs = 1});
    return static_cast<double>(rest.size()) / static_cast<double>(count);
  }

  void within(const std::vector<RowLimit>& rows, Index k, const Store& store,
              const Execution& run) const override {
    const Index n = static_cast<Index>(rows.size()), size = rows_per_block(n);
    engine::parallel_blocks(engine::block_count(n, size), run, "finding neighbors", [&](Index b) {
      const auto block = engine::block_of(b, n, size);
      const RowLimit* limits = rows.data() + block.begin;
      std::vector<Index> ids(static_cast<std::size_t>(block.size));
      for (Index a = 0; a < block.size; ++a) ids[static_cast<std::size_t>(a)] = limits[a].query;
      const PackedQueries<C> queries(lift_, lanes_, 0, block.size, ids.data());
      const Buffer<C> highest = buffer<C>(queries.padded);
      std::fill_n(highest.get(), queries.padded, -std::numeric_limits<C>::infinity());
      for (Index a = 0; a < block.size; ++a)
        highest[static_cast<std::size_t>(a)] = unit_.template limit_of<C>(limits[a].distance);
      Collection collection(terms_, limits, block.size, k);
      const auto sink = collection.sink();
      for_key_blocks(0, terms_.pairs.n_keys(), [&](const auto& keys, Index first, Index count) {
        engine::simd::scan_below<C>(block_of(queries, 0, keys, first, count), highest.get(), sink);
      });
      collection.finish(store);
    });
  }

 private:
  using Rows = typename LoweredLift<C>::Rows;
  using Scratch = typename LoweredLift<C>::Scratch;
  static constexpr double most_list_bytes = 48 << 20;  // for all rows at once
  static constexpr Index few_queries = 2;

  /// Whole panels, at least 32 blocks where there are enough of them, at most 16 panels: they stay in the second cache.
  Index rows_per_block(Index n) const {
    return lanes_ * std::clamp<Index>(n / (lanes_ * 32), 1, LoweredLift<C>::most_rows / (2 * lanes_));
  }

  CostBlock<C> block_of(const PackedQueries<C>& queries, Index first_query, const Rows& keys, Index first_key,
                        Index n_keys) const {
    return {queries.panels.get(), queries.bias.get(), queries.n, lift_.width(), keys.features,
            lift_.width(),        keys.bias,          n_keys,    first_query,   first_key};
  }

  template <class Visit> void for_key_blocks(Index begin, Index end, const Visit& visit) const {
    Scratch scratch;
    for (Index first = begin; first < end; first += LoweredLift<C>::most_rows) {
      const Index count = std::min(LoweredLift<C>::most_rows, end - first);
      visit(lift_.keys(first, count, scratch), first, count);
    }
  }

  /// A few queries, each by itself against parts of the keys: panels of queries would be mostly empty.
  std::vector<RowLimit> one_by_one(Index k, const Store& store, const Execution& run) const {
    constexpr Index keys_per_part = 16384;
    const Index n = terms_.pairs.n_queries(), n_keys = terms_.pairs.n_keys(),
                n_parts = engine::block_count(n_keys, keys_per_part);
    const Buffer<C> features = buffer<C>(n * lift_.width()), bias = buffer<C>(n);
    lift_.queries(0, n, nullptr, features.get(), bias.get());
    std::vector<ShortList<C>> lists(static_cast<std::size_t>(n * n_parts), ShortList<C>(k));
    engine::parallel_blocks(n * n_parts, run, "finding neighbors", [&](Index task) {
      const Index query = task / n_parts;
      const auto [begin, size] = engine::block_of(task % n_parts, n_keys, keys_per_part);
      offer_keys(query, features.get() + query * lift_.width(), bias[static_cast<std::size_t>(query)], begin,
                 begin + size, lists[static_cast<std::size_t>(task)]);
    });
    std::vector<RowLimit> rest;
    Ranking ranking(terms_.pairs, unit_, k);
    for (Index query = 0; query < n; ++query) {
      ranking.start();
      for (Index part = 0; part < n_parts; ++part)
        ranking.add<C>(lists[static_cast<std::size_t>(query * n_parts + part)]);
      resolve(ranking, query, store, rest);
    }
    return rest;
  }

  void offer_keys(Index query, const C* features, C bias, Index begin, Index end, ShortList<C>& list) const {
    constexpr Index at_once = 512;
    C values[at_once];
    for_key_blocks(begin, end, [&](const Rows& keys, Index first, Index count) {
      for (Index j0 = 0; j0 < count; j0 += at_once) {
        const Index size = std::min(at_once, count - j0);
        engine::simd::key_values<C>(features, bias, keys.features + j0 * lift_.width(), lift_.width(),
                                    keys.bias + j0, size, values);
        for (Index b = 0; b < size; ++b)
          if (values[b] < list.threshold() && terms_.rule.allows(query, first + j0 + b))
            list.offer(values[b], first + j0 + b);
      }
    });
    list.finish();
  }

  /// Queries (or those in `rows`) against all keys. Where the blocks of queries are few, keys are split too.
  std::vector<RowLimit> crossed(const Index* rows, Index n, Index k, const Store& store,
                                const Execution& run) const {
    const Index n_keys = terms_.pairs.n_keys(), size = rows_per_block(n),
                n_blocks = engine::block_count(n, size);
    const Index per_split = std::max<Index>(4096, engine::block_count(n_keys * n_blocks, 16));
    const Index n_splits = engine::block_count(n_keys, per_split);
    std::vector<RowLists<C>> lists(static_cast<std::size_t>(n_splits > 1 ? n_blocks * n_splits : 0));
    std::vector<RowLimit> rest;
    std::mutex lock;
    const auto fill = [&](Index block, Index split) {
      const auto [first, count] = engine::block_of(block, n, size);
      const PackedQueries<C> queries(lift_, lanes_, first, count, rows ? rows + first : nullptr);
      RowLists<C> filled(count, queries.padded, k);
      const Translated rule(terms_.rule, rows ? rows + first : nullptr);
      const Index begin = rows ? 0 : first;  // clang before 16 lets no lambda use a structured binding
      for_key_blocks(split * per_split, std::min(n_keys, (split + 1) * per_split),
                     [&](const Rows& keys, Index first_key, Index n_block_keys) {
                       engine::simd::scan_nearest<C>(block_of(queries, begin, keys, first_key, n_block_keys),
                                                     rule.rule, filled.view(), nullptr);
                     });
      return filled;
    };
    const auto finish = [&](Index block, const RowLists<C>* of_splits) {
      const auto [first, count] = engine::block_of(block, n, size);
      Ranking ranking(terms_.pairs, unit_, k);
      std::vector<RowLimit> unresolved;
      for (Index a = 0; a < count; ++a) {
        ranking.start();
        for (Index s = 0; s < n_splits; ++s) ranking.add<C>(of_splits[s].view(), a);
        resolve(ranking, rows ? rows[first + a] : first + a, store, unresolved);
      }
      const std::lock_guard guard(lock);
      rest.insert(rest.end(), unresolved.begin(), unresolved.end());
    };
    if (n_splits == 1) {
      engine::parallel_blocks(n_blocks, run, "finding neighbors", [&](Index block) {
        const RowLists<C> filled = fill(block, 0);
        finish(block, &filled);
      });
    } else {
      engine::parallel_blocks(n_blocks * n_splits, run, "finding neighbors", [&](Index task) {
        lists[static_cast<std::size_t>(task)] = fill(task / n_splits, task % n_splits);
      });
      engine::parallel_blocks(n_blocks, run, "finding neighbors",
                              [&](Index block) { finish(block, lists.data() + block * n_splits); });
    }
    return rest;
  }

  /// Queries that are the keys: each pair of blocks once, for both sides. Block i meets the blocks i, i + 1, ... halfway
  /// around a circle, so that every unordered pair of blocks is met once and all i have equal work.
  std::vector<RowLimit> mirrored(Index k, const Store& store, const Execution& run) const {
    const Index n = terms_.pairs.n_keys(), size = rows_per_block(n), n_blocks = engine::block_count(n, size);
    std::vector<RowLists<C>> lists;
    for (Index b = 0; b < n_blocks; ++b) {
      const Index rows = engine::block_of(b, n, size).size;
      lists.emplace_back(rows, engine::block_count(rows, lanes_) * lanes_, k);
    }
    std::vector<std::mutex> locks(static_cast<std::size_t>(n_blocks));
    const Index half = n_blocks / 2, stride = n_blocks % 2 ? (n_blocks + 1) / 2 : 1;
    engine::parallel_blocks(n_blocks, run, "finding neighbors", [&](Index turn) {
      const Index i = spread(turn, n_blocks, stride);
      const auto [first, count] = engine::block_of(i, n, size);
      const PackedQueries<C> queries(lift_, lanes_, first, count);
      Scratch scratch;
      for (Index step = 0; step <= half; ++step) {
        if (step > 0 && 2 * step == n_blocks && i >= half) break;  // met from the other side
        const Index j = (i + step) % n_blocks;
        const auto [first_key, n_keys] = engine::block_of(j, n, size);
        const auto block =
            block_of(queries, first, lift_.keys(first_key, n_keys, scratch), first_key, n_keys);
        const auto of_queries = lists[static_cast<std::size_t>(i)].view(),
                   of_keys = lists[static_cast<std::size_t>(j)].view();
        if (step == 0) {
          const std::lock_guard guard(locks[static_cast<std::size_t>(i)]);
          engine::simd::scan_nearest<C>(block, terms_.rule, of_queries, nullptr);
        } else {
          const std::scoped_lock guard(locks[static_cast<std::size_t>(i)],
                                       locks[static_cast<std::size_t>(j)]);
          PairCondition rule = terms_.rule;
          rule.skip_self = false;  // no pair of different blocks is a point with itself
          engine::simd::scan_nearest<C>(block, rule, of_queries, &of_keys);
        }
      }
    });
    std::vector<RowLimit> rest;
    std::mutex lock;
    engine::parallel_blocks(n_blocks, run, "finding neighbors", [&](Index b) {
      const auto [first, count] = engine::block_of(b, n, size);
      Ranking ranking(terms_.pairs, unit_, k);
      std::vector<RowLimit> unresolved;
      for (Index a = 0; a < count; ++a) {
        ranking.start();
        ranking.add<C>(lists[static_cast<std::size_t>(b)].view(), a);
        resolve(ranking, first + a, store, unresolved);
      }
      const std::lock_guard guard(lock);
      rest.insert(rest.end(), unresolved.begin(), unresolved.end());
    });
    return rest;
  }

  /// Turns that follow each other work half a circle apart, so that threads seldom want the same block.
  static Index spread(Index turn, Index n_blocks, Index stride) {
    if (stride > 1) return turn * stride % n_blocks;
    return turn / 2 + (turn % 2) * (n_blocks / 2);
  }

  static void resolve(Ranking& ranking, Index query, const Store& store, std::vector<RowLimit>& unresolved) {
    if (ranking.finish(query))
      store(query, ranking.row());
    else
      unresolved.push_back({query, ranking.limit()});
  }

  /// A rule for queries that are counted from 0 within `rows`.
  struct Translated {
    struct Context {
      const PairCondition& rule;
      const Index* rows;
    };
    Translated(const PairCondition& of_all, const Index* rows) : context{of_all, rows}, rule(of_all) {
      if (!rows) return;
      rule = {false, &context, [](const void* at, std::ptrdiff_t a, std::ptrdiff_t j) {
                const auto& c = *static_cast<const Context*>(at);
                return c.rule.allows(c.rows[a], j);
              }};
    }
    Translated(const Translated&) = delete;
    Context context;
    PairCondition rule;
  };

  const SearchTerms& terms_;
  LoweredLift<C> lift_;
  bool symmetric_;
  Index lanes_;
  BoundUnit unit_;
};

constexpr double most_unresolved = 0.1;  // a second pass over that share costs as much as float64 loses

}  // namespace

template <class T>
std::unique_ptr<const BoundedSearch> make_double_search(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                        const SearchTerms& terms, const Execution& run) {
  return std::make_unique<const FusedSearch<double>>(pairs, keys.template lowered<double>(pairs, run),
                                                     traits(keys.metric()), terms);
}

template <class T>
std::unique_ptr<const BoundedSearch> make_fused_search(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                       const SearchTerms& terms, Index k,
                                                       const Execution& run) {
  const MetricTraits laws = traits(keys.metric());
  const auto lowered = keys.template lowered<float>(pairs, run);
  const double size = largest_terms(pairs, *lowered, terms.self && laws.symmetric, run);
  if (!std::isfinite(size)) return nullptr;
  if (!(size < largest_held<float>)) return make_double_search<T>(keys, pairs, terms, run);
  auto single = std::make_unique<const FusedSearch<float>>(pairs, lowered, laws, terms);
  constexpr Index worth_a_look = 2000;  // queries
  if (k == 0 || pairs.n_queries() < worth_a_look) return single;
  if (single->unresolved_share(k) <= most_unresolved) return single;
  auto precise = std::make_unique<const FusedSearch<double>>(pairs, keys.template lowered<double>(pairs, run),
                                                             laws, terms);
  // Where float64 does not resolve them either they are true ties.
  if (precise->unresolved_share(k) <= most_unresolved) return precise;
  return single;
}

#define LIKEWISE_INSTANTIATE(T)                                                          \
  template std::unique_ptr<const BoundedSearch> make_double_search(                      \
      const SearchedKeys<T>&, const LiftedPairs&, const SearchTerms&, const Execution&); \
  template std::unique_ptr<const BoundedSearch> make_fused_search(                       \
      const SearchedKeys<T>&, const LiftedPairs&, const SearchTerms&, Index, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::neighbors
