// Uses an installed likewise through its public headers only.
#include <iostream>
#include <likewise/version.hpp>

#ifdef SPECTRA_SYM_EIGS_SOLVER_H
#error "a public header of likewise includes Spectra"
#endif

int main() {
  std::cout << "likewise " << likewise::version() << "\n";
  return likewise::version() == EXPECTED_VERSION ? 0 : 1;
}
