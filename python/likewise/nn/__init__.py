"""Attention that learns: layers with their own gradients, models, and their file.

`SelfAttention` and `MetricAttention` are settings of one class, `AttentionLayer`; `arms` are the five between
them that an honest comparison tells apart. The estimators AttentionClassifier and AttentionRegressor train
whole models of them.
"""

from likewise.nn._layers import FIRST_OF_MANY, AttentionLayer, MetricAttention, SelfAttention, arms  # noqa: F401

__all__ = ["AttentionLayer", "MetricAttention", "SelfAttention", "arms"]
