// The fifth slot at work: what a mechanism's propagation says is done with the operator of its points.
#pragma once

#include <vector>

#include <likewise/equilibrium.hpp>
#include <likewise/mechanism.hpp>
#include <likewise/spectrum.hpp>

namespace likewise {

template <class T> struct Propagated {
  /// (n, c) what became of the values, or of points that moved. Of `Spectrum` (n, k) eigenvectors times eigenvalue^power.
  Matrix<T> values;
  IterationReport report = {};       ///< of steps until nothing moves, an equilibrium, a spectrum
  std::vector<bool> unreached = {};  ///< of an equilibrium, as SteadyValues has it
  Eigenpairs<T> eigenpairs = {};     ///< of a spectrum, not scaled
};

/// What `P.mechanism().propagation` says, with values V (n, c) at P's points: OneStep, Steps, Heat and Equilibrium take them; of
/// Steps of points V (n, d) is what the points move toward (themselves: mean shift), and the points start where they are.
/// Spectrum takes none, a matrix without entries. `clamped` (n,) says which rows an Equilibrium without alpha holds.
/// NotConverged where moving points grow without bound; what did not converge otherwise is in the report.
template <class T>
Propagated<T> propagate(const SelfOperator<T>& P, const Values<T>& V, const std::vector<bool>& clamped = {},
                        const Execution& run = {});

/// From new points X (m, d): where OneStep has their values, and whither Steps of points take them. Others answer for P's
/// points alone, and are refused.
template <class T>
Propagated<T> propagate_from(const Points<T>& X, const SelfOperator<T>& P, const Values<T>& V,
                             const Execution& run = {});

/// All five slots: the operator of the points (n, d), and what the fifth says is done with it.
template <class D, class E>
Propagated<ScalarOf<D, E>> propagate(const Mechanism& mechanism, const Eigen::MatrixBase<D>& points,
                                     const Eigen::MatrixBase<E>& values,
                                     const std::vector<bool>& clamped = {},
                                     const OperatorOptions& options = {}, const Execution& run = {}) {
  using T = ScalarOf<D, E>;
  return propagate<T>(make_self_operator<T>(mechanism, points.derived(), options, run),
                      Values<T>(values.derived()), clamped, run);
}

}  // namespace likewise
