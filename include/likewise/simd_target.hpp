// Which instruction set the engine runs on.
#pragma once

#include <string>
#include <vector>

namespace likewise {

/// The one in use: "AVX3" (AVX-512), "AVX2", "NEON", ..., "SCALAR"; "AMX" is AVX-512 with tiles for products of floats. The
/// best that this machine has, AMX left out, unless the environment variable LIKEWISE_SIMD, read when the engine is first used, names
/// another. Refuses a name that cannot run here.
std::string simd_target();

/// Those that can run here, the best first.
std::vector<std::string> simd_targets();

/// Runs on that one from now on; "" is the best again. Not while other threads compute: for tests and measurements.
void force_simd_target(const std::string& name);

}  // namespace likewise
