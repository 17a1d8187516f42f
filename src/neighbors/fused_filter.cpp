#include "neighbors/fused_filter.hpp"

#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>

#include "engine/cost_source.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/panel_sum.hpp"

namespace likewise::neighbors {
namespace {

using engine::simd::CostBlock;
using engine::simd::PairRule;

template <class C> using Buffer = hwy::AlignedFreeUniquePtr<C[]>;
template <class C> Buffer<C> buffer(Index n) {
  return hwy::AllocateAligned<C>(static_cast<std::size_t>(std::max<Index>(n, 1)));
}
constexpr Index lift_block = 512;  // rows that are lifted at a time

/// |A_i| |B_j| <= (s |A_i|^2 + |B_j|^2 / s) / 2 for any s > 0: a bound of a product's terms that splits into one
/// number for each point. `weight` is s/2 or 1/(2s).
double term_size(const Lift<double>& lift, Index a, double weight) {
  return std::abs(lift.bias(a)) + weight * lift.features.row(a).squaredNorm();
}

/// s from a few points: where both terms are about equal.
double balance(const LiftedPairs& pairs) {
  constexpr Index most = 64;
  const auto mean_square = [](const Lift<double>& lift) {
    return lift.features.squaredNorm() / static_cast<double>(lift.bias.size());
  };
  const double a = mean_square(pairs.lift_queries(0, std::min(most, pairs.n_queries())));
  const double b = mean_square(pairs.lift_keys(0, std::min(most, pairs.n_keys())));
  const double s = std::sqrt(b / a);
  return s > 1e-100 && s < 1e100 ? s : 1;
}

/// The largest term_size among queries plus that among keys: products and their sums stay below. Not finite where
/// float64 overflows.
double largest_terms(const LiftedPairs& pairs, double s, bool queries_are_keys, const Execution& run) {
  std::mutex lock;
  const auto largest = [&](Index n, bool of_queries) {
    double most = 0;
    engine::parallel_blocks(engine::block_count(n, lift_block), run, "lifting points", [&](Index b) {
      const auto [first, size] = engine::block_of(b, n, lift_block);
      const Lift<double> lift = of_queries ? pairs.lift_queries(first, size) : pairs.lift_keys(first, size);
      double block_most = 0;
      for (Index a = 0; a < size; ++a) {
        const double term = term_size(lift, a, of_queries ? s / 2 : 1 / (2 * s));
        if (!std::isfinite(term)) block_most = std::numeric_limits<double>::infinity();
        block_most = std::max(block_most, term);
      }
      const std::lock_guard guard(lock);
      most = std::max(most, block_most);
    });
    return most;
  };
  const double keys = largest(pairs.n_keys(), false);
  return keys + (queries_are_keys ? keys * std::max(1.0, s * s) : largest(pairs.n_queries(), true));
}

/// Points as the loops read them: features in C, and biases lowered by each point's share of the error, so that
/// v_ij <= d_ij^lift_power however all roundings fall.
template <class C> class LoweredLift {
 public:
  struct Rows {
    const C* features;
    const C* bias;
  };
  struct Scratch {
    Buffer<C> features, bias;
  };

  LoweredLift(const LiftedPairs& pairs, const Execution& run) : pairs_(pairs), s_(balance(pairs)) {
    width_ = pairs.lift_keys(0, 1).features.cols();
    // Sums of width + 2 terms, biases that are such sums themselves, inputs rounded to C.
    relative_ = static_cast<double>(std::numeric_limits<C>::epsilon()) * static_cast<double>(width_ + 8);
    absolute_ = pairs.projection_error()
                + static_cast<double>(std::numeric_limits<C>::min()) * static_cast<double>(2 * width_ + 8);
    constexpr double most_kept = 24 << 20;  // bytes; beyond that keys are lifted anew where they are used
    const Index n = pairs.n_keys();
    if (static_cast<double>(n) * static_cast<double>((width_ + 1) * Index(sizeof(C))) > most_kept) return;
    keys_.features = buffer<C>(n * width_);
    keys_.bias = buffer<C>(n);
    engine::parallel_blocks(engine::block_count(n, lift_block), run, "lifting points", [&](Index b) {
      const auto [first, size] = engine::block_of(b, n, lift_block);
      lower(pairs_.lift_keys(first, size), 1 / (2 * s_), keys_.features.get() + first * width_,
            keys_.bias.get() + first);
    });
  }

  Index width() const { return width_; }

  void queries(Index first, Index n, const Index* rows, C* features, C* bias) const {
    lower(pairs_.lift_queries(first, n, rows), s_ / 2, features, bias);
  }
  Rows keys(Index first, Index n, Scratch& scratch) const {
    if (keys_.features) return {keys_.features.get() + first * width_, keys_.bias.get() + first};
    if (!scratch.features) {
      scratch.features = buffer<C>(most_rows * width_);
      scratch.bias = buffer<C>(most_rows);
    }
    lower(pairs_.lift_keys(first, n), 1 / (2 * s_), scratch.features.get(), scratch.bias.get());
    return {scratch.features.get(), scratch.bias.get()};
  }
  static constexpr Index most_rows = 1536;  ///< that are asked for at a time

 private:
  void lower(const Lift<double>& lift, double weight, C* features, C* bias) const {
    const Index n = lift.bias.size();
    Eigen::Map<Matrix<C>>(features, n, width_) = lift.features.template cast<C>();
    for (Index a = 0; a < n; ++a)
      bias[a] = static_cast<C>(lift.bias(a) - relative_ * term_size(lift, a, weight) - absolute_ / 2);
  }

  const LiftedPairs& pairs_;
  double s_, relative_ = 0, absolute_ = 0;
  Index width_ = 0;
  Scratch keys_;
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

template <class C> class FusedFilter final : public Filter {
 public:
  FusedFilter(const LiftedPairs& pairs, const MetricTraits& laws, const Request& request,
              const Execution& run)
      : request_(request),
        lift_(pairs, run),
        symmetric_(request.self && laws.symmetric),
        lanes_(engine::simd::panel_lanes(sizeof(C) == 4)) {
    const int from = engine::unit_power(laws, engine::CostUnit::reported), to = laws.lift_power();
    unit_.of_reported = [=](double d) { return engine::convert_power(d, from, to); };
  }

  std::vector<RowLimit> nearest(Index k, const Store& store, const Execution& run) const override {
    const Index n = request_.pairs.n_queries();
    const double list_bytes = static_cast<double>(n) * static_cast<double>(RowLists<C>::bytes_per_row(k));
    if (symmetric_ && n > lanes_ && list_bytes <= most_list_bytes) return mirrored(k, store, run);
    return crossed(nullptr, n, k, store, run);
  }

  /// The share of a few queries that would be left unresolved.
  double unresolved_share(Index k) const {
    const Index n = request_.pairs.n_queries(), count = std::min(n, lanes_);
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
      Collection collection(request_, limits, block.size, k);
      const auto sink = collection.sink();
      for_key_blocks(0, request_.pairs.n_keys(), [&](const auto& keys, Index first, Index count) {
        engine::simd::scan_below<C>(block_of(queries, 0, keys, first, count), highest.get(), sink);
      });
      collection.finish(store);
    });
  }

 private:
  using Rows = typename LoweredLift<C>::Rows;
  using Scratch = typename LoweredLift<C>::Scratch;
  static constexpr double most_list_bytes = 48 << 20;  // for all rows at once

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

  /// Queries (or those in `rows`) against all keys. Where the blocks of queries are few, keys are split too.
  std::vector<RowLimit> crossed(const Index* rows, Index n, Index k, const Store& store,
                                const Execution& run) const {
    const Index n_keys = request_.pairs.n_keys(), size = rows_per_block(n),
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
      const Translated rule(request_.rule, rows ? rows + first : nullptr);
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
      Ranking ranking(request_.pairs, unit_, k);
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
    const Index n = request_.pairs.n_keys(), size = rows_per_block(n),
                n_blocks = engine::block_count(n, size);
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
          engine::simd::scan_nearest<C>(block, request_.rule, of_queries, nullptr);
        } else {
          const std::scoped_lock guard(locks[static_cast<std::size_t>(i)],
                                       locks[static_cast<std::size_t>(j)]);
          PairRule rule = request_.rule;
          rule.skip_self = false;  // no pair of different blocks is a point with itself
          engine::simd::scan_nearest<C>(block, rule, of_queries, &of_keys);
        }
      }
    });
    std::vector<RowLimit> rest;
    std::mutex lock;
    engine::parallel_blocks(n_blocks, run, "finding neighbors", [&](Index b) {
      const auto [first, count] = engine::block_of(b, n, size);
      Ranking ranking(request_.pairs, unit_, k);
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
      const PairRule& rule;
      const Index* rows;
    };
    Translated(const PairRule& of_all, const Index* rows) : context{of_all, rows}, rule(of_all) {
      if (!rows) return;
      rule = {false, &context, [](const void* at, std::ptrdiff_t a, std::ptrdiff_t j) {
                const auto& c = *static_cast<const Context*>(at);
                return c.rule.allows(c.rows[a], j);
              }};
    }
    Translated(const Translated&) = delete;
    Context context;
    PairRule rule;
  };

  const Request& request_;
  LoweredLift<C> lift_;
  bool symmetric_;
  Index lanes_;
  FilterUnit unit_;
};

constexpr double most_unresolved = 0.1;  // a second pass over that share costs as much as float64 loses

}  // namespace

std::unique_ptr<const Filter> make_double_filter(const LiftedPairs& pairs, const MetricTraits& laws,
                                                 const Request& request, const Execution& run) {
  return std::make_unique<const FusedFilter<double>>(pairs, laws, request, run);
}

std::unique_ptr<const Filter> make_fused_filter(const LiftedPairs& pairs, const MetricTraits& laws,
                                                const Request& request, Index k, const Execution& run) {
  const double size = largest_terms(pairs, balance(pairs), request.self && laws.symmetric, run);
  if (!std::isfinite(size)) return nullptr;
  if (!(size < 1e37)) return make_double_filter(pairs, laws, request, run);
  auto single = std::make_unique<const FusedFilter<float>>(pairs, laws, request, run);
  constexpr Index worth_a_look = 2000;  // queries
  if (k == 0 || pairs.n_queries() < worth_a_look) return single;
  if (single->unresolved_share(k) <= most_unresolved) return single;
  auto precise = std::make_unique<const FusedFilter<double>>(pairs, laws, request, run);
  // Where float64 does not resolve them either they are true ties.
  if (precise->unresolved_share(k) <= most_unresolved) return precise;
  return single;
}

}  // namespace likewise::neighbors
