// The slot values: metrics, kernels, supports, normalizations, propagations. A new leaf is a line here.
#include <pybind11/eigen.h>

#include <limits>

#include "bind_value.hpp"
#include "casters.hpp"
#include "laws.hpp"

namespace likewise::python {

namespace {

std::string sentence(const std::string& start, const char* formula, const char* more) {
  return start + formula + "." + (*more ? std::string(" ") + more : "");
}

template <class M> py::class_<M> bind_metric(py::module_& m, const char* more = "") {
  auto cls = bind_value<M>(m, "likewise.metrics", sentence("c(x, z) = ", M::formula, more),
                           [](const M& metric) { validate(Metric(metric)); });
  def_laws(cls);
  return cls;
}

/// How exact the entries are: of floats as their dtype says.
double epsilon_of(const py::object& matrix) {
  const py::dtype type = py::array(matrix).dtype();
  if (type.kind() != 'f' || type.itemsize() >= 8) return std::numeric_limits<double>::epsilon();
  return type.itemsize() == 4 ? 0x1p-23 : 0x1p-10;
}

void bind_metrics(py::module_& m) {
  bind_metric<SquaredEuclidean>(m, "Unit length^2.");
  bind_metric<Euclidean>(m, "Unit length.");
  bind_metric<Cosine>(m, "Half a squared distance on the sphere; dimensionless, in [0, 2].");
  bind_metric<Manhattan>(m, "Unit length.");
  bind_metric<Chebyshev>(m, "Unit length.");
  bind_metric<Minkowski>(m, "p > 0; a distance for p >= 1. Unit length.");
  bind_metric<DotProduct>(m, "The score of self-attention with its sign turned.");
  bind_metric<Bilinear>(
      m,
      "query_factor Wq (r, dx) and key_factor Wk (r, dz): the learned score of self-attention. None leaves "
      "them open until something learns them.");
  bind_metric<Additive>(
      m,
      "a_query (dx,) and a_key (dz,); activation 'leaky_relu' of that slope below 0, 'relu', 'tanh' or "
      "'abs': the "
      "score of graph attention (Velickovic et al. 2018). O(1) a pair. None leaves both vectors open until "
      "something learns them.");
  bind_metric<AdditiveDynamic>(m,
                               "W_q (r, dx), W_k (r, dz), a (r,) and b (r,) or None: the score of dynamic "
                               "graph attention (Brody et al. 2022). O(r) a pair. "
                               "Without W_q and W_k points of r features are compared as they are.");
  bind_metric<Precomputed>(
      m,
      "The points are rows of costs themselves, (n, n) between the keys, (m, n) from new "
      "points to them: d^distance_power, 1, 2, or None for no distance.");
  using Array = FieldType<Shared<Matrix<double>>>;
  bind_metric<Mahalanobis>(m, "factor W (r, d) of any rank; None leaves it open until something learns it.")
      .def_static(
          "from_matrix",
          [](const py::object& matrix) {
            if (matrix.is_none()) wrong_type("matrix", "an array of numbers", matrix);
            return Mahalanobis::from_matrix(*Array::from("matrix", matrix), epsilon_of(matrix));
          },
          py::arg("matrix"),
          "From M = W^T W, symmetric positive semidefinite, (d, d). Eigenvalues that the rounding of its "
          "dtype "
          "makes of 0 are 0, whatever the units of the features. Of a matrix of six digits negative ones "
          "down "
          "to -1e-6 of the largest are 0 as well, and so is what lies as near above.")
      .def_static(
          "from_diagonal",
          [](const py::object& diagonal) {
            const py::object column =
                py::module_::import("numpy").attr("reshape")(diagonal, py::make_tuple(-1, 1));
            return Mahalanobis::from_diagonal(Array::from("diagonal", column)->col(0));
          },
          py::arg("diagonal"), "From the diagonal of M, (d,): c = sum_k m_k (x_k - z_k)^2, m_k >= 0.");
}

template <class K> void bind_kernel(py::module_& m, const char* more) {
  bind_value<K>(m, "likewise.kernels", sentence("phi = ", K::formula, more),
                [](const K& kernel) { validate(Kernel(kernel)); });
}

// bandwidth h: a length, the name of a rule that finds one, or None (left open).
void bind_kernels(py::module_& m) {
  bind_kernel<Gaussian>(m, "Of a distance d; gamma = 1/(2 bandwidth^2).");
  bind_kernel<Exponential>(m, "Of any cost c; the temperature t has its unit.");
  bind_kernel<Laplacian>(m, "Of a distance d.");
  bind_kernel<Indicator>(m, "Of a distance d; without a bandwidth 1 on the whole support, with any metric.");
  bind_kernel<Epanechnikov>(m, "Of a distance d.");
  bind_kernel<Tricube>(m, "Of a distance d.");
  bind_kernel<StudentT>(m, "Of a distance d; df = 1 is the weight of t-SNE.");
  bind_kernel<AlphaDecay>(m, "Of a distance d; decay 2 is a Gaussian in other units.");
  bind_kernel<Matern32>(m, "Of a distance d; the covariance of smoothness 3/2.");
  bind_kernel<Matern52>(m, "Of a distance d; the covariance of smoothness 5/2.");
  bind_kernel<InverseDistance>(
      m, "Of a distance d to a power > 0; where some d = 0, only those keys count, equally.");
}

py::object filter_object(const PairFilter& filter) {
  return std::visit([](const auto& leaf) { return py::cast(leaf); }, filter);
}

/// The leaves of a support as Python objects, filters first; AllPairs alone for none.
py::list parts(const Support& support) {
  py::list leaves;
  for (const PairFilter& filter : support.filters()) leaves.append(filter_object(filter));
  for (const Graph& graph : support.graphs()) leaves.append(graph);
  if (const auto* neighbors = std::get_if<Neighbors>(&support.selector())) leaves.append(*neighbors);
  if (const auto* radius = std::get_if<Radius>(&support.selector())) leaves.append(*radius);
  if (leaves.empty()) leaves.append(AllPairs{});
  return leaves;
}

std::string print_parts(const Support& support) {
  std::string text;
  for (const py::handle part : parts(support))
    text += (text.empty() ? "" : " & ") + py::repr(part).cast<std::string>();
  return text;
}

template <class S> void bind_support(py::module_& m, py::class_<Support>& composed, const char* more = "") {
  bind_value<S>(m, "likewise.supports", sentence("S(i): ", S::formula, more),
                [](const S& leaf) { Support{leaf}; })
      .def(
          "__and__", [](const S& a, const Support& b) { return support_object(Support(a) & b); },
          py::is_operator(), "Both must admit a pair: filters first, then at most one selector.");
  composed.def(py::init<S>(), py::arg("leaf"));
  py::implicitly_convertible<S, Support>();
}

void bind_supports(py::module_& m) {
  py::class_<Support> composed(m, "Support",
                               "Several supports at once, `A & B`: pair filters first, then at most one "
                               "selector among what they admit.");
  bind_support<AllPairs>(m, composed);
  bind_support<Neighbors>(m, composed,
                          "Ties go to the lowest index. symmetrize: "
                          "'union', 'mutual', 'average', 'fuzzy_union' (a + b - ab), 'none'; None is 'union' "
                          "on self-operators and 'none' "
                          "across. include_self counts the point itself among the n_neighbors.");
  bind_support<Radius>(m, composed, "In the unit that kneighbors reports.");
  bind_support<LeaveOneOut>(m, composed);
  bind_support<Causal>(m, composed,
                       "Query i speaks to keys 0..i (align='upper_left') or 0..i + n_keys - n_queries "
                       "('lower_right').");
  bind_support<Window>(
      m, composed,
      "A sliding window about the query's position, i (align='upper_left') or i + n_keys - n_queries "
      "('lower_right').");
  bind_support<Blocks>(
      m, composed,
      "groups: an int for each key, query_groups: one for each query of a cross-operator or new point; "
      "None: queries stand beside the keys, one by one (new points are refused).");
  bind_support<OtherGroups>(m, composed, "The complement of Blocks, for cross-validation by groups.");
  bind_support<Mask>(m, composed, "A dense boolean (n_queries, n_keys) matrix, True = may attend.");
  bind_support<Graph>(
      m, composed,
      "Edges from the stored pattern of a sparse (n_queries, n_keys) matrix; explicit zeros are "
      "edges. weights='kernel' or 'given' (the matrix's own values).");

  composed.def(py::init([](const std::vector<Support>& parts) {
                 Support all;
                 for (const Support& part : parts) all = all & part;
                 return all;
               }),
               py::arg("parts"));
  composed.def("__repr__", &print_parts);
  composed.def("__hash__", [](const Support& s) { return hash_value(s); });
  composed.def_property_readonly("parts", [](const Support& s) { return py::tuple(parts(s)); });
  composed.def(
      "__and__", [](const Support& a, const Support& b) { return support_object(a & b); }, py::is_operator());
  def_value_protocol<Support>(composed, "likewise.supports", [](const Support& s) {
    return py::dict(py::arg("parts") = py::tuple(parts(s)));
  });
}

template <class N> void bind_normalization(py::module_& m, const char* more = "") {
  bind_value<N>(m, "likewise.normalizations", sentence("", N::formula, more),
                [](const N& normalization) { validate(Normalization(normalization)); });
}

void bind_normalizations(py::module_& m) {
  bind_normalization<Unnormalized>(m);
  bind_normalization<RowStochastic>(m, "null_mass > 0 is an attention sink, or regression shrunk to 0.");
  bind_normalization<Symmetric>(m);
  bind_normalization<Density>(m, "alpha = 1 forgets the sampling density.");
  bind_normalization<Bistochastic>(m, "Symmetric Sinkhorn until the largest |row sum - 1| is at most tol.");
  bind_normalization<Column>(m,
                             "Columns sum to 1; new rows' own columns. Rows of it divided by their sums "
                             "are Density(1) where K is symmetric.");
  bind_normalization<Global>(m, "All entries sum to 1: a joint law of pairs.");
}

template <class P> void bind_propagation(py::module_& m, const char* more) {
  bind_value<P>(m, "likewise.propagations", sentence("", P::formula, more),
                [](const P& propagation) { validate(Propagation(propagation)); });
}

void bind_propagations(py::module_& m) {
  bind_propagation<OneStep>(m, "Kernel regression, nearest neighbors, attention.");
  bind_propagation<Steps>(
      m,
      "moving='values': a random walk that smooths V; 'points': each point moves by itself to what the "
      "operator from it to the fixed points Z says of V (mean shift, Hopfield memories). Without t a row "
      "stands still when a step moves it at most tol times the longest row of V, or of points under a kernel "
      "with a bandwidth tol times that; max_iter and tol belong to steps without t.");
  bind_propagation<Equilibrium>(
      m,
      "Label propagation clamps rows; label spreading holds all softly, alpha in (0, 1). tol: relative "
      "residual of a column; solver: 'auto', 'cg', 'bicgstab', 'direct' or 'iterate'.");
  bind_propagation<Spectrum>(
      m,
      "n pairs, of a walk the constant one among them: clusters and embeddings (power 0), diffusion maps "
      "(power t). tol: residual relative to the largest eigenvalue; solver as in SelfOperator.eigsh.");
  bind_propagation<Heat>(m, "Heat that flows for a time t.");
}

}  // namespace

py::object support_object(const Support& support) {
  const py::list leaves = parts(support);
  return leaves.size() == 1 ? py::object(leaves[0]) : py::cast(support);
}

void bind_slots(py::module_& m) {
  bind_metrics(m);
  bind_kernels(m);
  bind_supports(m);
  bind_normalizations(m);
  bind_propagations(m);

  m.def("metric_from_name", &metric_from_name, py::arg("name"));
  m.def("metric_names", &metric_names);
  m.def("kernel_from_name", &kernel_from_name, py::arg("name"));
  m.def("kernel_names", &kernel_names);
  m.def(
      "support_from_name", [](const std::string& name) { return support_object(support_from_name(name)); },
      py::arg("name"));
  m.def("support_names", &support_names);
  m.def("normalization_from_name", &normalization_from_name, py::arg("name"));
  m.def("normalization_names", &normalization_names);
  m.def("propagation_from_name", &propagation_from_name, py::arg("name"));
  m.def("propagation_names", &propagation_names);
  m.def("bandwidth_rules", &bandwidth_rules);
  m.def(
      "with_bandwidth",
      [](const Kernel& kernel, const py::object& bandwidth) {
        return with_bandwidth(kernel, FieldType<Bandwidth>::from("bandwidth", bandwidth));
      },
      py::arg("kernel"), py::arg("bandwidth"));
  m.def(
      "equation", [](const Mechanism& mechanism) { return mechanism.equation(); }, py::arg("mechanism"));
}

}  // namespace likewise::python
