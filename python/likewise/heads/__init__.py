"""Attention heads read as mechanisms: y_i = l_i sum_j phi(c(x_i, z_j)) r_j v_j.

likewise explain DIR                       # on the command line: a table of all heads of a model

from likewise import heads
heads.split_scores(S)                      # key weights, metric, repulsion, transport of any scores
heads.read_head(scores, values)            # one head of any model
heads.read_transformer("path/to/model")    # all heads of an encoder of BERT type
heads.tiny_transformer("path/to/new")      # writes a random one, to try it on
"""

from likewise.heads._ablation import REPLACEMENTS, Ablation
from likewise.heads._drift import Drift
from likewise.heads._head import HeadXray, read_head
from likewise.heads._split import ScoreSplit, split_scores
from likewise.heads._texts import default_texts
from likewise.heads._tiny import tiny_transformer
from likewise.heads._transformer import ModelXray, read_transformer

__all__ = [
    "REPLACEMENTS",
    "Ablation",
    "Drift",
    "HeadXray",
    "ModelXray",
    "ScoreSplit",
    "default_texts",
    "read_head",
    "read_transformer",
    "split_scores",
    "tiny_transformer",
]
