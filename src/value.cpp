#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <likewise/value.hpp>

namespace likewise::detail {

namespace {

using Digits = std::array<char, 64>;

#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 14000
// Its to_chars knows whole numbers only (Emscripten 3.1.6): the least precision that reads back as x.
char* shortest(Digits& digits, double x, bool plain) {
  int precision = 0;
  do std::snprintf(digits.data(), digits.size(), "%.*e", precision, x);
  while (std::strtod(digits.data(), nullptr) != x && ++precision < 17);
  if (!plain) return digits.data() + std::strlen(digits.data());
  const int decimals = precision - std::atoi(std::strchr(digits.data(), 'e') + 1);
  return digits.data() + std::snprintf(digits.data(), digits.size(), "%.*f", std::max(0, decimals), x);
}
#else
char* shortest(Digits& digits, double x, bool plain) {
  return std::to_chars(digits.data(), digits.data() + digits.size(), x,
                       plain ? std::chars_format::fixed : std::chars_format::scientific)
      .ptr;
}
#endif

}  // namespace

std::string print_number(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  const double size = std::fabs(x);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);  // where Python's repr switches
  Digits digits{};
  char* const end = shortest(digits, x, plain);
  return {digits.data(), end};
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace likewise::detail
