"""Attention layers of torch and torch_geometric as mechanisms, a mechanism a head; neither is imported."""

from dataclasses import replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from likewise import kernels, metrics, normalizations, supports
from likewise._attention import as_array, from_torch_mask
from likewise._explanation import Explanation
from likewise._mechanism import Mechanism


def explain_module(module):
    """A torch.nn.MultiheadAttention or a GATConv of torch_geometric."""
    if type(module).__name__ == "GATConv":
        settings = {"negative_slope": module.negative_slope, "concat": module.concat}
        return _graph_attention(_arrays(module), **settings, add_self_loops=module.add_self_loops)
    return _multihead(module, _arrays(module))


def explain_state(state):
    """The state_dict of a GATConv: names and arrays, or tensors."""
    if "att_src" not in state or "att_dst" not in state:
        raise ValueError(
            "obj must be the state_dict of a GATConv, with att_src, att_dst and lin.weight, where it is a "
            f"dict; got one of {', '.join(map(str, state)) or 'nothing'}. Of other layers give the module: "
            "a state_dict does not say how many heads there are."
        )
    about = _graph_attention({name: as_array(part) for name, part in state.items()})
    assumed = "; a state_dict does not say slope, self-loops and concat: taken are 0.2, True, what bias fits"
    return replace(about, note=about.note + assumed)


def _arrays(module):
    return {name: as_array(part) for name, part in module.state_dict().items()}


# --- torch.nn.MultiheadAttention ----------------------------------------------------------------------------


def _multihead(module, state):
    """Heads as Bilinear metrics of (x, 1) and (z, 1): biases are columns of the factors."""
    layer = Multihead(state, module.num_heads, module.batch_first, module.add_zero_attn)
    notes = {
        "x is (x, 1) and z is (z, 1), for the biases": "in_proj_bias" in state,
        "a learned key (0, 0, 1) stands beside the others (add_bias_kv)": "bias_k" in state,
        "the key of zeros is a null mass of 1 (add_zero_attn)": module.add_zero_attn,
        f"weights dropped in training (dropout={module.dropout:g}) are not reproduced": module.dropout,
    }
    note = "; ".join(said for said, holds in notes.items() if holds)
    outputs = {"forward": layer.forward, "attention_weights": layer.attention_weights}
    return Explanation(layer.heads[0], "Wv x + bv", note, outputs=outputs, heads=layer.heads)


class Multihead:
    """The numbers of a torch.nn.MultiheadAttention; what it gives for its arguments, by operators.

    Masks have torch's polarity, True = may not attend; of float masks 0 and -inf. A query that may attend to
    nothing has weights 0, where torch has NaN.
    """

    def __init__(self, state, n_heads, batch_first, null_key):
        self.state, self.n_heads, self.batch_first = state, n_heads, batch_first
        self.width = len(state["out_proj.weight"])
        self.heads = tuple(self._mechanisms(normalizations.RowStochastic(null_mass=float(null_key))))

    def _mechanisms(self, normalization):
        E, state, rank = self.width, self.state, self.width // self.n_heads
        query, key = ([W] for W in self._projections()[:2])
        if "in_proj_bias" in state:
            query.append(state["in_proj_bias"][:E, None])
            key.append(state["in_proj_bias"][E : 2 * E, None])
        if "bias_k" in state:
            key.append(state["bias_k"].reshape(E, 1))
        query, key = np.hstack(query), np.hstack(key)
        for rows in np.split(np.arange(E), self.n_heads):
            yield Mechanism(
                metric=metrics.Bilinear(query[rows], key[rows]),
                kernel=kernels.Exponential(float(np.sqrt(rank))),
                normalization=normalization,
            )

    def _projections(self):
        """Wq, Wk, Wv of one matrix or of three (kdim, vdim)."""
        if "in_proj_weight" in self.state:
            return np.split(self.state["in_proj_weight"], 3)
        return [self.state[f"{name}_proj_weight"] for name in "qkv"]

    def forward(self, query, key=None, value=None, key_padding_mask=None, attn_mask=None):
        """The output (first of what the module gives in eval mode); key None is query, value None is key."""
        value = (query if key is None else key) if value is None else value
        weights = self._weights(query, key, key_padding_mask, attn_mask)
        values = self._values(self._sequences(value))
        heads = values.reshape(*values.shape[:2], self.n_heads, -1).swapaxes(1, 2)
        output = (weights @ heads).swapaxes(1, 2)
        output = output.reshape(*output.shape[:2], self.width) @ self.state["out_proj.weight"].T
        output = output + self.state.get("out_proj.bias", 0)
        if np.ndim(query) == 2:
            return output[0]
        return output if self.batch_first else output.swapaxes(0, 1)

    def attention_weights(self, query, key=None, key_padding_mask=None, attn_mask=None):
        """(batch, heads, n_queries, n_keys), without the batch of a single sequence; the learned key last."""
        weights = self._weights(query, key, key_padding_mask, attn_mask)
        return weights[0] if np.ndim(query) == 2 else weights

    def _sequences(self, tokens):
        """(batch, length, dim)."""
        tokens = as_array(tokens)
        if tokens.ndim == 2:
            return tokens[None]
        return tokens if self.batch_first else tokens.swapaxes(0, 1)

    def _values(self, value):
        v = value @ self._projections()[2].T
        if "in_proj_bias" in self.state:
            v = v + self.state["in_proj_bias"][2 * self.width :]
        if "bias_v" not in self.state:
            return v
        learned = np.broadcast_to(self.state["bias_v"].reshape(1, 1, -1), (len(v), 1, self.width))
        return np.concatenate([v, learned], axis=1)

    def _points(self, query, key):
        """Queries and keys as the metrics see them: (x, 1), (z, 1, 0) and the learned key (0, 0, 1)."""
        if "in_proj_bias" in self.state:
            query, key = (np.concatenate([a, np.ones_like(a[..., :1])], axis=2) for a in (query, key))
        if "bias_k" in self.state:
            learned = np.zeros((len(key), 1, key.shape[2] + 1), key.dtype)
            learned[..., -1] = 1
            key = np.concatenate([np.concatenate([key, 0 * key[..., :1]], axis=2), learned], axis=1)
        return query, key

    def _weights(self, query, key, key_padding_mask, attn_mask):
        query = self._sequences(query)
        x, z = self._points(query, query if key is None else self._sequences(key))
        admitted = np.ones((len(x), self.n_heads, x.shape[1], z.shape[1]), bool)
        given = admitted[..., : z.shape[1] - ("bias_k" in self.state)]  # to the learned key all may attend
        if attn_mask is not None:
            mask = from_torch_mask(attn_mask)
            given &= mask if mask.ndim == 2 else mask.reshape(given.shape)
        if key_padding_mask is not None:
            given &= np.atleast_2d(from_torch_mask(key_padding_mask))[:, None, None, :]
        return np.stack([self._of_sequence(*each) for each in zip(x, z, admitted)])

    def _of_sequence(self, x, z, admitted):
        """(heads, n_queries, n_keys)."""
        found = []
        for mechanism, mask in zip(self.heads, admitted):
            support = supports.AllPairs() if mask.all() else supports.Mask(mask)
            found.append(mechanism.replace(support=support).operator(x, z).toarray())
        return np.stack(found)


# --- torch_geometric.nn.GATConv -----------------------------------------------------------------------------


def _graph_attention(state, negative_slope=0.2, concat=None, add_self_loops=True):
    """Heads as Additive metrics of the features themselves: <a, W x> is <W^T a, x>."""
    if "att_edge" in state or "lin_edge.weight" in state:
        raise ValueError(
            "obj must have no edge features (edge_dim): they add to the score of each edge what no metric of "
            "its two points says."
        )
    of_keys = next((state[n] for n in ("lin.weight", "lin_src.weight") if n in state), None)
    if of_keys is None:
        raise ValueError("obj must have lin.weight, or lin_src.weight, beside att_src; got neither.")
    of_queries = state.get("lin_dst.weight", of_keys)
    if of_queries.shape != of_keys.shape:
        raise ValueError(
            "obj must have one set of nodes: lin_src.weight and lin_dst.weight of one shape; got "
            f"{of_keys.shape} and {of_queries.shape}."
        )
    _, n_heads, width = state["att_src"].shape
    folded = (
        np.einsum("hc,hcd->hd", state[f"att_{side}"][0], W.reshape(n_heads, width, -1))
        for side, W in (("dst", of_queries), ("src", of_keys))
    )
    heads = tuple(
        Mechanism(
            metric=metrics.Additive(a_query, a_key, slope=float(negative_slope)),
            kernel=kernels.Exponential(1.0),
        )
        for a_query, a_key in zip(*folded)
    )
    if concat is None:  # told by the bias, where there is one
        concat = "bias" not in state or len(state["bias"]) == n_heads * width
    loops = ", self-loops added" if add_self_loops else ""
    note = f"on Graph(edges){loops}: node i attends to the sources of the edges that end in it"
    outputs = {
        "forward": partial(_on_graph, state, heads, of_keys, concat, add_self_loops=add_self_loops),
        "attention_weights": partial(_edge_weights, heads, add_self_loops=add_self_loops),
    }
    return Explanation(heads[0], "W x", note, outputs=outputs, heads=heads)


def _edges(edge_index, n, add_self_loops):
    """Who attends to whom as CSR: row the target, column the source."""
    source, target = as_array(edge_index)
    A = sp.csr_matrix((np.ones(len(source)), (target, source)), shape=(n, n))
    if A.nnz != len(source):
        raise ValueError(
            "edge_index must hold each edge once: torch_geometric counts copies twice, a graph here once."
        )
    if add_self_loops:
        A = (A - sp.diags(A.diagonal()) + sp.identity(n)).tocsr()
        A.eliminate_zeros()
    return A


def _edge_weights(heads, x, edge_index, add_self_loops):
    """A CSR matrix of weights for each head, rows the targets."""
    x = as_array(x)
    graph = supports.Graph(_edges(edge_index, len(x), add_self_loops))
    return [mechanism.replace(support=graph).operator(x).tocsr() for mechanism in heads]


def _on_graph(state, heads, of_keys, concat, x, edge_index, add_self_loops):
    """What the layer gives for features x (n, d) and edges (2, n_edges), sources above targets."""
    x = as_array(x)
    values = (x @ of_keys.T).reshape(len(x), len(heads), -1)
    P = _edge_weights(heads, x, edge_index, add_self_loops)
    output = np.stack([weights @ values[:, h] for h, weights in enumerate(P)], axis=1)
    output = output.reshape(len(x), -1) if concat else output.mean(axis=1)
    if "res.weight" in state:
        output = output + x @ state["res.weight"].T
    return output + state.get("bias", 0)
