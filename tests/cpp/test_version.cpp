#include <algorithm>
#include <likewise/version.hpp>

#include "catch.hpp"

TEST_CASE("version is three numbers joined by dots", "[version]") {
  const std::string_view version = likewise::version();
  REQUIRE(version.find_first_not_of("0123456789.") == std::string_view::npos);
  REQUIRE(std::count(version.begin(), version.end(), '.') == 2);
  REQUIRE(version.front() != '.');
  REQUIRE(version.back() != '.');
}
