// The table of contents of the extension likewise._core.
#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
  using namespace likewise::python;
  m.doc() = "The compiled part of likewise; use the package likewise instead.";
  bind_version(m);
  bind_errors(m);
  bind_execution(m);
  bind_slots(m);
  bind_custom_metric(m);
  bind_maps(m);
  bind_bandwidth(m);
  bind_keys(m);
  bind_neighbors(m);
  bind_operator(m);
  bind_gradient(m);
  bind_partial(m);
  bind_kmeans(m);
  bind_spectral(m);
  bind_diffusion_maps(m);
  bind_labels(m);
  bind_mean_shift(m);
  bind_fuzzy_c_means(m);
  bind_markov_clustering(m);
  bind_metric_learning(m);
  bind_optimizer(m);
  bind_hopfield(m);
  bind_attention(m);
  bind_many_operators(m);
  bind_nn(m);
  bind_propagation_network(m);
  bind_in_context(m);
  bind_kernel_regression(m);
  bind_k_neighbors(m);
  bind_kernel_density(m);
  bind_spectrum(m);
  bind_equilibrium(m);
  bind_propagate(m);
}
