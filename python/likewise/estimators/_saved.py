"""What trained estimators share about files: a model, the estimator's settings and what its fit found."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from likewise import _core
from likewise.nn._in_context import InContextModel
from likewise.nn._model import Model
from likewise.nn._network import PropagationNetwork
from likewise.nn._parameters import as_path

# By what a file says it holds; each loads (model, metadata, whatever else it was saved with).
_OF_KIND = {
    "attention model": Model,
    "in-context model": InContextModel,
    "propagation network": PropagationNetwork,
}


class SavedInOneFile:
    """`save` and `load` of an estimator whose trained model is `_model`.

    What a kind of estimator has besides its parameters, fitted attributes and targets: `_found` by name, for
    the metadata, and `_with_model`, what the model's file has a place for, which `_take_back` is given again.
    """

    def save(self, path):
        """The trained model in one file, which C++ reads too: likewise::nn::load_model; load_in_context_model
        of a fit with labeled rows as context; load_propagation_network.

        Those labeled rows are in it, and of a propagation network the training rows that asked ones join
        (context="training") and the edges of fit's graph. path is a str, bytes or a pathlib.Path. A generator
        given as random_state is left out: it is no number.
        """
        check_is_fitted(self, "_model")
        params = self.get_params()
        if not isinstance(params["random_state"], (Integral, type(None))):
            params["random_state"] = None
        parts = {"params": params, "fitted": self._found(), "targets": self._saved_targets()}
        about = {name: _as_json(part) for name, part in parts.items()}
        self._model.save(path, {"class": type(self).__name__, **about}, *self._with_model())

    @classmethod
    def load(cls, path):
        """An estimator of such a file: the same predictions, bit for bit."""
        model, about, *with_model = _OF_KIND[_core.saved_kind(as_path(path))].load(path)
        saved_by = about.get("class") if isinstance(about, dict) else None
        if saved_by != cls.__name__:
            raise ValueError(f"path must hold a model of {cls.__name__}; got one of {saved_by!r}.")
        estimator = cls(**_from_json(about["params"]))
        vars(estimator).update(_from_json(about["fitted"]))
        estimator._model = model
        estimator._load_targets(_from_json(about["targets"]))
        estimator._take_back(*with_model)
        return estimator

    def _found(self):
        """What fit found, by name."""
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def _with_model(self):
        """What a file has beside the model."""
        return ()

    def _take_back(self):
        """Completes a loaded estimator by what its file had beside the model."""


def _as_json(value):
    """Arrays by dtype and list, so that they come back as they were; objects may be strings alone."""
    if isinstance(value, dict):
        return {"dict": {name: _as_json(part) for name, part in value.items()}}
    if isinstance(value, np.ndarray):
        is_strings = value.dtype == object and all(isinstance(part, str) for part in value.ravel())
        if value.dtype.kind not in "biufUS" and not is_strings:
            raise ValueError(f"y must hold numbers or strings for a model in a file; got {value.dtype}.")
        return {"dtype": value.dtype.str, "array": value.tolist()}
    return {"value": value.item() if isinstance(value, np.generic) else value}


def _from_json(about):
    """What `_as_json` was given."""
    if "dict" in about:
        return {name: _from_json(part) for name, part in about["dict"].items()}
    return np.array(about["array"], dtype=about["dtype"]) if "array" in about else about["value"]
