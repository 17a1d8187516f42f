#include "yardstick.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include <omp.h>

#ifdef __linux__
#include <unistd.h>
#endif
#ifdef LIKEWISE_OPENBLAS
#include <cblas.h>
#endif

namespace likewise::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Index side = 2048;
constexpr double flops_of_product = 2.0 * side * side * side;
constexpr auto fresh = std::chrono::seconds(5);  // clocks drift: an older measurement is taken again
constexpr int repeats = 3;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

#ifdef LIKEWISE_OPENBLAS
void product(const Matrix<float>& a, const Matrix<float>& b, Matrix<float>& c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side, 1, a.data(), side, b.data(), side,
              0, c.data(), side);
}
void product(const Matrix<double>& a, const Matrix<double>& b, Matrix<double>& c) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side, 1, a.data(), side, b.data(), side,
              0, c.data(), side);
}
void prepare() { openblas_set_num_threads(threads()); }
#else
template <class T> void product(const Matrix<T>& a, const Matrix<T>& b, Matrix<T>& c) { c.noalias() = a * b; }
void prepare() { Eigen::setNbThreads(threads()); }
#endif

template <class T> double measured_product_speed() {
  prepare();
  const Matrix<T> a = normal<T>(side, side, 1), b = normal<T>(side, side, 2);
  Matrix<T> c(side, side);
  product(a, b, c);  // warm
  double best = 1e300;
  for (int i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    product(a, b, c);
    best = std::min(best, seconds_since(start));
  }
  benchmark::DoNotOptimize(c.data());
  return flops_of_product / best;
}

}  // namespace

int threads() { return omp_get_max_threads(); }

template <class T> double product_speed() {
  static double speed = 0;
  static Clock::time_point when;
  if (speed == 0 || Clock::now() - when > fresh) {
    speed = measured_product_speed<T>();
    when = Clock::now();
  }
  return speed;
}
template double product_speed<float>();
template double product_speed<double>();

std::string product_name() {
#ifdef LIKEWISE_OPENBLAS
  const std::string forced = std::getenv("OPENBLAS_CORETYPE") ? " (set by OPENBLAS_CORETYPE)" : "";
  return std::string("OpenBLAS ") + openblas_get_corename() + forced;
#else
  return "Eigen";
#endif
}

void choose_product_kernels([[maybe_unused]] char** argv) {
#if defined(LIKEWISE_OPENBLAS) && defined(__linux__) && defined(__x86_64__)
  const std::string kernels = openblas_get_corename();
  const bool old =
      kernels == "Prescott" || kernels == "Nehalem" || kernels == "Core2" || kernels == "Generic";
  const char* wanted = __builtin_cpu_supports("avx512f") ? "SkylakeX"
                       : __builtin_cpu_supports("avx2")  ? "Haswell"
                                                         : nullptr;
  if (!old || !wanted || std::getenv("OPENBLAS_CORETYPE")) return;
  setenv("OPENBLAS_CORETYPE", wanted, 1);
  execv("/proc/self/exe",
        argv);  // returns only where it fails: then A stays what it is, and its name says so
#endif
}

template <class T> Matrix<T> normal(Index n, Index d, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<T> law;
  return Matrix<T>::NullaryExpr(n, d, [&] { return law(random); });
}
template Matrix<float> normal<float>(Index, Index, unsigned);
template Matrix<double> normal<double>(Index, Index, unsigned);

}  // namespace likewise::benchmarks
