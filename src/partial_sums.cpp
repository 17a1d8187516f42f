#include <likewise/partial_sums.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <likewise/error.hpp>

namespace likewise {

template <class T> Partial<T> merge(const Partial<T>& a, const Partial<T>& b) {
  constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
  const auto neutral = [](const Partial<T>& part) { return part.mass.size() == 0 && part.sum.size() == 0; };
  if (neutral(a)) return b;
  if (neutral(b)) return a;
  require(a.mass.size() == b.mass.size() && a.sum.cols() == b.sum.cols(), "b", "of the other part's shape",
          std::to_string(b.mass.size()) + " x " + std::to_string(b.sum.cols()));
  Partial<T> both = a;
  for (Index i = 0; i < a.mass.size(); ++i) {
    const double top = std::max(a.log_reference(i), b.log_reference(i));
    if (top == minus_infinity) continue;  // neither has mass
    const double of_a = std::exp(a.log_reference(i) - top), of_b = std::exp(b.log_reference(i) - top);
    both.log_reference(i) = top;
    both.mass(i) = of_a * a.mass(i) + of_b * b.mass(i);
    both.sum.row(i) = static_cast<T>(of_a) * a.sum.row(i) + static_cast<T>(of_b) * b.sum.row(i);
  }
  return both;
}

template Partial<float> merge(const Partial<float>&, const Partial<float>&);
template Partial<double> merge(const Partial<double>&, const Partial<double>&);

}  // namespace likewise
