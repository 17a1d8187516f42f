// Rows that attend to labeled rows: one object holds the numbers, Python learns them in place.
#include <likewise/nn/archive.hpp>
#include <tuple>
#include <utility>

#include "arrays.hpp"
#include "bind_fitted.hpp"
#include "execution.hpp"

namespace likewise::python {

void bind_in_context(py::module_& m) {
  using Model = nn::InContextModel;
  // Parts that never change their size, as NumPy views; the labeled rows are copied in and out.
  const auto part = [](auto member) {
    return [member](const py::object& self) { return writable(self.cast<Model&>().*member, self); };
  };
  py::class_<Model> cls(m, "InContextModel");
  cls.def(py::init([](Matrix<double> embedding, Matrix<double> query_maps, Matrix<double> key_maps,
                      Vector<double> log_temperature, Matrix<double> map_in, Vector<double> map_in_bias,
                      Matrix<double> map_out, Vector<double> map_out_bias) {
            return Model{.embedding = std::move(embedding),
                         .query_maps = std::move(query_maps),
                         .key_maps = std::move(key_maps),
                         .log_temperature = std::move(log_temperature),
                         .map_in = std::move(map_in),
                         .map_in_bias = std::move(map_in_bias),
                         .map_out = std::move(map_out),
                         .map_out_bias = std::move(map_out_bias)};
          }),
          py::arg("embedding"), py::arg("query_maps"), py::arg("key_maps"), py::arg("log_temperature"),
          py::arg("map_in"), py::arg("map_in_bias"), py::arg("map_out"), py::arg("map_out_bias"))
      .def_property_readonly("embedding", part(&Model::embedding))
      .def_property_readonly("query_maps", part(&Model::query_maps))
      .def_property_readonly("key_maps", part(&Model::key_maps))
      .def_property_readonly("log_temperature", part(&Model::log_temperature))
      .def_property_readonly("map_in", part(&Model::map_in))
      .def_property_readonly("map_in_bias", part(&Model::map_in_bias))
      .def_property_readonly("map_out", part(&Model::map_out))
      .def_property_readonly("map_out_bias", part(&Model::map_out_bias))
      .def_property(
          "context", [](const Model& s) { return py::make_tuple(s.context, s.values); },
          [](Model& s, std::pair<Matrix<double>, Matrix<double>> rows) {
            std::tie(s.context, s.values) = std::move(rows);
          })
      .def("mechanisms", &Model::mechanisms)
      .def(
          "outputs",
          [](const Model& s, const Points<double>& X) {
            return run_without_gil([&](const Execution& run) { return s.outputs(X, run); });
          },
          py::arg("X"))
      .def(
          "save",
          [](const Model& s, const std::string& path, const std::string& metadata) {
            nn::save_model(path, s, metadata);
          },
          py::arg("path"), py::arg("metadata"));
  def_fitted_pickle(cls, &Model::embedding, &Model::query_maps, &Model::key_maps, &Model::log_temperature,
                    &Model::map_in, &Model::map_in_bias, &Model::map_out, &Model::map_out_bias,
                    &Model::context, &Model::values);
  m.def(
      "load_in_context_model",
      [](const std::string& path) {
        nn::SavedInContextModel saved = nn::load_in_context_model(path);
        return py::make_tuple(std::move(saved.model), std::move(saved.metadata));
      },
      py::arg("path"), "(model, metadata)");
}

}  // namespace likewise::python
