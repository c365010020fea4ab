# A search with a space, a training loop, a metric and hyperparameters of your own.
import torch
from sklearn import datasets, metrics
from torch import nn

import nas
from search_spaces import Choice, Real, Repeat, SearchSpace, Struct


class Skip(nn.Sequential):  # noqa: D101
    def forward(self, x):
        return x + super().forward(x)


def build(architecture, task):  # noqa: D103
    kinds = [{"plain": nn.Sequential, "skip": Skip}[kind] for kind in architecture["blocks"]]
    blocks = [kind(nn.Linear(32, 32), nn.ReLU()) for kind in kinds]
    return nn.Sequential(nn.Linear(*task.input_shape, 32), *blocks, nn.Linear(32, task.outputs))


@nas.evaluator(metrics={"f1": "maximize"}, hyperparameters={"lr": Real(1e-4, 0.1, log=True)})
def train(job):  # noqa: D103
    net, (x, y), (x_val, y_val) = job.network(), *map(job.data.tensors, ("train", "validation"))
    optimizer = torch.optim.Adam(net.parameters(), job.hyperparameters["lr"])
    if state := job.restore():  # a schedule resumes the best for more epochs
        net.load_state_dict(state["net"]), optimizer.load_state_dict(state["optimizer"])
    for epoch in range(job.start_epoch + 1, job.epochs + 1):
        for batch in torch.arange(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch], torch.tensor([1.0, 9])).backward()
            optimizer.step()
        job.report(epoch, f1=metrics.f1_score(y_val, net(x_val).argmax(1)))
    job.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()})


space = SearchSpace(name="skips", tree=Struct(blocks=Repeat(Choice("plain", "skip"), 1, 8)), build=build, inputs=(1,))  # fmt: skip
if __name__ == "__main__":
    x, digit = datasets.load_digits(return_X_y=True)
    nas.search(space=space, evaluator=train, data=(x, digit == 8), objectives=["f1", "latency_ms"], schedule="asha", epochs=9, workers=2, out="runs/own-training")  # fmt: skip
