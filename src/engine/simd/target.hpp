// The environment's choice of instruction set.
#pragma once

namespace likewise::engine::simd {

/// Before the first kernel runs: obeys LIKEWISE_SIMD, once. Throws InvalidArgument where that names nothing that runs.
void obey_environment();

/// Whether what AMX does faster runs there: where there is AMX and it was named.
bool amx_chosen();

}  // namespace likewise::engine::simd
