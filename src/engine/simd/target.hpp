// The environment's choice of instruction set.
#pragma once

namespace likewise::engine::simd {

/// Before the first kernel runs: obeys LIKEWISE_SIMD, once. Throws InvalidArgument where that names nothing that runs.
void obey_environment();

}  // namespace likewise::engine::simd
