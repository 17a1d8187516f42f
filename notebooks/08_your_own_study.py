# %% [markdown]
# # Run your own comparison study on your own CSV
#
# You have a table and a column to predict. **Which distance, which kernel, how many neighbors: does it
# matter on your data, or is it noise?** `likewise study` answers with paired splits: every setting sees the
# same rows, one slot is changed at a time, and each difference has its interval. At the end you will have
# read such a report, checked one of its numbers by hand, and asked the same question in C++.

# %%
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import likewise as lw
from likewise import plots, study

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests

# %% [markdown]
# ## A CSV
#
# Any table of numbers with a header will do; words become one column each. Here it is the chemistry of 178
# wines from three growers. Put the path of your own file in the place of `wine.csv` and the name of your
# column in the place of `grower`.

# %%
folder = Path(tempfile.mkdtemp())
table = load_wine(as_frame=True).frame.rename(columns={"target": "grower"})
table.to_csv(folder / "wine.csv", index=False)
table.iloc[::40, [0, 1, 6, 12, 13]]

# %% [markdown]
# ## The study
#
# On the command line it is one line, and it writes `report.html`:
#
#     likewise study --data wine.csv --target grower --methods kernel_regression k_nearest_neighbors
#
# In Python the same is a call whose result holds the tables. Without `methods`, `metrics` and the like it
# takes all that there are.

# %%
found = study.run(
    data=[str(folder / "wine.csv")],
    target="grower",
    methods=["kernel_regression", "k_nearest_neighbors"],
    metrics=["euclidean", "manhattan", "chebyshev", "cosine"],
    kernels=["gaussian", "laplacian", "epanechnikov"],
    normalizations=[],
    supports=[],
    repeats=3 if QUICK else 20,
    n_samples=len(table),
    agreement=False,
    out=str(folder / "report"),
)
print("files:", *sorted(path.name for path in found.report.parent.iterdir()))
found.records[["repeat", "method", "dial", "value", "score"]].head(4)

# %% [markdown]
# `results.csv` has a row a fit. A *dial* is the slot that was turned, its *value* where it was turned to;
# everything else stays at the method's default. `summary.csv` has the means over the splits.

# %%
summary = found.summary
columns = [
    "method",
    "dial",
    "value",
    "mean",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
]
summary[columns].round(3)

# %% [markdown]
# ## What may be concluded
#
# Two settings whose own intervals overlap can still differ clearly, because both saw the same splits. So
# the column to read is `difference`, from the first setting of its dial (the Euclidean metric, the Gaussian
# kernel) on the same splits, and its interval. An interval that holds 0 says: these splits do not tell the
# two apart.

# %%
references = ("own", "euclidean", "gaussian")  # what differences are taken from
changed = summary[~summary["value"].isin(references)].reset_index(drop=True)
names = [f"{row.value} ({row.method.replace('_', ' ')})" for row in changed.itertuples()]
clear = (changed["difference_low"] > 0) | (changed["difference_high"] < 0)
fig, ax = plt.subplots(figsize=(7, 0.4 * len(changed) + 1.2))
for place, row in enumerate(changed.itertuples()):
    style = {"color": plots.CLASS_COLORS[1 if clear[place] else 0], "marker": "s" if clear[place] else "o"}
    ax.plot([row.difference_low, row.difference_high], [place, place], color=style["color"])
    ax.plot(row.difference, place, **style)
ax.axvline(0, color="gray", linewidth=1)
ax.set_yticks(range(len(changed)), names)
ax.invert_yaxis()
ax.set_xlabel("accuracy minus that of euclidean or gaussian on the same splits")
ax.set_title(f"{int(clear.sum())} of {len(changed)} changes have an interval without 0 (squares)")
fig.tight_layout()

# %% [markdown]
# With many settings a few intervals leave out 0 by luck: of twenty changes that do nothing, one on average.
# A lone clear change is a question for fresh splits (another `seed`), not yet an answer. `report.html`
# shows the same table in colors, with what each setting is.

# %% [markdown]
# ## One number by hand
#
# The numbers are nothing special: a split, features brought to mean 0 and deviation 1 on the training rows,
# an estimator. Here is one such split, and the neighbors' vote under two metrics.

# %%
features, grower = table.drop(columns="grower").to_numpy(), table["grower"].to_numpy()
train, test, y_train, y_test = train_test_split(
    features, grower, test_size=0.4, random_state=0, stratify=grower
)
scaler = StandardScaler().fit(train)
train, test = scaler.transform(train), scaler.transform(test)
in_python = {
    metric: lw.KNeighborsClassifier(metric=metric).fit(train, y_train).score(test, y_test)
    for metric in ("euclidean", "manhattan")
}
in_python

# %% [markdown]
# ## The same in C++
#
# Every method is a function of the C++ library with the same defaults, so a study's winner can go into a
# program. This one reads the two halves of the split and prints the same two numbers.

# %%
PROGRAM = r"""
#include <fstream>
#include <iostream>
#include <sstream>
#include <likewise/likewise.hpp>
namespace lw = likewise;

struct Table { lw::Matrix<double> X; std::vector<lw::Index> y; };

Table read(const char* path) {  // rows of numbers, the class last
  std::ifstream file(path);
  std::vector<std::vector<double>> rows;
  for (std::string line, cell; std::getline(file, line);) {
    std::istringstream cells(line);
    for (rows.emplace_back(); std::getline(cells, cell, ',');) rows.back().push_back(std::stod(cell));
  }
  const lw::Index n = std::ssize(rows), d = std::ssize(rows.at(0)) - 1;
  Table table{lw::Matrix<double>(n, d), {}};
  for (lw::Index i = 0; i < n; ++i) {
    for (lw::Index k = 0; k < d; ++k) table.X(i, k) = rows[i][k];
    table.y.push_back(static_cast<lw::Index>(rows[i][d]));
  }
  return table;
}

int main(int, char** argv) {
  const Table train = read(argv[1]), test = read(argv[2]);
  for (const lw::Metric& metric : {lw::Metric(lw::Euclidean{}), lw::Metric(lw::Manhattan{})}) {
    const auto votes = lw::k_neighbors_classification(train.X, train.y, 3, {.metric = metric});
    const auto said = votes.predict(test.X);
    double right = 0;
    for (std::size_t i = 0; i < said.size(); ++i) right += said[i] == test.y[i];
    std::cout << right / static_cast<double>(said.size()) << "\n";
  }
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(ask LANGUAGES CXX)
find_package(likewise REQUIRED)
add_executable(ask ask.cpp)
target_link_libraries(ask likewise::likewise)
"""
(folder / "ask.cpp").write_text(PROGRAM)
(folder / "CMakeLists.txt").write_text(CMAKE)
for name, rows, labels in (("train", train, y_train), ("test", test, y_test)):
    np.savetxt(folder / f"{name}.csv", np.c_[rows, labels], delimiter=",", fmt="%.17g")

# %% [markdown]
# It needs an installed copy of the C++ library. In a clone of the repository that `make study` or `make
# test` has built, `cmake --install` makes one in a moment; elsewhere the two lines of the README's C++ part
# do.


# %%
def run(*command):
    """A command's output; an error shows what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


built = Path("..") / "build"
can_compile = shutil.which("cmake") and next(built.glob("liblikewise.*"), None)
in_cpp = None
if can_compile:
    run("cmake", "--install", built, "--prefix", folder / "installed")
    make = folder / "make"
    run(
        "cmake",
        "-S",
        folder,
        "-B",
        make,
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={folder}/installed",
    )
    run("cmake", "--build", make)
    said = run(make / "ask", folder / "train.csv", folder / "test.csv")
    in_cpp = dict(zip(in_python, map(float, said.split())))
    assert np.allclose(list(in_cpp.values()), list(in_python.values()), atol=1e-5)
print(in_cpp or "No built library beside this notebook: nothing was compiled.")

# %% [markdown]
# Both languages call the same compiled code: the numbers are equal, and so would be every single
# prediction.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1
#
# How much of the spread between splits is shared by two settings? Take the scores of "euclidean" and
# "manhattan" for the neighbors' vote from `found.records`, and compare the standard deviation of each with
# that of their difference split by split.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
votes = found.records[found.records["method"] == "k_nearest_neighbors"]
by_split = votes[votes["dial"] == "metrics"].pivot(index="repeat", columns="value", values="score")
pair = by_split[["euclidean", "manhattan"]]
deviations = pd.Series({**pair.std(), "difference": (pair["euclidean"] - pair["manhattan"]).std()})
deviations.round(4)

# %% [markdown]
# ### Exercise 2
#
# Change one slot that this study left alone: let the voters be all rows within a radius in place of the k
# nearest (`lw.RadiusNeighborsClassifier`), choose the radius on the training rows alone, and compare with
# the vote above on the test rows.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
half, other, y_half, y_other = train_test_split(train, y_train, random_state=1, stratify=y_train)
radii = np.linspace(1.5, 6, 10)
usual = {"outlier_label": "most_frequent"}  # of who has nobody within the radius; without it that is an error
scores = [
    lw.RadiusNeighborsClassifier(radius=r, **usual).fit(half, y_half).score(other, y_other) for r in radii
]
best = radii[int(np.argmax(scores))]
by_radius = lw.RadiusNeighborsClassifier(radius=best, **usual).fit(train, y_train).score(test, y_test)
print(f"radius {best:.1f}: {by_radius:.3f} on the test rows, 5 neighbors: {in_python['euclidean']:.3f}")
