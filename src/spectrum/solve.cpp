// Which solver for which block.
#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

Eigenpairs largest_beside_trivial(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                  const Execution& run) {
  constexpr Index dense_up_to = 400;  // about 50 ms
  const bool few = 4 * (k + 1) < A.size;
  const bool dense = options.solver == "dense" || !few || (options.solver == "auto" && A.size <= dense_up_to);
  return dense ? dense_eigenpairs(A, k, run) : lanczos_eigenpairs(A, k, options, run);
}

}  // namespace likewise::spectrum
