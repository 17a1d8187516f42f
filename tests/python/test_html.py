"""What a notebook shows: the equation with its slots, shapes, storage, a picture of a small matrix."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn

import likewise as lw
from likewise import _explain


class Page(HTMLParser):
    """The texts of a page's cells, by rows, and whether every tag is closed."""

    void = ("br", "img", "input", "link", "meta")

    def __init__(self, text):
        super().__init__()
        self.rows, self.open, self.images = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.rows[-1].append(data)


def check(text):
    page = Page(text)
    assert not page.open
    return page


def test_a_mechanism_shows_its_equation_and_a_row_a_slot():
    m = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5), support=lw.supports.Neighbors(4))
    text = m._repr_html_()
    page = check(text)
    assert "y_i = l_i * sum_{j in S(i)}" in text
    assert page.rows[:3] == [
        ["metric c", "|x - z|^2", "SquaredEuclidean()"],
        ["kernel phi", "exp(-d^2 / (2 h^2))", "Gaussian(bandwidth=0.5)"],
        ["support S", "the k nearest keys", "Neighbors(n_neighbors=4)"],
    ]
    assert [len(row) for row in page.rows] == [3] * 6


@pytest.mark.parametrize("name", sorted({*_explain.METHODS, *_explain._ATTENTION, *_explain.SURVEY}))
def test_every_explanation_is_a_page(name):
    explanation = lw.explain(name)
    page = check(explanation._repr_html_())
    assert len(page.rows) == (0 if explanation.mechanism is None else 6 + bool(explanation.values))


def test_an_operator_shows_itself_while_it_is_small():
    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5)).operator(X)
    page = check(P._repr_html_())
    assert "30 × 30, float32, dense" in P._repr_html_()
    (image,) = page.images
    picture = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
    assert picture.startswith(b"\x89PNG") and "30 x 30" in image["alt"]
    large = lw.Mechanism().operator(np.zeros((300, 1)) + np.arange(300)[:, None])
    assert not check(large._repr_html_()).images


@pytest.mark.parametrize(
    "make", [lw.KernelRegressor, lw.SpectralClustering, lw.AttentionClassifier, lw.MeanShift]
)
def test_an_estimator_adds_its_equation_to_the_diagram(make):
    bundle = make()._repr_mimebundle_()
    assert "sk-" in bundle["text/html"] and "metric c" in bundle["text/html"]
    assert "metric c" in make()._repr_html_()
    with sklearn.config_context(display="text"):
        assert "text/html" not in make()._repr_mimebundle_()
        assert not hasattr(make(), "_repr_html_")


def test_a_fitted_estimator_shows_what_it_found_and_a_wrong_one_says_so():
    X = np.random.default_rng(0).normal(size=(40, 2))
    fitted = lw.KernelRegressor().fit(X, X[:, 0])._repr_mimebundle_()["text/html"]
    assert re.search(r"Gaussian\(bandwidth=0\.\d+\)", fitted)
    wrong = lw.KernelRegressor(metric="<b>")._repr_mimebundle_()["text/html"]
    assert "metric must be" in wrong and "<b>'" not in wrong
