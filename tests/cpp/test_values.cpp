// Slot values as values: printing, ==, hashing, names, composition, and what each one refuses.
#include <set>

#include <likewise/error.hpp>

#include "catch.hpp"
#include "samples.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

template <class Call> std::string message_of(const Call& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

SparseMatrix<double> edges(double weight) {
  SparseMatrix<double> out(2, 3);
  out.insert(0, 1) = weight;  // not compressed
  out.insert(1, 2) = 0;
  return out;
}

BoolMatrix mask(bool first) {
  BoolMatrix out = BoolMatrix::Constant(2, 3, true);
  out(0, 0) = first;
  return out;
}

// Different values, in order; neighbors in the list are the ones most easily confused.
std::vector<Support> supports() {
  return {AllPairs{},
          Neighbors{5},
          Neighbors{6},
          Neighbors{5, "mutual"},
          Neighbors{5, "", true},
          Radius{1},
          Radius{2},
          LeaveOneOut{},
          Causal{},
          Causal{"lower_right"},
          Mask{mask(true)},
          Mask{mask(false)},
          Graph{edges(1)},
          Graph{edges(2)},
          Graph{edges(1), "given"},
          Support(Neighbors{5}) & LeaveOneOut{},
          Support(Mask{mask(true)}) & Mask{mask(false)}};
}

std::vector<Normalization> normalizations() {
  return {RowStochastic{}, RowStochastic{0.5}, Unnormalized{},     Symmetric{},           Density{},
          Density{0.5},    Bistochastic{},     Bistochastic{1e-6}, Bistochastic{1e-8, 20}};
}

std::vector<Propagation> propagations() {
  return {OneStep{},         Steps{},       Steps{2},         Steps{.moving = "points"},
          Steps{.tol = 0.1}, Equilibrium{}, Equilibrium{0.2}, Spectrum{3},
          Spectrum{3, 1},    Heat{},        Heat{2}};
}

template <class V> void check_values(const std::vector<V>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j < values.size(); ++j) {
      INFO(repr(values[i]) << " and " << repr(values[j]));
      CHECK((values[i] == values[j]) == (i == j));
      if (i == j) {
        const V copy = values[i];
        CHECK(copy == values[i]);
        CHECK(hash_value(copy) == hash_value(values[i]));
      }
    }
}

}  // namespace

TEST_CASE("values equal their copies and nothing else", "[value]") {
  check_values(samples::metrics(3));
  check_values(samples::kernels());
  check_values(supports());
  check_values(normalizations());
  check_values(propagations());
}

TEST_CASE("content decides equality of shared parts, shape decides their hash", "[value]") {
  const Matrix<double> W = samples::normal(2, 3, 1);
  CHECK(Mahalanobis{W} == Mahalanobis{W});  // two allocations
  CHECK(hash_value(Mahalanobis{W}) == hash_value(Mahalanobis{Matrix<double>(2 * W)}));
  CHECK(hash_value(Mahalanobis{W}) != hash_value(Mahalanobis{Matrix<double>(W.transpose())}));
  CHECK(Mahalanobis{W} != Mahalanobis{Matrix<double>(W.transpose())});
  SparseMatrix<double> compressed = edges(1);
  compressed.makeCompressed();
  CHECK(Graph{edges(1)} == Graph{compressed});
}

TEST_CASE("hashes of different scalars differ", "[value]") {
  std::set<std::size_t> hashes;
  for (const Kernel& kernel : samples::kernels()) hashes.insert(hash_value(kernel));
  for (const Normalization& normalization : normalizations()) hashes.insert(hash_value(normalization));
  for (const Propagation& propagation : propagations()) hashes.insert(hash_value(propagation));
  CHECK(hashes.size() == samples::kernels().size() + normalizations().size() + propagations().size());
  CHECK(hash_value(Gaussian{"median"}) != hash_value(Gaussian{"scott"}));
  CHECK(hash_value(Mechanism{}) == hash_value(Mechanism{}));
  CHECK(hash_value(Mechanism{}) != hash_value(Mechanism{.empty_row = EmptyRow::nearest}));
  CHECK(hash_value(Mechanism{}) != hash_value(Mechanism{.kernel = Gaussian{0.3}}));
  CHECK(hash_value(Mechanism{}) != hash_value(Mechanism{.propagation = Heat{}}));
}

TEST_CASE("a value prints as the call that makes it", "[value]") {
  CHECK(repr(SquaredEuclidean{}) == "SquaredEuclidean()");
  CHECK(repr(Metric(Mahalanobis{samples::normal(3, 4, 1)})) == "Mahalanobis(factor=<3 x 4>)");
  CHECK(repr(Metric(Bilinear{samples::normal(3, 4, 1), samples::normal(3, 5, 1)}))
        == "Bilinear(query_factor=<3 x 4>, key_factor=<3 x 5>)");
  CHECK(repr(Metric(Minkowski{1.5})) == "Minkowski(p=1.5)");
  CHECK(repr(Metric(Precomputed{2})) == "Precomputed(distance_power=2)");
  CHECK(repr(Metric(samples::canberra()))
        == "Custom(canberra, symmetric=True, zero_on_self=True, triangle_inequality=True, distance_power=1)");
  CHECK(repr(Kernel(Gaussian{})) == "Gaussian()");
  CHECK(repr(Kernel(Gaussian{0.3})) == "Gaussian(bandwidth=0.3)");
  CHECK(repr(Kernel(Gaussian{"median"})) == "Gaussian(bandwidth='median')");
  CHECK(repr(Kernel(StudentT{0.1, 3})) == "StudentT(bandwidth=0.1, df=3)");
  CHECK(repr(Kernel(Exponential{100000})) == "Exponential(temperature=100000)");
  CHECK(repr(Support(AllPairs{})) == "AllPairs()");
  CHECK(repr(Support(Neighbors{15, "mutual"})) == "Neighbors(n_neighbors=15, symmetrize='mutual')");
  CHECK(repr(Support(Neighbors{5, "", true})) == "Neighbors(include_self=True)");
  CHECK(repr(Support(Causal{"lower_right"})) == "Causal(align='lower_right')");
  CHECK(repr(Support(Mask{mask(true)})) == "Mask(admitted=<2 x 3>)");
  CHECK(repr(Support(Graph{edges(1), "given"})) == "Graph(edges=<2 x 3>, weights='given')");
  CHECK(repr(Support(LeaveOneOut{}) & Neighbors{15}) == "Neighbors(n_neighbors=15) & LeaveOneOut()");
  CHECK(repr(Normalization(Bistochastic{1e-9, 5})) == "Bistochastic(tol=1e-09, max_iter=5)");
  CHECK(repr(Mechanism{.metric = Cosine{}, .kernel = Gaussian{0.3}, .normalization = Density{0.5}}) ==
        "Mechanism(metric=Cosine(), kernel=Gaussian(bandwidth=0.3), support=AllPairs(), "
        "normalization=Density(alpha=0.5))");
  CHECK(repr(Propagation(Steps{3})) == "Steps(t=3)");
  CHECK(repr(Propagation(Equilibrium{0.123456789})) == "Equilibrium(alpha=0.123456789)");
  CHECK(repr(Propagation(Spectrum{3, 0.5})) == "Spectrum(n=3, power=0.5)");
  CHECK(repr(Metric(Mahalanobis{})) == "Mahalanobis()");
  CHECK(contains(repr(Mechanism{.propagation = Heat{2}}), ", propagation=Heat(t=2))"));
  CHECK(repr(Mechanism{.empty_row = EmptyRow::error}) ==
        "Mechanism(metric=SquaredEuclidean(), kernel=Gaussian(), support=AllPairs(), "
        "normalization=RowStochastic(), empty_row='error')");
}

TEST_CASE("numbers print with the fewest digits that read back, strings as Python literals", "[value]") {
  CHECK(detail::print_number(0.1) == "0.1");
  CHECK(detail::print_number(0.1 + 0.2) == "0.30000000000000004");
  CHECK(detail::print_number(0) == "0");
  CHECK(detail::print_number(-2) == "-2");
  CHECK(detail::print_number(1e-5) == "1e-05");
  CHECK(detail::print_number(1e15) == "1000000000000000");
  CHECK(detail::print_number(1e300) == "1e+300");
  CHECK(detail::print_number(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(detail::quoted("it's a \\") == "'it\\'s a \\\\'");
}

TEST_CASE("a bandwidth is a number, a rule or open", "[value]") {
  CHECK(Bandwidth{}.is_open());
  CHECK(Bandwidth{0.3}.length() == 0.3);
  CHECK(Bandwidth{"median"}.rule() == "median");
  CHECK(Bandwidth{"median"} != Bandwidth{"scott"});
  CHECK(Bandwidth{0.3} != Bandwidth{});
  for (const std::string& rule : bandwidth_rules()) CHECK(!Bandwidth{rule}.is_number());
  std::ostringstream out;
  out << Bandwidth{} << ' ' << Bandwidth{2.0} << ' ' << Bandwidth{"loo"};
  CHECK(out.str() == "None 2 'loo'");
}

TEST_CASE("every listed name resolves; an unknown one is answered with the list", "[value]") {
  for (const std::string& name : metric_names()) CHECK_NOTHROW(validate(metric_from_name(name)));
  for (const std::string& name : kernel_names()) CHECK_NOTHROW(validate(kernel_from_name(name)));
  for (const std::string& name : support_names()) CHECK_NOTHROW(support_from_name(name));
  for (const std::string& name : normalization_names())
    CHECK_NOTHROW(validate(normalization_from_name(name)));
  for (const char* name : {"zero", "nearest", "error"}) CHECK(to_string(empty_row_from_name(name)) == name);

  CHECK(metric_from_name("euclidean") == metric_from_name("l2"));
  CHECK(metric_from_name("sqeuclidean") == Metric(SquaredEuclidean{}));
  CHECK(metric_from_name("cityblock") == metric_from_name("l1"));
  CHECK(metric_from_name("manhattan") == Metric(Manhattan{}));
  CHECK(metric_from_name("minkowski") == Metric(Minkowski{2}));
  CHECK(metric_from_name("dot") == Metric(DotProduct{}));
  CHECK(metric_from_name("precomputed") == Metric(Precomputed{1}));
  CHECK(kernel_from_name("rbf") == Kernel(Gaussian{}));
  CHECK(kernel_from_name("tophat") == kernel_from_name("flat"));
  CHECK(support_from_name("all") == Support(AllPairs{}));
  CHECK(support_from_name("causal") == Support(Causal{}));
  CHECK(normalization_from_name("row") == Normalization(RowStochastic{}));
  CHECK(normalization_from_name("none") == Normalization(Unnormalized{}));

  CHECK(message_of([] { metric_from_name("euclid"); }) ==
        "metric must be one of 'sqeuclidean', 'squared_euclidean', 'euclidean', 'l2', 'cosine', 'manhattan', "
        "'cityblock', 'l1', 'chebyshev', 'infinity', 'minkowski', 'dot', 'dot_product', 'precomputed'; "
        "got 'euclid'.");
  CHECK(message_of([] { metric_from_name("mahalanobis"); }) ==
        "metric must be Mahalanobis of a factor, or its from_matrix or from_diagonal: it has parameters; got "
        "'mahalanobis'.");
  CHECK(message_of([] { metric_from_name("bilinear"); })
        == "metric must be Bilinear(query_factor, key_factor): it has parameters; got 'bilinear'.");
  CHECK(message_of([] { kernel_from_name("gauss"); }) ==
        "kernel must be one of 'gaussian', 'rbf', 'exponential', 'laplacian', 'indicator', 'flat', 'tophat', "
        "'uniform', 'epanechnikov', 'tricube', 'student_t', 'alpha_decay', 'inverse_distance', "
        "'matern32', 'matern52'; got 'gauss'.");
  CHECK(message_of([] { support_from_name("some"); })
        == "support must be one of 'all', 'all_pairs', 'leave_one_out', 'causal', 'neighbors'; got 'some'.");
  CHECK(message_of([] { normalization_from_name("col"); }) ==
        "normalization must be one of 'row', 'row_stochastic', 'none', 'unnormalized', 'symmetric', "
        "'density', 'bistochastic', 'column', 'global'; got 'col'.");
  CHECK(message_of([] { propagation_from_name("step"); })
        == "propagation must be one of 'one_step', 'steps', 'equilibrium', 'spectrum', 'heat'; got 'step'.");
  CHECK(message_of([] {
          Mechanism{.metric = Mahalanobis{}}.self_operator(samples::normal(3, 2, 1));
        }) == "metric must be one that is known (its factor is left open until something learns it); got "
              "Mahalanobis().");
  CHECK(message_of([] { empty_row_from_name("nan"); })
        == "empty_row must be one of 'zero', 'nearest', 'error', 'self'; got 'nan'.");
}

TEST_CASE("supports compose: filters commute, one selector, nothing twice", "[value]") {
  const Support knn = Neighbors{15}, self_less = LeaveOneOut{}, causal = Causal{}, masked = Mask{mask(true)};
  CHECK((knn & self_less) == (self_less & knn));
  CHECK((knn & causal & masked) == (masked & knn & causal));
  CHECK((causal & causal) == causal);
  CHECK((causal & AllPairs{}) == causal);
  CHECK((AllPairs{} & knn) == knn);
  CHECK(hash_value(knn & self_less) == hash_value(self_less & knn));
  CHECK((knn & self_less).neighbors()->n_neighbors == 15);
  CHECK((knn & self_less).filters().size() == 1);
  CHECK(self_less.neighbors() == nullptr);
  CHECK(Support{}.is_all_pairs());
  CHECK(!knn.is_all_pairs());
  CHECK((Support(Causal{}) & Causal{"lower_right"}).filters().size() == 2);

  CHECK(message_of([&] { knn & Radius{2}; }) ==
        "support must be pair filters and at most one of Neighbors and Radius; got Neighbors(n_neighbors=15) "
        "& Radius(radius=2).");
  const Support given = Graph{edges(1), "given"}, other = Graph{edges(2), "given"};
  CHECK(message_of([&] { given & other; }) ==
        "support must be at most one Graph with weights='given'; got Graph(edges=<2 x 3>, weights='given') & "
        "Graph(edges=<2 x 3>, weights='given').");
  CHECK((given & given) == given);
  CHECK_NOTHROW(given & Graph{edges(2)});
}

TEST_CASE("a slot refuses what it does not allow", "[value]") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  CHECK(message_of([] { Bandwidth{-1.0}; }) == "bandwidth must be a positive, finite length; got -1.");
  CHECK(message_of([] { validate(Gaussian{0.0}); }) == "bandwidth must be a positive, finite length; got 0.");
  CHECK(message_of([&] { validate(Gaussian{nan}); })
        == "bandwidth must be a positive, finite length; got nan.");
  CHECK(message_of([&] { validate(Gaussian{inf}); })
        == "bandwidth must be a positive, finite length; got inf.");
  CHECK(message_of([] { Bandwidth{"mean"}; }) ==
        "bandwidth must be a number or one of 'median', 'scott', 'silverman', 'bgh', 'self_tuning', "
        "'perplexity', 'umap', 'loo'; got 'mean'.");
  CHECK(message_of([] { Bandwidth{""}; }).find("got ''.") != std::string::npos);

  CHECK(message_of([] { validate(Kernel(Exponential{0})); })
        == "temperature must be a positive, finite number; got 0.");
  CHECK(message_of([] {
          validate(Kernel(StudentT{1.0, -2}));
        })
        == "df must be a positive, finite number; got -2.");
  CHECK(message_of([&] {
          validate(Kernel(AlphaDecay{1.0, nan}));
        })
        == "decay must be a positive, finite number; got nan.");
  CHECK(message_of([] { scale_of(Exponential{-1}); })
        == "temperature must be a positive, finite number; got -1.");
  CHECK(message_of([] { scale_of(Gaussian{"median"}); })
        == "bandwidth must be a number here (select_bandwidth finds one); got 'median'.");
  CHECK(message_of([] { scale_of(Tricube{}); })
        == "bandwidth must be a number here (select_bandwidth finds one); got None.");

  CHECK(message_of([] { Support{Neighbors{0}}; }) == "n_neighbors must be an int of at least 1; got 0.");
  CHECK(message_of([] {
          Support{Neighbors{3, "both"}};
        })
        == "symmetrize must be one of 'union', 'mutual', 'average', 'fuzzy_union', 'none'; got 'both'.");
  for (const char* word : {"", "union", "mutual", "average", "none"})
    CHECK_NOTHROW(Support{Neighbors{3, word}});
  CHECK(message_of([] { Support{Radius{-1}}; }) == "radius must be not negative; got -1.");
  CHECK(message_of([] { Support{Radius{std::nan("")}}; }) == "radius must be not negative; got nan.");
  CHECK_NOTHROW(Support{Radius{0}});
  CHECK(message_of([] { Support{Causal{"left"}}; })
        == "align must be one of 'upper_left', 'lower_right'; got 'left'.");
  CHECK(message_of([] {
          Support{Graph{edges(1), "mine"}};
        })
        == "weights must be one of 'kernel', 'given'; got 'mine'.");
  CHECK(message_of([] {
          Support{Graph{edges(-1), "given"}};
        })
        == "edges must be finite and not negative where weights='given'; got -1.");
  CHECK_NOTHROW(Support{Graph{edges(-1)}});

  CHECK(message_of([] { validate(Normalization(RowStochastic{-0.5})); })
        == "null_mass must be finite and not negative; got -0.5.");
  CHECK(message_of([&] { validate(Normalization(Density{nan})); }) == "alpha must be finite; got nan.");
  CHECK(message_of([] { validate(Normalization(Bistochastic{0})); })
        == "tol must be a positive, finite number; got 0.");
  CHECK(message_of([] {
          validate(Normalization(Bistochastic{1e-8, 0}));
        })
        == "max_iter must be an int of at least 1; got 0.");
  for (const Normalization& normalization : normalizations()) CHECK_NOTHROW(validate(normalization));
}

TEST_CASE("a metric refuses what it does not allow", "[value]") {
  Matrix<double> m(2, 2);
  m << 1, 2, 3, 4;
  CHECK(message_of([&] { Mahalanobis::from_matrix(m); })
        == "matrix must be symmetric; got entries that differ from their mirror image by 1.");
  m << 1, 2, 2, 1;
  CHECK(message_of([&] { Mahalanobis::from_matrix(m); }).substr(0, 38)
        == "matrix must be positive semidefinite (");
  CHECK(message_of([] { Mahalanobis::from_matrix(Matrix<double>::Ones(2, 3)); })
        == "matrix must be square (n_features x n_features); got 2 x 3.");
  m(0, 1) = std::nan("");
  CHECK(message_of([&] { Mahalanobis::from_matrix(m); }) == "matrix must be finite; got NaN or infinity.");
  CHECK(message_of([&] { validate(Metric(Mahalanobis{m})); })
        == "factor must be finite; got NaN or infinity.");
  CHECK(message_of([] { Mahalanobis::from_diagonal(Vector<double>::Constant(2, -3)); })
        == "diagonal must be not negative; got -3.");
  CHECK(message_of([] { validate(Metric(Minkowski{0})); }) == "p must be above 0; got 0.");
  CHECK(message_of([] { validate(Metric(Precomputed{3})); })
        == "distance_power must be 0 (no distance), 1 (a distance) or 2 (its square); got 3.");
  CHECK(message_of([] {
          validate(Metric(Bilinear{samples::normal(2, 3, 1), samples::normal(4, 3, 1)}));
        })
        == "key_factor must be a matrix with as many rows as query_factor (2); got 4 x 3.");
  for (const Metric& metric : samples::metrics(3)) CHECK_NOTHROW(validate(metric));

  const auto nothing = [](const Points<double>&, const Points<double>&, Tile<double> out) { out.setZero(); };
  CHECK(message_of([] { CustomMetric::from(nullptr, {}); })
        == "function must be a callable (queries, keys, tile); got none.");
  CHECK(message_of([&] { CustomMetric::from(nothing, {.lift = LiftLaws{.power = 2, .ratio = 2}}); })
        == "laws.lift must be nothing: a function fills tiles; got laws of a lift.");
  CHECK(message_of([&] { CustomMetric::from(nothing, {.triangle_inequality = true}); })
        == "laws.triangle_inequality must be false where distance_power is 0 (no distance); got true.");
  CHECK(message_of([&] { CustomMetric::from(nothing, {.distance_power = 1, .reports_root = true}); })
        == "laws.reports_root must be false unless distance_power is 2; got true.");
  CHECK(message_of([&] { CustomMetric::from(nothing, {.distance_power = 4}); })
        == "laws.distance_power must be 0 (no distance), 1 (a distance) or 2 (its square); got 4.");

  const auto lost = [](const Points<double>&, const Points<double>&, Tile<double> out) {
    out.setConstant(std::nan(""));
  };
  CHECK(message_of([&] {
          Matrix<float> out(2, 2);
          const Matrix<float> X = Matrix<float>::Zero(2, 1);
          CustomMetric::from(lost, {}).fill<float>(X, X, out);
        })
        == "metric must be a function that returns no NaN (infinity is far away); got Custom(custom).");
}

TEST_CASE("slots that do not fit each other are refused", "[value]") {
  CHECK_NOTHROW(validate(Mechanism{}));
  CHECK(message_of([] { validate(Mechanism{.metric = DotProduct{}, .kernel = Gaussian{0.3}}); })
        == "metric must be a distance or its square (Gaussian(bandwidth=0.3) needs it); got DotProduct().");
  for (const Kernel& kernel : samples::kernels()) {
    INFO(repr(kernel));
    const KernelInput input = traits(kernel).input;
    const bool any_metric = input == KernelInput::cost || input == KernelInput::nothing;
    CHECK((message_of([&] { validate(Mechanism{.metric = DotProduct{}, .kernel = kernel}); }) == "no error")
          == any_metric);
    CHECK_NOTHROW(validate(Mechanism{.metric = Precomputed{}, .kernel = kernel}));
  }
  CHECK(message_of([] { validate(Mechanism{.kernel = InverseDistance{}, .normalization = Symmetric{}}); })
        == "normalization must be RowStochastic with InverseDistance(); got Symmetric().");
  CHECK(message_of([] { validate(Mechanism{.kernel = Exponential{0}}); })
        == "temperature must be a positive, finite number; got 0.");
  CHECK(message_of([] { validate(Mechanism{.normalization = Bistochastic{-1}}); })
        == "tol must be a positive, finite number; got -1.");
  CHECK(message_of([] { validate(Mechanism{.metric = Minkowski{-1}}); }) == "p must be above 0; got -1.");
  CHECK(message_of([] { require_law(false, Cosine{}, "shift-invariant", "centering"); })
        == "metric must be shift-invariant (centering needs it); got Cosine().");
}

TEST_CASE("the equation shows each slot's formula and value", "[value]") {
  const Mechanism mechanism{.metric = Cosine{},
                            .kernel = Gaussian{0.3},
                            .support = Support(LeaveOneOut{}) & Neighbors{15},
                            .normalization = RowStochastic{}};
  CHECK(mechanism.equation() ==
        "y_i = l_i * sum_{j in S(i)} phi(c(x_i, z_j)) * r_j * v_j\n"
        "  metric c            1 - <x, z> / (|x| |z|)                             Cosine()\n"
        "  kernel phi          exp(-d^2 / (2 h^2))                                Gaussian(bandwidth=0.3)\n"
        "  support S           j != i                                             LeaveOneOut()\n"
        "    and               the k nearest keys                                 Neighbors(n_neighbors=15)\n"
        "  normalization l, r  l_i = 1 / (null_mass + sum_j w_j K_ij), r_j = w_j  RowStochastic()\n"
        "  propagation F       F = P V                                            OneStep()\n"
        "  empty row           what a row without mass yields                     'zero'");
}
