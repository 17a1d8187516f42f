#include <likewise/version.hpp>

namespace likewise {

std::string_view version() { return LIKEWISE_VERSION; }  // defined by CMakeLists.txt for this file

}  // namespace likewise
