// Every method of likewise on Fisher's irises, then one slot changed at a time: metric, kernel, normalization.
// Prints one score a line and exits with 1 if one is below what the method is known to reach.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <likewise/likewise.hpp>

namespace lw = likewise;
using lw::Index;
using Labels = std::vector<Index>;

namespace {

struct Flowers {
  lw::Matrix<double> X;  // n x 4, in standard deviations
  Labels y;              // 0, 1, 2
};

Flowers read_flowers(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<double> values;
  Flowers flowers;
  std::string line, cell;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    for (int c = 0; c < 4 && std::getline(cells, cell, ','); ++c) values.push_back(std::stod(cell));
    std::getline(cells, cell);
    flowers.y.push_back(std::stol(cell));
  }
  flowers.X = Eigen::Map<lw::Matrix<double>>(values.data(), static_cast<Index>(flowers.y.size()), 4);
  flowers.X.rowwise() -= flowers.X.colwise().mean().eval();
  flowers.X.array().rowwise() /= flowers.X.array().square().colwise().mean().sqrt().eval();
  return flowers;
}

double accuracy(const Labels& got, const Labels& want) {
  double right = 0;
  for (std::size_t i = 0; i < want.size(); ++i) right += got[i] == want[i];
  return right / static_cast<double>(want.size());
}

/// The share of points whose cluster's majority is their own species.
double purity(const Labels& clusters, const Labels& y) {
  lw::Matrix<double> counts =
      lw::Matrix<double>::Zero(1 + *std::max_element(clusters.begin(), clusters.end()), 3);
  for (std::size_t i = 0; i < y.size(); ++i) counts(clusters[i], y[i]) += 1;
  return counts.rowwise().maxCoeff().sum() / static_cast<double>(y.size());
}

Labels largest(const lw::Matrix<double>& shares) {
  Labels labels(static_cast<std::size_t>(shares.rows()));
  for (Index i = 0; i < shares.rows(); ++i) shares.row(i).maxCoeff(&labels[static_cast<std::size_t>(i)]);
  return labels;
}

class Scores {
 public:
  void add(const std::string& what, double score, double at_least) {
    const bool low = !(score >= at_least);
    std::cout << (low ? "LOW  " : "     ") << score << "  " << what << "\n";
    any_low_ |= low;
  }
  bool any_low() const { return any_low_; }

 private:
  bool any_low_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const Flowers all = read_flowers(argc > 1 ? argv[1] : LIKEWISE_EXAMPLE_DATA "/iris.csv");
  // Every second flower is training data.
  Labels train, test, y, want;
  for (Index i = 0; i < all.X.rows(); ++i) (i % 2 ? test : train).push_back(i);
  for (const Index i : train) y.push_back(all.y[static_cast<std::size_t>(i)]);
  for (const Index i : test) want.push_back(all.y[static_cast<std::size_t>(i)]);
  const lw::Matrix<double> X = all.X(train, Eigen::all), Q = all.X(test, Eigen::all);
  lw::Matrix<double> one_hot = lw::Matrix<double>::Zero(X.rows(), 3);
  for (std::size_t i = 0; i < y.size(); ++i) one_hot(static_cast<Index>(i), y[i]) = 1;

  Scores scores;
  std::cout << "--- methods\n";
  scores.add("KernelClassifier", accuracy(lw::kernel_classification(X, y, 3).predict(Q), want), 0.9);
  const lw::Matrix<double> width = X.col(3), others = X.leftCols(3), width_there = Q.col(3);
  for (const int degree : {0, 1}) {
    const auto fit = lw::kernel_regression(others, width, {.degree = degree});
    const double error =
        (fit.predict(Q.leftCols(3)).mean - width_there).squaredNorm() / width_there.squaredNorm();
    scores.add("KernelRegressor of petal width, degree " + std::to_string(degree) + " (R^2)", 1 - error,
               0.85);
  }
  scores.add("KNeighborsClassifier", accuracy(lw::k_neighbors_classification(X, y, 3).predict(Q), want), 0.9);
  scores.add("RadiusNeighborsClassifier",
             accuracy(lw::radius_neighbors_classification(X, y, 3, {.radius = 1.5}).predict(Q), want), 0.85);
  const auto density = lw::kernel_density(X, {.bandwidth = "silverman"});
  scores.add(
      "KernelDensity: flowers are denser than far points (log ratio)",
      density.score_samples(Q).mean() - density.score_samples(lw::Matrix<double>(Q.array() + 3)).mean(), 5);
  const lw::Mechanism graph = lw::neighbor_graph_mechanism();
  for (const char* labels : {"kmeans", "cluster_qr", "discretize"})
    scores.add(
        std::string("SpectralClustering, ") + labels,
        purity(lw::spectral_clustering(all.X, {.n_clusters = 3, .mechanism = graph, .assign_labels = labels})
                   .labels(),
               all.y),
        0.75);
  const auto map = lw::diffusion_maps(X, {.n_components = 2});
  scores.add(
      "DiffusionMaps, then 1 neighbor",
      accuracy(
          lw::k_neighbors_classification(map.embedding, y, 3, {.n_neighbors = 1}).predict(map.transform(Q)),
          want),
      0.8);
  Labels some(all.y.size(), lw::unlabeled);
  for (std::size_t i = 0; i < some.size(); i += 10) some[i] = all.y[i];
  scores.add(
      "LabelPropagation from every tenth label",
      accuracy(
          lw::label_propagation(all.X, some, 3, {.mechanism = lw::label_propagation_knn()}).transduction(),
          all.y),
      0.85);
  scores.add(
      "LabelSpreading from every tenth label",
      accuracy(lw::label_spreading(all.X, some, 3, {.mechanism = lw::label_spreading_knn()}).transduction(),
               all.y),
      0.85);
  scores.add("MeanShift", purity(lw::mean_shift(all.X).labels, all.y), 0.6);
  const lw::Matrix<double> patterns = X.topRows(10);
  const auto recalled = lw::hopfield_memory(patterns, {.metric = lw::SquaredEuclidean{}, .temperature = 0.02})
                            .retrieve(patterns);
  scores.add("HopfieldMemory recalls its patterns (share within 0.1)",
             ((recalled.states - patterns).rowwise().norm().array() < 0.1).cast<double>().mean(), 0.8);
  scores.add("self-attention, values one-hot", accuracy(largest(lw::attention(Q, X, one_hot)), want), 0.6);
  scores.add("L2 attention, values one-hot",
             accuracy(largest(lw::l2_attention(Q, X, one_hot, {.temperature = 0.5})), want), 0.85);

  std::cout << "--- one slot changed at a time: a vote of the training flowers\n";
  const lw::Mechanism vote{lw::Euclidean{}, lw::Gaussian{.bandwidth = 0.4}};
  const auto score = [&](const lw::Mechanism& m) {
    return accuracy(largest(m.cross_operator(Q, X) * one_hot), want);
  };
  lw::Matrix<double> W(2, 4);
  W << 1, 0, 2, 0, 0, 1, 0, 2;
  for (const lw::Metric& metric : std::vector<lw::Metric>{
           lw::SquaredEuclidean{}, lw::Euclidean{}, lw::Mahalanobis{W}, lw::Cosine{}, lw::Manhattan{},
           lw::Chebyshev{}, lw::Minkowski{3}, lw::DotProduct{}, lw::Bilinear{W, W}}) {
    lw::Mechanism m = vote;
    m.metric = metric;
    if (lw::traits(metric).distance_power == 0) m.kernel = lw::Exponential{.temperature = 0.5};
    scores.add(lw::repr(metric), score(m), lw::traits(metric).distance_power == 0 ? 0.5 : 0.8);
  }
  for (const lw::Kernel& kernel :
       std::vector<lw::Kernel>{lw::Gaussian{0.4}, lw::Exponential{0.4}, lw::Laplacian{0.4},
                               lw::Indicator{1.0}, lw::Epanechnikov{1.5}, lw::Tricube{1.5},
                               lw::StudentT{0.2, 5}, lw::AlphaDecay{0.5, 4}, lw::InverseDistance{}}) {
    lw::Mechanism m = vote;
    m.kernel = kernel;
    m.empty_row = lw::EmptyRow::nearest;
    scores.add(lw::repr(kernel), score(m), 0.75);
  }
  for (const lw::Normalization& rule :
       std::vector<lw::Normalization>{lw::RowStochastic{}, lw::RowStochastic{0.1}, lw::Unnormalized{},
                                      lw::Symmetric{}, lw::Density{1}, lw::Bistochastic{}}) {
    lw::Mechanism m = vote;
    m.normalization = rule;
    scores.add(lw::repr(rule), score(m), 0.85);
  }
  for (const lw::Support& support :
       std::vector<lw::Support>{lw::AllPairs{}, lw::Neighbors{10}, lw::Radius{2}}) {
    lw::Mechanism m = vote;
    m.support = support;
    scores.add(lw::repr(support), score(m), 0.85);
  }
  std::cout << "--- bandwidth rules\n";
  for (const std::string& rule : lw::bandwidth_rules()) {
    if (rule == "loo") continue;  // KernelClassifier above
    lw::Mechanism m = vote;
    m.kernel = lw::Gaussian{rule};
    if (rule == "umap") {  // an offset and a scale a row: defined for this kernel on neighbors alone
      m.kernel = lw::Laplacian{rule};
      m.support = lw::Neighbors{10};
    }
    scores.add(lw::repr(m.kernel), score(m), 0.6);
  }
  return scores.any_low();
}
