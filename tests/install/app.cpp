// Uses an installed likewise through its public headers only.
#include <iostream>
#include <likewise/version.hpp>

#if defined(NANOFLANN_HPP_) || defined(SPECTRA_SYM_EIGS_SOLVER_H)
#error "a public header of likewise includes nanoflann or Spectra"
#endif

int main() {
  std::cout << "likewise " << likewise::version() << "\n";
  return likewise::version() == EXPECTED_VERSION ? 0 : 1;
}
