#include "engine/simd/amx_product.hpp"

#if defined(__x86_64__) && defined(__linux__) \
    && ((defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11))
#define LIKEWISE_HAS_AMX 1
#else
#define LIKEWISE_HAS_AMX 0
#endif

#if LIKEWISE_HAS_AMX
#if !defined(__clang__)  // whose intrinsics of AVX-512 start from undefined vectors on purpose
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>

// On every function of this file that holds an intrinsic; nothing else of the binary is compiled for AMX.
#define LIKEWISE_AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq")))
#define LIKEWISE_AMX_INLINE LIKEWISE_AMX __attribute__((always_inline)) inline

namespace likewise::engine::simd {
namespace {

using Size = std::ptrdiff_t;

// A tile register has 16 rows of 16 pairs of bfloat16 (of A) or 16 pairs of rows by 16 columns (of B). The sum over k may
// be taken in any order, so a pair is (k, k + 16) of 32: both halves are whole vectors of the operand and no element is
// shuffled to its neighbor.
constexpr Size kSide = 16, kPair = 2 * kSide, kTileBytes = 1024, kParts = 3;
// A packed operand is [tile along its side][32 of k][part]. The block of B (kDepth x kColumns) stays in the second cache
// while panels of A pass, two tiles high; such a panel stays near the first while the panels of the block pass.
constexpr Size kDepth = 256, kColumns = 640, kRows = 2 * kSide;

constexpr Size up(Size x, Size multiple) { return (x + multiple - 1) / multiple * multiple; }
constexpr Size tile_strip(Size depth) { return up(depth, kPair) / kPair * kParts * kTileBytes; }

// ---- What there is

bool processor_has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return false;  // OSXSAVE, which xgetbv needs
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
  constexpr unsigned amx = 1u << 22 | 1u << 24;                           // BF16, TILE
  return (b & avx512) == avx512 && (d & amx) == amx;
}

bool system_saves_tiles() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr std::uint32_t vectors = 0xe6, tiles = 0x60000;
  return (low & (vectors | tiles)) == (vectors | tiles);
}

/// Linux hands out the 8 KB of tiles to processes that ask, for all their threads.
bool system_lets_use_tiles() {
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

// ---- Packing: floats to parts

/// Lines of floats, contiguous along one side of a tile; those behind `n` and lanes off the mask are 0.
struct Lines {
  const float* data;
  Size n;
  __mmask16 lanes;
};

__mmask16 first_lanes(Size n) { return static_cast<__mmask16>((1u << std::clamp<Size>(n, 0, kSide)) - 1); }

template <bool SCALED>
LIKEWISE_AMX_INLINE __m512 load(const Lines& lines, Size r, Size stride, __m512 alpha) {
  if (r >= lines.n) return _mm512_setzero_ps();
  const __m512 x = _mm512_maskz_loadu_ps(lines.lanes, lines.data + r * stride);
  return SCALED ? _mm512_mul_ps(x, alpha) : x;
}

/// The nearest bfloat16 (halves away from 0), as a float; what is left of 24 bits after two of them is a third.
LIKEWISE_AMX_INLINE __m512i nearest_part(__m512 x) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  return _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
}

LIKEWISE_AMX_INLINE void store_pairs(__m512i first, __m512i second, char* to) {
  _mm_prefetch(to + kParts * kTileBytes,
               _MM_HINT_T0);  // the next tile's line: stores wait for theirs in turn
  _mm512_store_si512(to, _mm512_or_si512(_mm512_srli_epi32(first, 16), second));
}

/// One row of the tiles of the three parts. A number that is not finite, or whose first part is not, leaves a NaN as third
/// part, and so in `trouble`, the sum of them.
LIKEWISE_AMX_INLINE void split(__m512 first, __m512 second, char* to, __m512& trouble) {
  for (Size part = 0; part + 1 < kParts; ++part, to += kTileBytes) {
    const __m512i a = nearest_part(first), b = nearest_part(second);
    store_pairs(a, b, to);
    first = _mm512_sub_ps(first, _mm512_castsi512_ps(a));
    second = _mm512_sub_ps(second, _mm512_castsi512_ps(b));
  }
  store_pairs(_mm512_castps_si512(first), _mm512_castps_si512(second), to);
  trouble = _mm512_add_ps(trouble, _mm512_add_ps(first, second));
}

/// 16 x 16, in place: two steps within 128-bit lanes, two across them.
LIKEWISE_AMX_INLINE void transpose(__m512 (&r)[kSide]) {
  __m512 t[kSide];
  for (int i = 0; i < 16; i += 4) {
    const __m512 a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const __m512 c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88),
                 b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88),
                 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
    r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

/// Whether a tile's rows are lines of memory or lie across them.
template <bool ACROSS, bool SCALED>
LIKEWISE_AMX void pack_tile(const Lines& first, const Lines& second, Size stride, __m512 alpha, char* to,
                            __m512& trouble) {
  if constexpr (!ACROSS) {
    for (Size r = 0; r < kSide; ++r)
      split(load<SCALED>(first, r, stride, alpha), load<SCALED>(second, r, stride, alpha), to + r * 64,
            trouble);
  } else {
    __m512 a[kSide], b[kSide];
    for (Size r = 0; r < kSide; ++r) a[r] = load<SCALED>(first, r, stride, alpha);
    transpose(a);
    for (Size r = 0; r < kSide; ++r) b[r] = load<SCALED>(second, r, stride, alpha);
    transpose(b);
    for (Size r = 0; r < kSide; ++r) split(a[r], b[r], to + r * 64, trouble);
  }
}

/// An operand as its packer sees it: `side` runs along rows of A or columns of B.
struct Operand {
  const float* data;
  Size side_stride, k_stride;
};

/// `side` by `depth` numbers as tiles, filled up with 0; false where one is not finite. Rows of A's tiles run along k, rows
/// of B's (which are SCALED) along the side.
template <bool IS_B> LIKEWISE_AMX bool pack(Operand X, Size side, Size depth, float alpha, char* to) {
  const bool along_k = X.k_stride == 1;
  const Size stride = along_k ? X.side_stride : X.k_stride;
  const __m512 factor = _mm512_set1_ps(alpha);
  __m512 trouble = _mm512_setzero_ps();
  for (Size i = 0; i < side; i += kSide)
    for (Size k = 0; k < depth; k += kPair, to += kParts * kTileBytes) {
      const float* at = X.data + i * X.side_stride + k * X.k_stride;
      const Size sides = std::min(kSide, side - i), one = std::min(kSide, depth - k),
                 two = std::clamp<Size>(depth - k - kSide, 0, kSide);
      const float* behind = two > 0 ? at + kSide * X.k_stride : at;
      if (along_k)
        pack_tile<IS_B, IS_B>({at, sides, first_lanes(one)}, {behind, sides, first_lanes(two)}, stride,
                              factor, to, trouble);
      else
        pack_tile<!IS_B, IS_B>({at, one, first_lanes(sides)}, {behind, two, first_lanes(sides)}, stride,
                               factor, to, trouble);
    }
  return _mm512_cmp_ps_mask(trouble, trouble, _CMP_UNORD_Q) == 0;
}

// ---- Products of tiles: registers 0 to 3 are the result's, 4 and 5 A's, 6 and 7 B's.

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
// Not on the stack: gcc's intrinsic says that it reads the first 8 bytes only, and the others would never be stored.
constexpr TileConfig whole_tiles;

/// Whole tiles in all eight registers, for this thread until the end of the scope.
class Tiles {
 public:
  LIKEWISE_AMX Tiles() { _tile_loadconfig(&whole_tiles); }
  LIKEWISE_AMX ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

template <int HEIGHT> LIKEWISE_AMX_INLINE void load_a(const char* part, Size strip) {
  _tile_loadd(4, part, 64);
  if constexpr (HEIGHT > 1) _tile_loadd(5, part + strip, 64);
}
template <int WIDTH> LIKEWISE_AMX_INLINE void load_b(const char* part, Size strip) {
  _tile_loadd(6, part, 64);
  if constexpr (WIDTH > 1) _tile_loadd(7, part + strip, 64);
}
template <int HEIGHT, int WIDTH> LIKEWISE_AMX_INLINE void multiply_tiles() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (WIDTH > 1) _tile_dpbf16ps(1, 4, 7);
  if constexpr (HEIGHT > 1) _tile_dpbf16ps(2, 5, 6);
  if constexpr (HEIGHT > 1 && WIDTH > 1) _tile_dpbf16ps(3, 5, 7);
}

/// A row of a block of the result comes from far. Behind the end of the result, it is a hint without effect.
LIKEWISE_AMX_INLINE void prefetch(const float* row) {
  _mm_prefetch(row, _MM_HINT_T0);
  _mm_prefetch(row + kSide, _MM_HINT_T0);
}

/// Sums of a block of the result that are still to be added to it, a few rows at a time: the tile unit is busy with the next
/// block meanwhile.
class Pending {
 public:
  Pending() = default;
  Pending(const float* sums, Size rows, Size columns, float* result, Size stride)
      : sums_(sums),
        rows_(rows),
        left_(first_lanes(columns)),
        right_(first_lanes(columns - kSide)),
        result_(result),
        stride_(stride) {}

  LIKEWISE_AMX_INLINE void add(Size rows) {
    const float* sums = sums_;
    float* result = result_;
    rows = rows < rows_ ? rows : rows_;
    for (Size i = 0; i < rows; ++i, sums += kRows, result += stride_) {
      prefetch(result + kRows);  // the block to the right is next
      add_row(left_, sums, result);
      add_row(right_, sums + kSide, result + kSide);
    }
    rows_ -= rows;
    sums_ = sums;
    result_ = result;
  }
  LIKEWISE_AMX void add_rest() { add(rows_); }

 private:
  LIKEWISE_AMX_INLINE static void add_row(__mmask16 lanes, const float* sums, float* result) {
    const __m512 old = _mm512_maskz_loadu_ps(lanes, result);
    _mm512_mask_storeu_ps(result, lanes, _mm512_add_ps(old, _mm512_load_ps(sums)));
  }

  const float* sums_ = nullptr;
  Size rows_ = 0;
  __mmask16 left_ = 0, right_ = 0;
  float* result_ = nullptr;
  Size stride_ = 0;
};

/// Where blocks leave their sums, in turns, and the last that did. It is added while the next block is summed, of whichever
/// panel, so that the tile unit does not wait in between.
struct Sums {
  static constexpr Size kSize = kRows * kRows;
  float* buffers;
  Size turn = 0;
  Pending pending{};

  float* next() { return buffers + kSize * (turn++ % 2); }
};
constexpr Size kSumsBytes = 2 * Sums::kSize * static_cast<Size>(sizeof(float));

/// The six products of parts that count, in the order in which one operand's tiles stay for the next.
template <int HEIGHT, int WIDTH>
LIKEWISE_AMX void multiply_strips(const char* a, const char* b, Size strip, float* to, Pending work) {
  constexpr Size block = kParts * kTileBytes, middle = kTileBytes, low = 2 * kTileBytes;
  const Size steps = 6 * strip / block, some = (kRows + steps - 1) / steps;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  Pending pending = work;  // in registers
  const auto multiply = [&]() LIKEWISE_AMX {
    multiply_tiles<HEIGHT, WIDTH>();
    pending.add(some);
  };
  for (const char* const end = a + strip; a < end; a += block, b += block) {
    load_b<WIDTH>(b, strip);
    load_a<HEIGHT>(a + low, strip);
    multiply();
    load_a<HEIGHT>(a + middle, strip);
    multiply();
    load_b<WIDTH>(b + middle, strip);
    multiply();
    load_a<HEIGHT>(a, strip);
    multiply();
    load_b<WIDTH>(b, strip);
    multiply();
    load_b<WIDTH>(b + low, strip);
    multiply();
  }
  pending.add_rest();
  constexpr Size row = kRows * sizeof(float);
  _tile_stored(0, to, row);
  if constexpr (WIDTH > 1) _tile_stored(1, to + kSide, row);
  if constexpr (HEIGHT > 1) _tile_stored(2, to + kSide * kRows, row);
  if constexpr (HEIGHT > 1 && WIDTH > 1) _tile_stored(3, to + kSide * kRows + kSide, row);
}

/// A packed panel of A, at most two tiles high, with the packed block of B.
LIKEWISE_AMX void multiply_panel(const char* a, Size rows, const char* b, Size columns, Size depth,
                                 float* result, Size result_stride, Sums& sums) {
  const Size strip = tile_strip(depth);
  for (Size i = 0; i < rows; ++i) prefetch(result + i * result_stride);
  // gcc's tile loads do not say that they read memory: what was packed must be there before.
  __asm__ volatile("" ::: "memory");
  for (Size j = 0; j < columns; j += kRows, b += 2 * strip) {
    const Size width = std::min(kRows, columns - j);
    const auto multiply = rows > kSide ? (width > kSide ? multiply_strips<2, 2> : multiply_strips<2, 1>)
                                       : (width > kSide ? multiply_strips<1, 2> : multiply_strips<1, 1>);
    float* const to = sums.next();
    multiply(a, b, strip, to, sums.pending);
    sums.pending = Pending(to, rows, width, result + j, result_stride);
  }
}

struct Free {
  void operator()(char* p) const { ::operator delete(p, std::align_val_t(64)); }
};

/// Kept by each thread for its next product: fresh pages would cost a small one a third of its time.
char* scratch(Size bytes) {
  thread_local std::unique_ptr<char, Free> kept;
  thread_local Size size = 0;
  if (size < bytes) {
    kept.reset();
    size = 0;
    kept.reset(static_cast<char*>(::operator new(static_cast<std::size_t>(bytes), std::align_val_t(64))));
    size = bytes;
  }
  return kept.get();
}

}  // namespace

bool amx_available() {
  static const bool available = processor_has_tiles() && system_saves_tiles() && system_lets_use_tiles();
  return available;
}

bool amx_pays(Size m, Size n, Size k, Strided<float> A, Strided<float> B) {
  if (std::min(A.row_stride, A.column_stride) != 1 || std::min(B.row_stride, B.column_stride) != 1)
    return false;
  // Work pays for the packing, unless much of it is on what fills the tiles up.
  const Size work = m * n * k, tiled = up(m, kSide) * up(n, kSide) * up(k, kPair);
  return std::min(m, n) >= 64 && k >= 32 && work >= 128 * 128 * 64 && 7 * tiled <= 8 * work;
}

void amx_multiply_add(Size m, Size n, Size k, float alpha, Strided<float> A, Strided<float> B, float* result,
                      Size result_stride, MultiplyFloats otherwise) {
  if (m == 0 || n == 0 || k == 0) return;
  const Size most_columns = std::min(up(n, kSide), kColumns), strip = tile_strip(std::min(k, kDepth));
  char *const panel = scratch((kRows + most_columns) / kSide * strip + kSumsBytes), *const block =
                                                                                        panel
                                                                                        + kRows / kSide
                                                                                              * strip;
  Sums sums{reinterpret_cast<float*>(block + most_columns / kSide * strip)};
  const Tiles tiles;
  for (Size j = 0; j < n; j += kColumns)
    for (Size l = 0; l < k; l += kDepth) {
      const Size columns = std::min(kColumns, n - j), depth = std::min(kDepth, k - l);
      const float* b = B.data + l * B.row_stride + j * B.column_stride;
      const bool finite = pack<true>({b, B.column_stride, B.row_stride}, columns, depth, alpha, block);
      const Size height = finite ? kRows : m;
      for (Size i = 0; i < m; i += height) {
        const Size rows = std::min(height, m - i);
        const float* a = A.data + i * A.row_stride + l * A.column_stride;
        float* to = result + i * result_stride + j;
        if (finite && pack<false>({a, A.row_stride, A.column_stride}, rows, depth, 1, panel))
          multiply_panel(panel, rows, block, columns, depth, to, result_stride, sums);
        else
          otherwise(rows, columns, depth, alpha, {a, A.row_stride, A.column_stride},
                    {b, B.row_stride, B.column_stride}, to, result_stride);
      }
    }
  sums.pending.add_rest();
}

}  // namespace likewise::engine::simd

#else  // no AMX

namespace likewise::engine::simd {

bool amx_available() { return false; }
bool amx_pays(std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, Strided<float>, Strided<float>) {
  return false;
}
void amx_multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                      Strided<float> B, float* result, std::ptrdiff_t result_stride,
                      MultiplyFloats otherwise) {
  otherwise(m, n, k, alpha, A, B, result, result_stride);
}

}  // namespace likewise::engine::simd
#endif
