"""A Transformer reads sequences of tokens, which attend to one another within a sequence."""

from likewise.study.paper import arms
from likewise.study.paper.run import Run, perplexity_of

N_READ = 200  # sequences whose weights are read


class SequenceRun(Run):
    """X is (n, n_tokens, n_features); a sequence is a row."""

    def __init__(self, cell, experiment, data):
        super().__init__(cell, experiment, data)
        self.model = arms.get(cell.arm).transformer(
            cell, experiment.embed_dim, *data.X.shape[1:], self.n_classes
        )
        self.batch = cell.batch or len(data.train)
        self.steps_of_epoch = -(-len(data.train) // self.batch)

    def attention(self):
        if self.model.options["n_layers"] == 0:
            return {}
        P = self.model.weights(self.data.X[self.data.train[:N_READ]])[:, 0]
        return {"perplexity": perplexity_of(P), "n_keys": float(P.shape[-1])}

    def train(self, n_epochs):
        rows = self.data.train
        training = self.data.X[rows], self.data.y[rows], None, None, None
        return self.model.train(training, None, self.options(n_epochs, self.batch))

    def ask(self, X):
        return self.model.outputs(X[self.data.asked])
