// Which instruction sets the engine is compiled for. Include before Highway, in every file that includes it.
#pragma once

// AVX-512, AVX2, NEON (and what newer Highways add) and the portable fallback. Older x86 sets would only lengthen the
// build; AVX3_DL brings nothing that the engine's loops use.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#define HWY_COMPILE_ALL_ATTAINABLE
