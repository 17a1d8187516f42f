#include "yardstick.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>

#include <omp.h>

#ifdef __linux__
#include <unistd.h>
#endif
#ifdef LIKEWISE_OPENBLAS
#include <cblas.h>
#endif

namespace likewise::benchmarks {
namespace {

constexpr Index side = 2048;
constexpr double flops_of_product = 2.0 * side * side * side;

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

/// The factors and the result of A.
template <class T> struct Factors {
  Matrix<T> a = normal<T>(side, side, 1), b = normal<T>(side, side, 2), c{side, side};
};

/// OpenBLAS's threads spin for 2^26 cycles after their last product, on the cores that the next round needs.
constexpr auto until_its_threads_sleep = std::chrono::milliseconds(60);

}  // namespace

int threads() { return omp_get_max_threads(); }

template <class T> double product_speed() {
  static const auto factors = [] {
    prepare();
    auto made = std::make_unique<Factors<T>>();
    product(made->a, made->b, made->c);  // warm
    return made;
  }();
  const auto start = Rounds::Clock::now();
  product(factors->a, factors->b, factors->c);
  const double seconds = std::chrono::duration<double>(Rounds::Clock::now() - start).count();
  benchmark::DoNotOptimize(factors->c.data());
  if (threads() > 1) std::this_thread::sleep_for(until_its_threads_sleep);
  return flops_of_product / seconds;
}
template double product_speed<float>();
template double product_speed<double>();

double Rounds::median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

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
