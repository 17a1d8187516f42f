// Maps of points (likewise.maps), and the metric that compares points through them.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/metric.hpp>

#include "arrays.hpp"
#include "bind_value.hpp"
#include "execution.hpp"
#include "laws.hpp"

namespace likewise::python {

namespace {

/// Calls Python functions with the GIL held, from whatever thread points are mapped in.
class PythonRowFunction final : public maps::RowFunction {
 public:
  PythonRowFunction(py::object function, py::object vjp)
      : function_(std::move(function)), vjp_(std::move(vjp)) {}
  ~PythonRowFunction() override {
    const py::gil_scoped_acquire gil;
    function_ = {};
    vjp_ = {};
  }
  PythonRowFunction(const PythonRowFunction&) = delete;
  PythonRowFunction& operator=(const PythonRowFunction&) = delete;

  const py::object& function() const { return function_; }
  const py::object& derivative() const { return vjp_; }

  bool differentiable() const override { return !vjp_.is_none(); }
  Matrix<double> operator()(const Points<double>& x) const override {
    const py::gil_scoped_acquire gil;
    return rows_of(function_(py::cast(Matrix<double>(x))), "a function that returns an array of mapped rows");
  }
  Matrix<double> vjp(const Points<double>& x, const Points<double>& g) const override {
    const py::gil_scoped_acquire gil;
    return rows_of(vjp_(py::cast(Matrix<double>(x)), py::cast(Matrix<double>(g))),
                   "one whose vjp returns an array like its points");
  }

 private:
  static Matrix<double> rows_of(const py::object& result, const char* allowed) {
    const auto array = real_numbers<double>(result);
    require(array && array.ndim() == 2, "map", allowed, py::repr(result).cast<std::string>());
    return Eigen::Map<const Matrix<double>>(array.data(), array.shape(0), array.shape(1));
  }

  py::object function_, vjp_;
};

const PythonRowFunction* own_function(const maps::Custom& map) {
  return dynamic_cast<const PythonRowFunction*>(map.function.get());
}
py::object function_of(const maps::Custom& map) {
  const auto* own = own_function(map);
  return own ? own->function() : py::none();
}
py::object derivative_of(const maps::Custom& map) {
  const auto* own = own_function(map);
  return own ? own->derivative() : py::none();
}
std::string name_of(const py::object& function) {
  return py::str(py::getattr(function, "__name__", py::repr(function))).cast<std::string>();
}
std::string print(const maps::Custom& map) {
  const py::object vjp = derivative_of(map);
  return "Custom(" + name_of(function_of(map)) + (vjp.is_none() ? "" : ", vjp=" + name_of(vjp)) + ")";
}

/// map(X) and map.vjp(X, g), the same for every map; X of either precision.
template <class M> void def_calls(py::class_<M>& cls) {
  const auto bind = [&cls]<class T>(T) {
    cls.def(
        "_apply",
        [](const M& map, const Values<T>& X) {
          return run_without_gil([&](const Execution&) { return apply<T>(PointMap(map), X); });
        },
        py::arg("X").noconvert());
    cls.def(
        "_vjp",
        [](const M& map, const Values<T>& X, const Values<T>& g) {
          MapGradient<T> found =
              run_without_gil([&](const Execution&) { return vjp<T>(PointMap(map), X, g); });
          return py::make_tuple(std::move(found.points), parameter_gradients(std::move(found.parameters)));
        },
        py::arg("X").noconvert(), py::arg("g").noconvert());
  };
  bind(float());
  bind(double());
}

template <class M> py::class_<M> bind_map(py::module_& m, const std::string& doc) {
  auto cls = bind_value<M>(m, "likewise.maps", doc, [](const M& map) { map.check(); });
  def_calls(cls);
  return cls;
}

void bind_custom_map(py::module_& m) {
  using maps::Custom;
  py::class_<Custom> cls(m, "Custom", R"(phi(x) = a map of your own.

Parameters
----------
function : callable (X_block (m, d)) -> (m, width)
    Called for one block of rows after the other, in float64, with the GIL held. An exception in it stops the work and
    propagates. The value can be pickled if the function can.
vjp : callable (X_block (m, d), g (m, width)) -> (m, d), or None
    sum_k g_ik dphi_k(x_i)/dx_i. Without it nothing can be differentiated through the map.
)");
  cls.def(py::init([](const py::object& function, const py::object& vjp) {
            if (!PyCallable_Check(function.ptr()))
              wrong_type("function", "a callable (rows) -> mapped rows", function);
            if (!vjp.is_none() && !PyCallable_Check(vjp.ptr()))
              wrong_type("vjp", "a callable (rows, gradient) -> gradient by the rows, or None", vjp);
            return Custom{std::make_shared<const PythonRowFunction>(function, vjp), name_of(function)};
          }),
          py::arg("function"), py::arg("vjp") = py::none());
  cls.def_property_readonly("function", &function_of);
  cls.def_property_readonly("vjp_function", &derivative_of);
  cls.def_property_readonly_static("formula", [](const py::object&) { return Custom::formula; });
  cls.def("__repr__", &print);
  cls.def("__hash__", [](const Custom& map) { return py::hash(function_of(map)); });
  const auto equal = [](const Custom& a, const Custom& b) {
    return function_of(a).equal(function_of(b)) && derivative_of(a).equal(derivative_of(b));
  };
  def_value_protocol<Custom>(
      cls, "likewise.maps",
      [](const Custom& map) {
        py::dict fields;
        fields["function"] = function_of(map);
        fields["vjp"] = derivative_of(map);
        return fields;
      },
      equal);
  def_calls(cls);
}

PointMap map_from(py::handle object) {
  py::detail::make_caster<PointMap> caster;
  if (!caster.load(object, false))
    wrong_type("map", "a value of likewise.maps, or a pair of two (queries, keys)", object);
  return py::detail::cast_op<PointMap>(caster);
}

Mapped mapped_from(const py::object& map, const py::object& metric) {
  Mapped made;
  if (py::isinstance<py::tuple>(map) || py::isinstance<py::list>(map)) {
    const auto both = py::reinterpret_borrow<py::sequence>(map);
    if (both.size() != 2)
      wrong_type("map", "a value of likewise.maps, or a pair of two (queries, keys)", map);
    made.map = map_from(both[0]);
    made.key_map = map_from(both[1]);
  } else {
    made.map = map_from(map);
  }
  const py::object value = py::module_::import("likewise._slots").attr("as_metric")(metric);
  py::detail::make_caster<MetricOfMapped> base;
  if (!base.load(value, false))
    throw py::value_error("metric must be a metric of points without a map of its own; got "
                          + py::repr(value).cast<std::string>() + ".");
  made.metric = py::detail::cast_op<MetricOfMapped>(base);
  made.check();
  return made;
}

py::object maps_of(const Mapped& metric) {
  if (!metric.key_map) return py::cast(metric.map);
  return py::make_tuple(metric.map, *metric.key_map);
}

py::object base_of(const Mapped& metric) {
  return std::visit([](const auto& base) { return py::cast(base); }, metric.metric);
}

void bind_mapped(py::module_& m) {
  py::class_<Mapped> cls(m, "Mapped",
                         R"(c(x, z) = metric(phi(x), phi(z)): the pullback of a metric through a map.

Points are mapped once, O(n) maps, and compared by `metric` from then on: searches, trees and operators cost what they cost
under that metric. With ResidualMLP and "sqeuclidean" it is the metric of metric-attention (Ruan and Zhang 2024, Algorithm 1);
with Linear it is Mahalanobis or, of "dot", Bilinear, to the last bit.

Parameters
----------
map : a value of likewise.maps, or a pair (phi of queries, psi of keys)
    A pair compares phi(x) with psi(z), of which no law of distances is left.
metric : a metric of points or its name, default "sqeuclidean"
)");
  cls.def(py::init(&mapped_from), py::arg("map"), py::arg("metric") = "sqeuclidean");
  cls.def_property_readonly("map", &maps_of);
  cls.def_property_readonly("metric", &base_of);
  cls.def_property_readonly_static("formula", [](const py::object&) { return Mapped::formula; });
  cls.def("__repr__", [](const Mapped& metric) {
    const std::string map = py::repr(maps_of(metric)).cast<std::string>();
    if (std::holds_alternative<SquaredEuclidean>(metric.metric)) return "Mapped(" + map + ")";
    return "Mapped(" + map + ", metric=" + py::repr(base_of(metric)).cast<std::string>() + ")";
  });
  cls.def("__hash__",
          [](const Mapped& metric) { return py::hash(py::make_tuple(maps_of(metric), base_of(metric))); });
  // By the Python values: a function of one's own is held in a wrapper of its own.
  const auto equal = [](const Mapped& a, const Mapped& b) {
    return maps_of(a).equal(maps_of(b)) && base_of(a).equal(base_of(b));
  };
  def_value_protocol<Mapped>(
      cls, "likewise.metrics",
      [](const Mapped& metric) {
        py::dict fields;
        fields["map"] = maps_of(metric);
        fields["metric"] = base_of(metric);
        return fields;
      },
      equal);
  def_laws(cls);
}

}  // namespace

void bind_maps(py::module_& m) {
  py::module_ maps = m.def_submodule("maps", "Maps of points: rows in, rows out, with a derivative.");
  bind_map<maps::Linear>(maps, "phi(x) = W x + b, with W (outputs, inputs) and b (outputs,) or None: 0.");
  bind_map<maps::ResidualMLP>(
      maps,
      "phi(x) = x + W2 act(W1 x + b1) + b2: one hidden layer and a residual connection, the "
      "map of metric-attention (Ruan and Zhang 2024, Algorithm 1). W1 (width, d), b1 (width,) "
      "or None, W2 (d, width), b2 (d,) or None; activation 'tanh', 'relu' or 'gelu'. With a skip (outputs, "
      "d) it is skip x in place of x, and W2 (outputs, width).");
  bind_custom_map(maps);
  bind_mapped(m);
}

}  // namespace likewise::python
