#include <sstream>

#include <likewise/convergence.hpp>
#include <likewise/error.hpp>

namespace likewise {

void require_converged(const IterationReport& report, int max_iter) {
  if (report.converged) return;
  std::ostringstream message;
  message << "max_iter=" << max_iter << " was reached without convergence. residual=" << report.residual
          << ", steps=" << report.n_iter;
  if (!report.solver.empty()) message << " (solver '" << report.solver << "')";
  message << ". Increase max_iter or tol.";
  throw NotConverged(message.str());
}

}  // namespace likewise
