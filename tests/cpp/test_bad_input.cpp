// The table of bad input, method by method: each refusal names the argument, what is allowed and what came.
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <likewise/likewise.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

using Labels = std::vector<Index>;
using Predict = std::function<void(const Matrix<double>&)>;
/// Fits to X (n, d) and class labels (n,), and returns what is done with new points.
using Fit = std::function<Predict(const Matrix<double>&, const Labels&)>;

Matrix<double> as_column(const Labels& y) {
  Matrix<double> column(static_cast<Index>(y.size()), 1);
  for (Index i = 0; i < column.rows(); ++i)
    column(i, 0) = static_cast<double>(y[static_cast<std::size_t>(i)]);
  return column;
}

const KernelRegressionOptions narrow{.kernel = Gaussian{1.0}};
const Mechanism gaussian{Euclidean{}, Gaussian{1.0}};
const Metric wide = Mahalanobis{Matrix<double>::Identity(7, 7)};

/// Methods with a target.
const std::map<std::string, Fit> supervised = {
    {"kernel_regression",
     [](const auto& X, const auto& y) {
       return [fit = kernel_regression(X, as_column(y), narrow)](const auto& Q) { fit.predict(Q); };
     }},
    {"kernel_classification",
     [](const auto& X, const auto& y) {
       return [fit = kernel_classification(X, y, 2, narrow)](const auto& Q) { fit.predict(Q); };
     }},
    {"k_neighbors_regression",
     [](const auto& X, const auto& y) {
       return [fit = k_neighbors_regression(X, as_column(y))](const auto& Q) { fit.predict(Q); };
     }},
    {"k_neighbors_classification",
     [](const auto& X, const auto& y) {
       return [fit = k_neighbors_classification(X, y, 2)](const auto& Q) { fit.predict(Q); };
     }},
    {"radius_neighbors_regression",
     [](const auto& X, const auto& y) {
       return [fit = radius_neighbors_regression(X, as_column(y))](const auto& Q) { fit.predict(Q); };
     }},
    {"radius_neighbors_classification",
     [](const auto& X, const auto& y) {
       return [fit = radius_neighbors_classification(X, y, 2)](const auto& Q) { fit.predict(Q); };
     }},
    {"label_propagation",
     [](const auto& X, const auto& y) {
       return [fit = label_propagation(X, y, 2, {.mechanism = gaussian})](const auto& Q) { fit.predict(Q); };
     }},
    {"label_spreading",
     [](const auto& X, const auto& y) {
       return [fit = label_spreading(X, y, 2, {.mechanism = gaussian})](const auto& Q) { fit.predict(Q); };
     }},
};

const std::map<std::string, Fit> unsupervised = {
    {"kneighbors",
     [](const auto& X, const auto&) {
       kneighbors<double>(Euclidean{}, X, X, 3);
       return [X](const auto& Q) { kneighbors<double>(Euclidean{}, Q, X, 3); };
     }},
    {"radius_neighbors",
     [](const auto& X, const auto&) {
       radius_neighbors<double>(Euclidean{}, X, X, 1.0);
       return [X](const auto& Q) { radius_neighbors<double>(Euclidean{}, Q, X, 1.0); };
     }},
    {"kernel_density",
     [](const auto& X, const auto&) {
       return [fit = kernel_density(X)](const auto& Q) { fit.score_samples(Q); };
     }},
    {"spectral_embedding",
     [](const auto& X, const auto&) {
       return [fit = spectral_embedding(X, {.mechanism = gaussian})](const auto& Q) { fit.transform(Q); };
     }},
    {"spectral_clustering",
     [](const auto& X, const auto&) {
       return [fit = spectral_clustering(X, {.n_clusters = 2})](const auto& Q) { fit.predict(Q); };
     }},
    {"diffusion_maps",
     [](const auto& X, const auto&) {
       return [fit = diffusion_maps(X)](const auto& Q) { fit.transform(Q); };
     }},
    {"mean_shift",
     [](const auto& X, const auto&) {
       return [fit = mean_shift(X, {.bandwidth = 1.0})](const auto& Q) { fit.predict(Q); };
     }},
    {"hopfield_memory",
     [](const auto& X, const auto&) {
       return [fit = hopfield_memory(X)](const auto& Q) { fit.retrieve(Q); };
     }},
    {"a self-operator",
     [](const auto& X, const auto&) { return [P = gaussian.self_operator(X)](const auto& Q) { P.at(Q); }; }},
    {"a cross-operator",
     [](const auto& X, const auto&) {
       gaussian.cross_operator(X, X);
       return [X](const auto& Q) { gaussian.cross_operator(Q, X); };
     }},
    {"attention",
     [](const auto& X, const auto&) {
       attention(X.topRows(1), X, X);
       return [X](const auto& Q) { attention(Q, X, X); };
     }},
    {"l2_attention",
     [](const auto& X, const auto&) {
       l2_attention(X.topRows(1), X, X);
       return [X](const auto& Q) { l2_attention(Q, X, X); };
     }},
    {"select_bandwidth",
     [](const auto& X, const auto&) -> Predict {
       select_bandwidth<double>("median", Euclidean{}, Gaussian{}, X);
       return {};
     }},
    {"kmeans",
     [](const auto& X, const auto&) -> Predict {
       kmeans<double>(X, {.n_clusters = 2});
       return {};
     }},
};

std::map<std::string, Fit> all_methods() {
  std::map<std::string, Fit> all = supervised;
  all.insert(unsupervised.begin(), unsupervised.end());
  return all;
}

const Matrix<double> X = normal_matrix(20, 3, 1);
const Labels y = [] {
  Labels labels;
  for (Index i = 0; i < 20; ++i) labels.push_back(i % 2);
  return labels;
}();

Matrix<double> with(double value) {
  Matrix<double> bad = X;
  bad(4, 1) = value;
  return bad;
}

/// The text "<name> must be <allowed>; got <got>."
void check_form(const std::string& text) {
  INFO(text);
  CHECK(contains(text, " must be "));
  CHECK(contains(text, "; got "));
}

}  // namespace

TEST_CASE("points that are not finite, none at all, or of another width, in every method", "[bad_input]") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const auto& method : all_methods()) {
    const auto& name = method.first;  // clang before 16 lets no lambda use a structured binding
    const auto& fit = method.second;
    INFO(name);
    for (const double value : {nan, inf, -inf}) {
      const std::string text = refusal([&] { fit(with(value), y); });
      check_form(text);
      CHECK(contains(text, "row 4, column 1"));
    }
    if (!contains(name, "attention")) {  // an empty sequence is a sequence
      check_form(refusal([&] { fit(X.topRows(0), {}); }));
      check_form(refusal([&] { fit(X.leftCols(0), y); }));
    }
    const Predict predict = fit(X, y);
    if (!predict) continue;
    CHECK_NOTHROW(predict(X));
    const std::string width = refusal([&] { predict(X.leftCols(2)); });
    check_form(width);
    CHECK(contains(width, "3"));  // the width that is allowed
    check_form(refusal([&] { predict(with(nan)); }));
  }
}

TEST_CASE("targets of another length, or not allowed ones, in every supervised method", "[bad_input]") {
  for (const auto& method : supervised) {
    const auto& name = method.first;
    const auto& fit = method.second;
    INFO(name);
    const std::string text = refusal([&] { fit(X, Labels(y.begin(), y.end() - 1)); });
    check_form(text);
    CHECK(contains(text, "20"));
    CHECK(contains(text, "19"));
    if (contains(name, "regression")) continue;
    Labels beyond = y;
    beyond[3] = 2;
    check_form(refusal([&] { fit(X, beyond); }));
    if (contains(name, "label_")) check_form(refusal([&] { fit(X, Labels(20, unlabeled)); }));
  }
}

TEST_CASE("the table of bad parameters", "[bad_input]") {
  const Metric directed = Bilinear{normal_matrix(3, 3, 2), normal_matrix(3, 3, 3)};
  const auto clusters = [](Index k) { return SpectralClusteringOptions{.n_clusters = k}; };
  const struct {
    const char* argument;  // the first word of the message
    const char* says;      // what is allowed, or what came
    std::function<void()> call;
  } table[] = {
      // k beyond what the points allow
      {"n_neighbors", "[1, 20]", [] { k_neighbors_classification(X, y, 2, {.n_neighbors = 21}).predict(X); }},
      {"n_neighbors", "at least 1; got 0",
       [] { k_neighbors_regression(X, as_column(y), {.n_neighbors = 0}); }},
      {"n_neighbors", "[1, 20]",
       [] { kernel_regression(X, as_column(y), {.kernel = Gaussian{1.0}, .support = Neighbors{21}}); }},
      {"n_neighbors", "[1, 19]", [] { kneighbors<double>(Euclidean{}, X, X, 20, {.exclude_self = true}); }},
      {"n_neighbors", "[1, 19]", [] { Mechanism{.support = Neighbors{20}}.self_operator(X); }},
      {"n_neighbors", "[1, 20]", [] { diffusion_maps(X, {.n_neighbors = 21}); }},
      {"n_neighbors", "got 21", [] { label_propagation(X, y, 2, {.mechanism = label_propagation_knn(21)}); }},
      {"n_components", "[1, 19]", [] { diffusion_maps(X, {.n_components = 20}); }},
      {"n_components", "got 20", [] { spectral_embedding(X, {.n_components = 20, .mechanism = gaussian}); }},
      {"n_clusters", "[1, 20]", [] { kmeans<double>(X, {.n_clusters = 21}); }},
      {"n_clusters", "got 21", [&] { spectral_clustering(X, clusters(21)); }},
      {"k ", "[1, 20]", [] { largest_eigenpairs(gaussian.self_operator(X), 21); }},
      // metrics of other points, before anything is asked of them
      {"X", "7 features", [] { kernel_density(X, {.metric = wide, .bandwidth = 1.0}); }},
      {"X", "7 features", [] { kernel_regression(X, as_column(y), {.metric = wide, .bandwidth = 1.0}); }},
      {"X", "7 features", [] { kernel_classification(X, y, 2, {.metric = wide, .bandwidth = 1.0}); }},
      {"X", "7 features",
       [] { k_neighbors_regression(X, as_column(y), {.n_neighbors = 3, .metric = wide}); }},
      // lengths and temperatures that are not positive
      {"bandwidth", "positive", [] { kernel_regression(X, as_column(y), {.bandwidth = 0.0}); }},
      {"bandwidth", "positive", [] { kernel_classification(X, y, 2, {.kernel = Tricube{-1.0}}); }},
      {"bandwidth", "positive", [] { kernel_density(X, {.bandwidth = -2.0}); }},
      {"bandwidth", "positive", [] { mean_shift(X, {.bandwidth = 0.0}); }},
      {"bandwidth", "positive", [] { diffusion_maps(X, {.kernel = Gaussian{0.0}}); }},
      {"bandwidth", "positive", [] { Mechanism{.kernel = Laplacian{-1.0}}.self_operator(X); }},
      {"temperature", "positive", [] { Mechanism{.kernel = Exponential{0.0}}.self_operator(X); }},
      {"temperature", "positive", [] { hopfield_memory(X, {.temperature = -1}); }},
      {"temperature", "positive", [] { attention(X, X, X, {.temperature = 0.0}); }},
      {"temperature", "positive", [] { l2_attention(X, X, X, {.temperature = -1.0}); }},
      {"radius", "not negative", [] { radius_neighbors_regression(X, as_column(y), {.radius = -1}); }},
      {"alpha", "got 1", [] { label_spreading(X, y, 2, {.mechanism = gaussian, .alpha = 1.0}); }},
      // unknown names: the known ones are listed
      {"metric", "'euclidean'", [] { metric_from_name("euclid"); }},
      {"kernel", "'gaussian'", [] { kernel_from_name("gauss"); }},
      {"support", "'all'", [] { support_from_name("some"); }},
      {"normalization", "'row'", [] { normalization_from_name("rows"); }},
      {"empty_row", "'nearest'", [] { empty_row_from_name("last"); }},
      {"bandwidth", "'silverman'", [] { kernel_density(X, {.bandwidth = "silver"}); }},
      {"algorithm", "\"kd_tree\"", [] { kneighbors<double>(Euclidean{}, X, X, 3, {.algorithm = "tree"}); }},
      {"storage", "'streamed'", [] { gaussian.self_operator(X, {.storage = "tape"}); }},
      {"solver", "'cg'", [] { label_propagation(X, y, 2, {.mechanism = gaussian, .solver = "lu"}); }},
      {"assign_labels", "'kmeans'", [] { spectral_clustering(X, {.n_clusters = 2, .assign_labels = "qr"}); }},
      // a metric that lacks the law asked for
      {"metric", "triangle inequality", [] { kneighbors<double>(DotProduct{}, X, X, 3, {"kd_tree"}); }},
      {"metric", "a distance", [] { kernel_regression(X, as_column(y), {.metric = DotProduct{}}); }},
      {"metric", "a distance",
       [] {
         Mechanism{DotProduct{}, Gaussian{1.0}}.self_operator(X);
       }},
      {"metric", "a norm", [] { kernel_density(X, {.metric = Cosine{}}); }},
      {"metric", "a symmetric metric",
       [&] {
         largest_eigenpairs(Mechanism{directed, Exponential{1.0}}.self_operator(X), 2);
       }},
      {"metric", "a symmetric metric",
       [&] {
         spectral_clustering(X, {.n_clusters = 2, .mechanism = {directed, Exponential{1.0}}});
       }},
      {"normalization", "symmetric metric",
       [&] {
         Mechanism{directed, Exponential{1.0}, AllPairs{}, Bistochastic{}}.self_operator(X);
       }},
      {"normalization", "RowStochastic",
       [] {
         Mechanism{Euclidean{}, InverseDistance{}, AllPairs{}, Symmetric{}}.self_operator(X);
       }},
      // weights
      {"sample_weight", "of length 20",
       [] { kernel_regression(X, as_column(y), {.sample_weight = Vector<double>::Ones(19)}); }},
      {"sample_weight", "not negative",
       [] { kernel_density(X, {.sample_weight = Vector<double>::Constant(20, -1)}); }},
      {"log_key_weights", "of length 20",
       [] { gaussian.self_operator(X, {.log_key_weights = Vector<double>::Zero(3)}); }},
  };
  for (const auto& row : table) {
    const std::string text = refusal(row.call);
    INFO(row.argument << ": " << text);
    CHECK(text.starts_with(row.argument));
    CHECK(contains(text, row.says));
    check_form(text);
  }
}

TEST_CASE("work beyond the memory limit is refused with what it needs", "[bad_input]") {
  const Execution small{.memory_limit = 1000};
  const auto needs = [&](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const MemoryLimitError& error) {
      return error.what();
    }
    return "no error";
  };
  for (const std::string& text :
       {needs([&] { gaussian.self_operator(X, {.storage = "dense"}, small); }),
        needs([&] { gaussian.self_operator(X, {.storage = "streamed"}).dense(small); }),
        needs([&] { diffusion_maps(X).diffusion_distances(small); })}) {
    INFO(text);
    CHECK(contains(text, "needs 3.12 KiB"));  // 20 x 20 float64
    CHECK(contains(text, "limit 0.977 KiB"));
    CHECK(contains(text, "raise memory_limit"));
  }
}

TEST_CASE("an iteration that does not converge says so, and throws on request", "[bad_input]") {
  const Mechanism sinkhorn{Euclidean{}, Gaussian{1.0}, AllPairs{}, Bistochastic{1e-12, 2}};
  const std::map<std::string, IterationReport> reports = {
      {"Bistochastic", sinkhorn.self_operator(X).report()},
      {"label_propagation",
       label_propagation(X, {0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, 2,
                         {.mechanism = gaussian, .solver = "iterate", .max_iter = 2, .tol = 1e-9})
           .report},
      {"mean_shift", mean_shift(X, {.kernel = Gaussian{0.5}, .max_iter = 2}).report},
      {"hopfield_memory", hopfield_memory(X, {.max_iter = 2, .tol = 0}).retrieve(X).report},
      {"kmeans",
       kmeans<double>(normal_matrix(300, 2, 5), {.n_clusters = 9, .n_init = 1, .max_iter = 1}).report},
  };
  for (const auto& [name, report] : reports) {
    INFO(name);
    CHECK_FALSE(report.converged);
    CHECK(report.residual > 0);
    CHECK(report.n_iter <= 2);
    CHECK_THROWS_AS(require_converged(report, 2), NotConverged);
    CHECK_THROWS_WITH(require_converged(report, 2),
                      Catch::Contains("max_iter=2 was reached without convergence"));
  }
  CHECK_NOTHROW(require_converged(mean_shift(X, {.bandwidth = 1.0}).report, 300));
}
