// Trains a small Transformer on handwritten digits from a CSV, with attention by a learned metric and by dot products, and
// prints how many unseen digits each reads right. Exits with 1 if that is below what they are known to reach.
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <likewise/likewise.hpp>

namespace lw = likewise;
using lw::Index;

namespace {

/// Images of 8 rows of 8 pixels: each row is a token. Every fourth image is kept for the test.
struct Digits {
  lw::nn::Samples<float> training, test;
};

Digits read_digits(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<float> pixels[2];
  Digits digits;
  std::string line, cell;
  std::getline(file, line);  // the names of the columns
  for (Index image = 0; std::getline(file, line); ++image) {
    const bool is_test = image % 4 == 3;
    std::istringstream cells(line);
    for (int pixel = 0; pixel < 64 && std::getline(cells, cell, ','); ++pixel)
      pixels[is_test].push_back(std::stof(cell) / 16);
    std::getline(cells, cell);
    (is_test ? digits.test : digits.training).labels.push_back(std::stol(cell));
  }
  const auto tokens = [](const std::vector<float>& values) {
    return Eigen::Map<const lw::Matrix<float>>(values.data(), static_cast<Index>(values.size()) / 8, 8);
  };
  digits.training.X = tokens(pixels[0]);
  digits.test.X = tokens(pixels[1]);
  return digits;
}

double accuracy_of(const lw::nn::AttentionLayerOptions& attention, const Digits& digits) {
  const lw::nn::AttentionModel model(
      {.n_tokens = 8, .n_features = 8, .n_outputs = 10, .block = {.attention = attention, .mlp_ratio = 2}});
  lw::Vector<float> parameters = model.initial_parameters<float>(0);
  const lw::nn::TrainingHistory history =
      lw::nn::train<float>(model, parameters, {digits.training}, {.learning_rate = 2e-3, .max_epochs = 30});
  const auto seen = lw::nn::evaluate(model, parameters, digits.test, lw::nn::Task::classification);
  std::cout << "  training loss " << history.epochs.front().training_loss << " -> "
            << history.epochs.back().training_loss << ", accuracy " << seen.score << '\n';
  return seen.score;
}

}  // namespace

int main(int argc, char** argv) {
  const Digits digits = read_digits(argc > 1 ? argv[1] : LIKEWISE_EXAMPLE_DATA "/digits.csv");
  std::cout << "attention by a metric, -|W x - W z|^2 / t\n";
  const double metric = accuracy_of(lw::nn::l2_attention(64, 4), digits);
  std::cout << "attention by dot products, <Wq x, Wk z> / sqrt(d)\n";
  const double dot = accuracy_of(lw::nn::self_attention(64, 4), digits);
  return metric > 0.9 && dot > 0.9 ? 0 : 1;
}
