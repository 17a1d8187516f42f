#include "engine/simd/panel_sum.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/panel_sum.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "engine/simd/panel-inl.h"
#include "engine/simd/score-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr double kHeadroom = 20;  // a reference is raised when an exponent exceeds it by this
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class C> hwy::AlignedFreeUniquePtr<C[]> Scratch(std::size_t n) {
  return hwy::AllocateAligned<C>(n);
}

/// One panel of queries with all that has been summed for it.
template <class C> struct Panel {
  std::size_t first, size;  // its queries within the block
  C* points;                // (width, lanes), scaled
  C* bias;                  // (lanes,)
  C* start;                 // (lanes,): bias - reference, where the fused kernel starts
  C* reference;             // (lanes,); -inf before a key with mass was met
  double* mass;             // (lanes,)
  C* sums;                  // (n_columns, lanes)
  C* factor;                // (lanes,) of the kernel's inputs, where points have factors
  bool open;                // some lane has no reference yet
  bool bounded;             // no exponent can exceed a reference by kHeadroom
};

/// A tile of keys: `rows` holds a multiple of kKeys rows.
template <class C> struct KeyTile {
  const C* rows;
  std::size_t stride;
  const C* bias;
  const C* values;
  std::size_t value_stride;
  std::size_t first, size, padded;
};

/// What is done with the exponents of kKeys keys while they are in registers.
enum class Use { keep, weigh_and_sum, weigh };

template <class C> struct Worker {
  using D = Tag<C>;
  using V = Vec<C>;
  const ExponentBlock<C>& block;
  const PanelSums<C>& out;
  D d;
  std::size_t lanes = PanelLanes<C>(), vector = hn::Lanes(D());
  std::size_t width = static_cast<std::size_t>(block.width);
  std::size_t n_columns = static_cast<std::size_t>(out.n_columns);
  hwy::AlignedFreeUniquePtr<C[]> tile = Scratch<C>(kTile * lanes);
  hwy::AlignedFreeUniquePtr<unsigned char[]> admitted =
      block.mask ? Scratch<unsigned char>(kTile * lanes) : nullptr;
  std::vector<std::size_t> edge_pairs = {};

  /// Starts accumulators at start[lane] + bias[key] and adds the products.
  HWY_INLINE void Exponents(const C* points, const C* start, const KeyTile<C>& keys, std::size_t j,
                            V (&acc)[kKeys][kVectors]) const {
    V s[kVectors];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) s[v] = hn::Load(d, start + v * vector);
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < kKeys; ++b) {
      const V bias = hn::Set(d, keys.bias[j + b]);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Add(s[v], bias);
    }
    MultiplyAdd<kKeys, C>(points, width, keys.rows + j * keys.stride, keys.stride, 1, acc);
  }

  /// The fused kernel: exponents, weights, masses and (one column) sums without leaving the registers. With kCheck
  /// returns whether an exponent exceeded the headroom: then nothing has been added to the panel.
  template <bool kCheck, Use kUse> HWY_NOINLINE bool Fused(Panel<C>& panel, const KeyTile<C>& keys) {
    V mass[kVectors], sum[kVectors], top[kVectors];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      mass[v] = sum[v] = hn::Zero(d);
      top[v] = hn::Set(d, C(0));
    }
    for (std::size_t j = 0; j < keys.padded; j += kKeys) {
      V acc[kKeys][kVectors];
      Exponents(panel.points, panel.start, keys, j, acc);
      LIKEWISE_UNROLL
      for (std::size_t b = 0; b < kKeys; ++b) {
        LIKEWISE_UNROLL
        for (std::size_t v = 0; v < kVectors; ++v) {
          if constexpr (kCheck) top[v] = hn::Max(top[v], acc[b][v]);
          const V p = Exp2(d, acc[b][v]);
          mass[v] = hn::Add(mass[v], p);
          if constexpr (kUse == Use::weigh_and_sum)
            sum[v] = hn::MulAdd(p, hn::Set(d, keys.values[j + b]), sum[v]);
          if constexpr (kUse == Use::weigh) hn::Store(p, d, tile.get() + (j + b) * lanes + v * vector);
        }
      }
    }
    if constexpr (kCheck) {
      const V highest = hn::Max(top[0], hn::Max(top[1], top[2]));
      if (!hn::AllFalse(d, hn::Gt(highest, hn::Set(d, C(kHeadroom))))) return true;
    }
    AddMass(panel, mass);
    if constexpr (kUse == Use::weigh_and_sum)
      for (std::size_t v = 0; v < kVectors; ++v) {
        C* at = panel.sums + v * vector;
        hn::Store(hn::Add(hn::Load(d, at), sum[v]), d, at);
      }
    if constexpr (kUse == Use::weigh)
      Accumulate<C>(tile.get(), keys.size, keys.values, keys.value_stride, n_columns, panel.sums);
    return false;
  }

  HWY_INLINE void AddMass(Panel<C>& panel, const V (&mass)[kVectors]) const {
    HWY_ALIGN C part[kVectors * hn::MaxLanes(D())];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(mass[v], d, part + v * vector);
    for (std::size_t a = 0; a < lanes; ++a) panel.mass[a] += static_cast<double>(part[a]);
  }

  /// Exponents of all pairs, stored; those of padding are -inf.
  HWY_NOINLINE void Store(Panel<C>& panel, const KeyTile<C>& keys) {
    if (block.rule) return StoreProfiled(panel, keys);
    for (std::size_t j = 0; j < keys.padded; j += kKeys) {
      V acc[kKeys][kVectors];
      Exponents(panel.points, panel.bias, keys, j, acc);
      for (std::size_t b = 0; b < kKeys; ++b)
        for (std::size_t v = 0; v < kVectors; ++v)
          hn::Store(acc[b][v], d, tile.get() + (j + b) * lanes + v * vector);
    }
  }

  /// The same by scores and what the kernel makes of them.
  HWY_INLINE void StoreProfiled(Panel<C>& panel, const KeyTile<C>& keys) {
    const ScoreTerms<C>& rule = *block.rule;
    if (rule.profile.constant())
      std::fill(tile.get(), tile.get() + keys.padded * lanes, C(0));
    else if (rule.way == ScoreWay::given)
      GivenScores(panel, keys);
    else
      for (std::size_t j = 0; j < keys.padded; j += kKeys)
        ScoreGroup<C>({panel.points, width, keys.rows + j * keys.stride, keys.stride}, rule, panel.bias,
                      keys.bias + j, tile.get() + j * lanes);
    if (rule.edge) FindEdgePairs(panel, keys);
    ToInput<C>(rule, rule.query_point_factor ? panel.factor : nullptr,
               rule.key_point_factor ? rule.key_point_factor + keys.first : nullptr, keys.size, tile.get());
    ToExponents<C>(rule.profile, rule.key_weight + keys.first, keys.size, tile.get());
    if (rule.edge) DecideEdgePairs(panel, keys);
    std::fill(tile.get() + keys.size * lanes, tile.get() + keys.padded * lanes, static_cast<C>(-kInfinity));
  }

  /// The places in the tile whose scores lie at the kernel's edge.
  HWY_NOINLINE void FindEdgePairs(const Panel<C>& panel, const KeyTile<C>& keys) {
    const KernelEdge& edge = *block.rule->edge;
    const V at = hn::Set(d, static_cast<C>(edge.score)), rounding = hn::Set(d, static_cast<C>(edge.rounding));
    edge_pairs.clear();
    for (std::size_t j = 0; j < keys.size; ++j) {
      const V key = hn::Set(d, keys.bias[j] + static_cast<C>(edge.score));
      for (std::size_t v = 0; v < kVectors; ++v) {
        const std::size_t first = j * lanes + v * vector;
        const V margin = hn::Mul(rounding, hn::Add(hn::Load(d, panel.bias + v * vector), key));
        const auto close = hn::Le(hn::Abs(hn::Sub(hn::Load(d, tile.get() + first), at)), margin);
        if (hn::AllFalse(d, close)) continue;
        for (std::size_t a = 0; a < vector && v * vector + a < panel.size; ++a)
          if (std::abs(tile[first + a] - static_cast<C>(edge.score))
              <= static_cast<C>(edge.rounding)
                     * (panel.bias[v * vector + a] + (keys.bias[j] + static_cast<C>(edge.score))))
            edge_pairs.push_back(first + a);
      }
    }
  }

  /// Their exponents, by definition.
  HWY_NOINLINE void DecideEdgePairs(const Panel<C>& panel, const KeyTile<C>& keys) {
    const ScoreTerms<C>& rule = *block.rule;
    for (const std::size_t at : edge_pairs) {
      const std::size_t j = at / lanes;
      const auto query = block.first_query + static_cast<std::ptrdiff_t>(panel.first + at % lanes);
      const auto key = block.first_key + static_cast<std::ptrdiff_t>(keys.first + j);
      const double log_weight =
          rule.turned ? rule.edge->log_weight(key, query) : rule.edge->log_weight(query, key);
      tile[at] = static_cast<C>(log_weight * std::numbers::log2e) + rule.key_weight[keys.first + j];
    }
  }

  HWY_INLINE void GivenScores(const Panel<C>& panel, const KeyTile<C>& keys) {
    const ScoreTerms<C>& rule = *block.rule;
    const C* from = rule.matrix + static_cast<std::ptrdiff_t>(panel.first) * rule.query_step
                    + static_cast<std::ptrdiff_t>(keys.first) * rule.key_step;
    for (std::size_t j = 0; j < keys.size; ++j, from += rule.key_step) {
      C* row = tile.get() + j * lanes;
      for (std::size_t a = 0; a < panel.size; ++a)
        row[a] = from[static_cast<std::ptrdiff_t>(a) * rule.query_step];
      std::fill(row + panel.size, row + lanes, C(0));
    }
  }

  /// The careful way: exponents are stored, masked, may raise the references, and are weighed then.
  HWY_NOINLINE void Stored(Panel<C>& panel, const KeyTile<C>& keys, bool masked) {
    Store(panel, keys);
    if (masked) Exclude(panel, keys);
    if (panel.open || !panel.bounded) RaiseReferences(panel, keys.padded);
    V mass[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      const V reference = hn::Load(d, panel.reference + v * vector);
      // A lane that has met no mass keeps reference -inf; its exponents are all -inf, and any shift leaves weights 0.
      const V shift =
          hn::IfThenElseZero(hn::Gt(reference, hn::Set(d, static_cast<C>(-kInfinity))), reference);
      mass[v] = hn::Zero(d);
      for (std::size_t j = 0; j < keys.padded; ++j) {
        C* at = tile.get() + j * lanes + v * vector;
        const V p = Exp2(d, hn::Sub(hn::Load(d, at), shift));
        mass[v] = hn::Add(mass[v], p);
        hn::Store(p, d, at);
      }
    }
    AddMass(panel, mass);
    if (n_columns)
      Accumulate<C>(tile.get(), keys.size, keys.values, keys.value_stride, n_columns, panel.sums);
  }

  HWY_INLINE void Exclude(const Panel<C>& panel, const KeyTile<C>& keys) {
    if (panel.size < lanes) std::fill_n(admitted.get(), keys.size * lanes, static_cast<unsigned char>(1));
    block.mask->admitted(
        block.first_query + static_cast<std::ptrdiff_t>(panel.first), static_cast<std::ptrdiff_t>(panel.size),
        block.first_key + static_cast<std::ptrdiff_t>(keys.first), static_cast<std::ptrdiff_t>(keys.size),
        admitted.get(), static_cast<std::ptrdiff_t>(lanes));
    for (std::size_t at = 0; at < keys.size * lanes; ++at)
      tile[at] = admitted[at] ? tile[at] : static_cast<C>(-kInfinity);
  }

  /// References meet the stored exponents: set where there was none, raised where headroom is exceeded.
  HWY_INLINE void RaiseReferences(Panel<C>& panel, std::size_t n_keys) {
    HWY_ALIGN C tops[kVectors * hn::MaxLanes(D())];
    for (std::size_t v = 0; v < kVectors; ++v) {
      V top = hn::Set(d, static_cast<C>(-kInfinity));
      for (std::size_t j = 0; j < n_keys; ++j)
        top = hn::Max(top, hn::Load(d, tile.get() + j * lanes + v * vector));
      hn::Store(top, d, tops + v * vector);
    }
    panel.open = false;
    panel.bounded = true;
    for (std::size_t a = 0; a < panel.size; ++a) {
      const C top = tops[a];
      C& reference = panel.reference[a];
      if (reference == static_cast<C>(-kInfinity)) {
        reference = top;
      } else if (top > reference + static_cast<C>(kHeadroom)) {
        const double down = std::exp2(static_cast<double>(reference) - static_cast<double>(top));
        panel.mass[a] *= down;
        for (std::size_t c = 0; c < n_columns; ++c) panel.sums[c * lanes + a] *= static_cast<C>(down);
        reference = top;
      }
      if (reference == static_cast<C>(-kInfinity)) {
        panel.open = true;
        continue;
      }
      panel.start[a] = panel.bias[a] - reference;
      if (!(block.upper_bound <= static_cast<double>(reference) + kHeadroom)) panel.bounded = false;
    }
  }

  HWY_INLINE void Meet(Panel<C>& panel, const KeyTile<C>& keys) {
    using Coverage = PairMask::Coverage;
    Coverage coverage = Coverage::full;
    if (block.mask)
      coverage = block.mask->coverage(block.first_query + static_cast<std::ptrdiff_t>(panel.first),
                                      static_cast<std::ptrdiff_t>(panel.size),
                                      block.first_key + static_cast<std::ptrdiff_t>(keys.first),
                                      static_cast<std::ptrdiff_t>(keys.size));
    if (coverage == Coverage::empty) return;
    if (block.rule || panel.open || coverage == Coverage::partial)
      return Stored(panel, keys, coverage == Coverage::partial);
    bool exceeded = false;
    if (n_columns == 0)
      exceeded = panel.bounded ? Fused<false, Use::keep>(panel, keys) : Fused<true, Use::keep>(panel, keys);
    else if (n_columns == 1)
      exceeded = panel.bounded ? Fused<false, Use::weigh_and_sum>(panel, keys)
                               : Fused<true, Use::weigh_and_sum>(panel, keys);
    else
      exceeded = panel.bounded ? Fused<false, Use::weigh>(panel, keys) : Fused<true, Use::weigh>(panel, keys);
    if (exceeded) Stored(panel, keys, false);
  }

  /// The tile at key j; its last, incomplete group of kKeys is copied and padded with keys of bias -inf.
  HWY_INLINE KeyTile<C> TileAt(std::size_t j, std::size_t n_keys, C* padded_rows, C* padded_bias,
                               C* padded_values) const {
    const std::size_t size = std::min(kTile, n_keys - j), padded = (size + kKeys - 1) / kKeys * kKeys;
    KeyTile<C> keys{block.keys + j * static_cast<std::size_t>(block.key_stride),
                    static_cast<std::size_t>(block.key_stride),
                    block.key_bias + j,
                    out.values + j * static_cast<std::size_t>(out.value_stride),
                    static_cast<std::size_t>(out.value_stride),
                    j,
                    size,
                    padded};
    const bool gather_values = n_columns == 1 && (out.value_stride != 1 || padded > size);
    if (gather_values) {
      for (std::size_t b = 0; b < padded; ++b)
        padded_values[b] = b < size ? keys.values[b * keys.value_stride] : C(0);
      keys.values = padded_values;
      keys.value_stride = 1;
    }
    if (padded == size) return keys;
    for (std::size_t b = 0; b < padded; ++b) {
      padded_bias[b] = b < size ? keys.bias[b] : static_cast<C>(-kInfinity);
      for (std::size_t k = 0; k < width; ++k)
        padded_rows[b * width + k] = b < size ? keys.rows[b * keys.stride + k] : C(0);
    }
    keys.rows = padded_rows;
    keys.stride = width;
    keys.bias = padded_bias;
    return keys;
  }

  void Open(Panel<C>& panel) const {
    PackPanel<C>(block.queries + panel.first * static_cast<std::size_t>(block.query_stride), panel.size,
                 static_cast<std::size_t>(block.query_stride), width, block.query_scale, panel.points);
    for (std::size_t a = 0; a < lanes; ++a) {
      panel.bias[a] = panel.start[a] = a < panel.size ? block.query_bias[panel.first + a] : C(0);
      if (block.rule && block.rule->query_point_factor)
        panel.factor[a] = a < panel.size ? block.rule->query_point_factor[panel.first + a] : C(1);
      panel.reference[a] = static_cast<C>(-kInfinity);
      panel.mass[a] = 0;
    }
    std::fill(panel.sums, panel.sums + n_columns * lanes, C(0));
    panel.open = true;
    panel.bounded = false;
  }

  void Close(const Panel<C>& panel) const {
    for (std::size_t a = 0; a < panel.size; ++a) {
      const std::size_t i = panel.first + a;
      const bool empty = !(panel.mass[a] > 0);
      out.reference[i] = empty ? -kInfinity : static_cast<double>(panel.reference[a]);
      out.mass[i] = empty ? 0 : panel.mass[a];
      C* row = out.sums + i * static_cast<std::size_t>(out.sum_stride);
      for (std::size_t c = 0; c < n_columns; ++c) row[c] = empty ? C(0) : panel.sums[c * lanes + a];
    }
  }

  /// Natural logarithms of the weights, row-major.
  void Fill(C* result, std::ptrdiff_t stride) {
    const std::size_t n_queries = static_cast<std::size_t>(block.n_queries),
                      n_keys = static_cast<std::size_t>(block.n_keys);
    auto storage = Scratch<C>((width + 4) * lanes);
    auto mass = Scratch<double>(lanes);
    auto padding = Scratch<C>(kTile * (width + 2));
    for (std::size_t first = 0; first < n_queries; first += lanes) {
      Panel<C> panel = At(storage.get(), mass.get(), first, n_queries);
      Open(panel);
      for (std::size_t j = 0; j < n_keys; j += kTile) {
        const KeyTile<C> keys = TileAt(j, n_keys, padding.get(), padding.get() + kTile * width,
                                       padding.get() + kTile * (width + 1));
        Store(panel, keys);
        for (std::size_t a = 0; a < panel.size; ++a) {
          C* row = result + static_cast<std::ptrdiff_t>(first + a) * stride + static_cast<std::ptrdiff_t>(j);
          for (std::size_t b = 0; b < keys.size; ++b)
            row[b] = tile[b * lanes + a] * static_cast<C>(std::numbers::ln2);
        }
      }
    }
  }

  /// The panel of the queries from `first` on, in (width + 4 + n_columns) * lanes numbers.
  Panel<C> At(C* storage, double* mass, std::size_t first, std::size_t n_queries) const {
    C* after = storage + width * lanes;
    return {.first = first,
            .size = std::min(lanes, n_queries - first),
            .points = storage,
            .bias = after,
            .start = after + lanes,
            .reference = after + 2 * lanes,
            .mass = mass,
            .sums = after + 4 * lanes,
            .factor = after + 3 * lanes,
            .open = true,
            .bounded = false};
  }

  void Run() {
    const std::size_t n_queries = static_cast<std::size_t>(block.n_queries),
                      n_keys = static_cast<std::size_t>(block.n_keys);
    const std::size_t n_panels = (n_queries + lanes - 1) / lanes, group = std::min(kPanels, n_panels);
    const std::size_t of_panel = (width + 4 + n_columns) * lanes;
    auto storage = Scratch<C>(group * of_panel);
    auto masses = Scratch<double>(group * lanes);
    auto padding = Scratch<C>(kTile * (width + 2));
    Panel<C> panels[kPanels];
    for (std::size_t first = 0; first < n_panels; first += group) {
      const std::size_t count = std::min(group, n_panels - first);
      for (std::size_t p = 0; p < count; ++p) {
        panels[p] =
            At(storage.get() + p * of_panel, masses.get() + p * lanes, (first + p) * lanes, n_queries);
        Open(panels[p]);
      }
      for (std::size_t j = 0; j < n_keys; j += kTile) {
        const KeyTile<C> keys = TileAt(j, n_keys, padding.get(), padding.get() + kTile * width,
                                       padding.get() + kTile * (width + 1));
        for (std::size_t p = 0; p < count; ++p) Meet(panels[p], keys);
      }
      for (std::size_t p = 0; p < count; ++p) Close(panels[p]);
    }
  }
};

void SumFloat(const ExponentBlock<float>& block, const PanelSums<float>& out) {
  Worker<float>{block, out, {}}.Run();
}
void SumDouble(const ExponentBlock<double>& block, const PanelSums<double>& out) {
  Worker<double>{block, out, {}}.Run();
}
void FillFloat(const ExponentBlock<float>& block, float* out, std::ptrdiff_t stride) {
  Worker<float>{block, PanelSums<float>{}, {}}.Fill(out, stride);
}
void FillDouble(const ExponentBlock<double>& block, double* out, std::ptrdiff_t stride) {
  Worker<double>{block, PanelSums<double>{}, {}}.Fill(out, stride);
}
std::ptrdiff_t Lanes(bool single) {
  return static_cast<std::ptrdiff_t>(single ? PanelLanes<float>() : PanelLanes<double>());
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(SumFloat);
HWY_EXPORT(SumDouble);
HWY_EXPORT(FillFloat);
HWY_EXPORT(FillDouble);
HWY_EXPORT(Lanes);

template <> void sum_panels(const ExponentBlock<float>& block, const PanelSums<float>& out) {
  HWY_DYNAMIC_DISPATCH(SumFloat)(block, out);
}
template <> void sum_panels(const ExponentBlock<double>& block, const PanelSums<double>& out) {
  HWY_DYNAMIC_DISPATCH(SumDouble)(block, out);
}
template <> void fill_log_weights(const ExponentBlock<float>& block, float* out, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(FillFloat)(block, out, stride);
}
template <> void fill_log_weights(const ExponentBlock<double>& block, double* out, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(FillDouble)(block, out, stride);
}
std::ptrdiff_t panel_lanes(bool single_precision) { return HWY_DYNAMIC_DISPATCH(Lanes)(single_precision); }

}  // namespace likewise::engine::simd
#endif
