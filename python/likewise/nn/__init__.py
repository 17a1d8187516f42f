"""Attention that learns: layers with their own gradients, models, and their file.

`SelfAttention`, `L2Attention` and `MetricAttention` are settings of one class, `AttentionLayer`; `arms` are
the five between the first two that an honest comparison tells apart. `PropagationNetwork` lets the rows of a
table attend to one another. The estimators AttentionClassifier, AttentionRegressor, PropagationClassifier and
PropagationRegressor train whole models of them.
"""

from likewise.nn._layers import (  # noqa: F401
    FIRST_OF_MANY,
    AttentionLayer,
    L2Attention,
    MetricAttention,
    SelfAttention,
    arms,
)
from likewise.nn._network import PropagationNetwork

__all__ = [
    "AttentionLayer",
    "L2Attention",
    "MetricAttention",
    "PropagationNetwork",
    "SelfAttention",
    "arms",
]
