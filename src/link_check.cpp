// Which programs the library fits.
#include <likewise/link_check.hpp>

namespace likewise::detail {

template <class... Settings>
void CompiledWith<Settings...>::must_fit_the_settings_of_the_likewise_library() {}

// What crosses the border comes from malloc whatever the alignment (types.hpp); Eigen 3.4's sparse matrices do
// too, later ones align theirs. Within a static library Eigen's own matrices must not meet the program's either:
// LIKEWISE_OWN_EIGEN says that the library's Eigen has names of its own (cmake/own_eigen.cmake) or is hidden.
#if defined(LIKEWISE_OWN_EIGEN) && !EIGEN_VERSION_AT_LEAST(3, 4, 90)
#define LIKEWISE_FITS(alignment, already)                                                            \
  template struct CompiledWith<EigenVersion<EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION>,               \
                               EigenIndexBytes<sizeof(Eigen::Index)>, EigenHeapAlignment<alignment>, \
                               EigenMallocAlreadyAligned<already>,                                   \
                               StdVectorBytes<sizeof(std::vector<int>)>>;
#define LIKEWISE_FITS_ALIGNMENT(alignment) LIKEWISE_FITS(alignment, false) LIKEWISE_FITS(alignment, true)
LIKEWISE_FITS_ALIGNMENT(0)
LIKEWISE_FITS_ALIGNMENT(16)
LIKEWISE_FITS_ALIGNMENT(32)
LIKEWISE_FITS_ALIGNMENT(64)
LIKEWISE_FITS_ALIGNMENT(128)
#else
template struct CompiledWith<
    EigenVersion<EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION>, EigenIndexBytes<sizeof(Eigen::Index)>,
    EigenHeapAlignment<EIGEN_DEFAULT_ALIGN_BYTES>, EigenMallocAlreadyAligned<EIGEN_MALLOC_ALREADY_ALIGNED>,
    StdVectorBytes<sizeof(std::vector<int>)>>;
#endif

}  // namespace likewise::detail
