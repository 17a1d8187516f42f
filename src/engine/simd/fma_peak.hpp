// What benchmarks measure the engine against: multiply-adds that never leave the registers.
#pragma once

namespace likewise::engine::simd {

/// Does `steps` rounds of 16 independent multiply-adds of the widest vectors and returns their flops; `sink` keeps the compiler
/// from leaving them out.
double multiply_adds(long steps, float* sink);
double multiply_adds(long steps, double* sink);

}  // namespace likewise::engine::simd
