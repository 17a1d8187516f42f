// A program that sees other Eigen types than the library was compiled with does not link.
#pragma once

#include <vector>

#include <Eigen/Core>

namespace likewise::detail {

template <int world, int major> struct EigenVersion {};
template <int bytes> struct EigenIndexBytes {};
template <int bytes> struct EigenHeapAlignment {};
template <bool already> struct EigenMallocAlreadyAligned {};
template <int bytes> struct StdVectorBytes {};

/// The library defines the function for the settings that fit it (src/link_check.cpp). What the linker says of
/// others names them: "undefined reference to likewise::detail::CompiledWith<EigenVersion<3, 4>, ...>::...".
template <class... Settings> struct CompiledWith {
  static void must_fit_the_settings_of_the_likewise_library();
};

using ThisProgram =
    CompiledWith<EigenVersion<EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION>,
                 EigenIndexBytes<sizeof(Eigen::Index)>, EigenHeapAlignment<EIGEN_DEFAULT_ALIGN_BYTES>,
                 EigenMallocAlreadyAligned<EIGEN_MALLOC_ALREADY_ALIGNED>,
                 StdVectorBytes<sizeof(std::vector<int>)>>;

#if defined(__has_cpp_attribute) && __has_cpp_attribute(gnu::retain)
#define LIKEWISE_KEEP [[gnu::used, gnu::retain]]  // --gc-sections would drop it
#else
#define LIKEWISE_KEEP [[gnu::used]]
#endif
/// One in each source that includes this, so that none of them goes unnoticed.
LIKEWISE_KEEP static void (*const link_check)() = &ThisProgram::must_fit_the_settings_of_the_likewise_library;
#undef LIKEWISE_KEEP

}  // namespace likewise::detail
