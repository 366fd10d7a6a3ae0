"""A rewind in torch: through run with TorchTraining, and in a loop of one's own with attach."""

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
from torch import distributed, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stepsize import Constant, InvalidValue, Linear, Policy, Rewind, Stop
from stepsize.controllers import Guard
from stepsize.errors import InvalidType, StateError, StepsizeWarning, TrainingError, TrainingStopped
from stepsize.signals import Decision, Observation, Tick
from stepsize.torch import TorchTraining, attach, mean_of_ranks
from stepsize.training import Ring, run


@dataclass(frozen=True)
class NotFinite:
    """Asks for a rewind at a loss that is not finite."""

    factor: float = 0.5
    watches: str = "loss"
    limit: int = 3
    rewinds: bool = True

    def init(self) -> None:
        return None

    def observe(self, state: None, observation: Observation) -> tuple[None, Sequence[Decision]]:
        if math.isfinite(observation.metrics.get(self.watches, 0.0)):
            return state, ()
        decision = Rewind(self.factor, "not finite", warmup=0, limit=self.limit)
        return state, (decision,)


def build(broken: Sequence[int] = (), optimizer: Any = torch.optim.Adam, **options: Any) -> Any:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(60, 3, generator=generator)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4, shuffle=True)

    def batches(epoch: int) -> Iterator[Any]:
        for number, (first, second) in enumerate(loader, start=len(loader) * epoch):
            yield {"x": first * (math.nan if number in broken else 1), "y": second}

    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 1))

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        return functional.mse_loss(model(batch["x"]), batch["y"])

    made = optimizer(model.parameters(), lr=0.01)
    return TorchTraining(model, made, loss, batches, **options)


def weights(training: TorchTraining) -> list[torch.Tensor]:
    return [*training.model.state_dict().values()]


def same(one: TorchTraining, other: TorchTraining) -> bool:
    pairs = zip(weights(one), weights(other), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


# ------------------------------------------------------------------ run


def test_a_broken_batch_is_named_and_the_model_stays_whole() -> None:
    training = build(broken=[20])
    outcome = run(training, Policy(Constant(), [Guard()]), 40, ring=Ring(every=10))
    (_, decision), *others = outcome.decisions
    assert others == []
    assert "batch 20 is to blame (numbers of the batch['x'] and the gradient are not" in str(
        decision.reason
    )
    assert all(each.isfinite().all() for each in weights(training))


@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"clip": 1.0}])
def test_a_guard_changes_nothing_where_nothing_happens(options: dict[str, Any]) -> None:
    guarded = build(**options)
    run(guarded, Policy(Linear(40), [Guard()]), 40, ring=Ring(every=7))
    alone = build(**options)  # from the same random state
    run(alone, Linear(40), 40)
    assert same(guarded, alone)


@pytest.mark.parametrize(
    "optimizer",
    [
        torch.optim.Adam,
        torch.optim.RMSprop,
        torch.optim.Adagrad,
        lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
        lambda p, lr: torch.optim.Adam(p, lr=torch.tensor(lr), amsgrad=True),
    ],
    ids=["adam", "rmsprop", "adagrad", "nesterov", "tensor rate"],
)
def test_a_packed_snapshot_leads_on_in_a_training_that_was_built_alike(optimizer: Any) -> None:
    straight = build(optimizer=optimizer)
    for _ in range(22):
        straight.step({"lr": [1.0]})
    packed = straight.pack(straight.snapshot())
    for _ in range(25):
        straight.step({"lr": [0.5]})
    fresh = build(optimizer=optimizer)
    torch.manual_seed(99)
    fresh.restore(fresh.unpack(packed))
    for _ in range(25):
        fresh.step({"lr": [0.5]})
    assert same(straight, fresh)


class Attack:
    """What a pickle may do: here it would write a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def test_a_foreign_snapshot_runs_no_code(tmp_path: Path) -> None:
    file = tmp_path / "foreign"
    torch.save({"model": Attack(tmp_path / "written")}, file)
    with pytest.raises(StateError, match="must be a snapshot of a training"):
        build().unpack(file.read_bytes())
    assert not (tmp_path / "written").exists()


def test_a_snapshot_of_another_model_is_named() -> None:
    packed = build().pack(build().snapshot())
    other = build()
    other.model[0] = nn.Linear(3, 9)
    with pytest.raises(StateError, match=r"same model, but differs in 0\.(weight|bias)"):
        other.unpack(packed)


def test_what_is_no_plain_data_in_an_optimizer_is_refused_when_packed() -> None:
    training = build()
    training.optimizer.param_groups[0]["callback"] = print
    with pytest.raises(TrainingError, match=r"a builtin_function_or_method is among it"):
        training.pack(training.snapshot())


# ------------------------------------------------------------------ attach


class Loop:
    """A loop of one's own: a model, an optimizer, and a way back."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)

    def snapshot(self) -> Any:
        return copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))

    def restore(self, snapshot: Any) -> None:
        model, optimizer = snapshot
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)

    def step(self, scale: float = 1.0) -> float:
        self.optimizer.zero_grad()
        loss = (self.model(torch.ones(1, 2)) * scale).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def test_an_attached_policy_goes_back_to_a_snapshot_from_before_the_trouble() -> None:
    loop, ticks = Loop(), list[Tick]()
    rate = attach(
        loop.optimizer,
        Policy(Linear(100), [NotFinite()]),
        snapshot=loop.snapshot,
        restore=loop.restore,
        ring=Ring(every=1, keep=8),
        sinks=[ticks.append],
    )
    after: list[torch.Tensor] = []
    for _ in range(6):
        assert rate.observe(loss=loop.step()) == ()
        after.append(loop.model.weight.detach().clone())
    (decision,) = rate.observe(loss=loop.step(math.nan))
    assert isinstance(decision, Rewind)
    assert str(decision.reason).startswith(
        "not finite. Back to the snapshot of position 5; lr is cut by"
    )
    assert torch.equal(loop.model.weight, after[4])
    assert rate.position == 7
    assert rate.next == [0.1 * Linear(100)(7) * 0.5]
    assert ticks[-1].decisions == (decision,)


def test_a_snapshot_survives_being_gone_back_to() -> None:
    loop = Loop()
    rate = attach(
        loop.optimizer,
        Policy(Constant(), [NotFinite()]),
        snapshot=loop.snapshot,
        restore=loop.restore,  # torch takes the tensors of what it is given as its own
        ring=Ring(every=100),
    )
    for _ in range(3):
        rate.observe(loss=loop.step())
    for scale in (math.nan, math.nan, 1.0):
        rate.observe(loss=loop.step(scale))
    assert loop.model.weight.isfinite().all()
    state = loop.optimizer.state_dict()["state"]
    assert all(each["exp_avg"].isfinite().all() for each in state.values())


def test_a_snapshot_that_cannot_be_copied_is_refused_when_it_is_first_taken() -> None:
    loop = Loop()
    rate = attach(
        loop.optimizer,
        Policy(Constant(), [NotFinite()]),
        snapshot=lambda: [loop.model.weight * 2],  # part of a graph
        restore=print,
    )
    with pytest.raises(InvalidType, match=r"must be copied by copy\.deepcopy, but for a list"):
        rate.observe(loss=loop.step())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_beyond_the_floats_is_infinite(sign: int) -> None:
    loop, ticks = Loop(), list[Tick]()
    rate = attach(loop.optimizer, Constant(), sinks=[ticks.append])
    rate.observe(loss=sign * 10**400)
    assert ticks[-1].metrics == {"loss": sign * math.inf}


def test_without_a_way_back_an_attached_policy_cuts_and_says_so_once() -> None:
    loop = Loop()
    rate = attach(loop.optimizer, Policy(Constant(), [NotFinite()]))
    loop.step()
    with pytest.warns(StepsizeWarning, match=r"no snapshot= and restore=.*said once"):
        (decision,) = rate.observe(loss=math.nan)
    assert "There is no snapshot to go back to; lr is cut by 0.5" in str(decision.reason)
    assert rate.next == [0.05]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rate.observe(loss=math.inf)
    assert rate.next == [0.1 * 0.5 * 0.25]


def test_trouble_that_returns_too_often_ends_an_attached_training() -> None:
    loop = Loop()
    rate = attach(
        loop.optimizer,
        Policy(Constant(), [NotFinite(limit=1)]),
        snapshot=loop.snapshot,
        restore=loop.restore,
        ring=Ring(every=1),
    )
    for _ in range(4):
        rate.observe(loss=loop.step())
    for _ in range(2):
        rate.observe(loss=math.nan)
    with pytest.raises(TrainingStopped, match="2 rewinds in a row have not ended it"):
        rate.observe(loss=math.nan)


def test_of_two_attached_optimizers_one_is_cut_and_both_go_back() -> None:
    first, second = Loop(), Loop()
    rate = attach(
        [first.optimizer, second.optimizer],
        {0: Policy(Constant(), [NotFinite()]), 1: Policy(Constant(0.5))},
        snapshot=lambda: (first.snapshot(), second.snapshot()),
        restore=lambda both: (first.restore(both[0]), second.restore(both[1])),
        ring=Ring(every=1),
    )
    for _ in range(3):
        rate.observe(loss=first.step() + second.step())
    before = second.model.weight.detach().clone()
    first.step()
    second.step()
    (decision,) = rate.observe(loss=math.nan)
    assert "position 2 and 2" in str(decision.reason)
    assert not torch.equal(second.model.weight, before)
    assert torch.equal(first.model.weight, second.model.weight) is False
    assert rate.next == [0.05, 0.05]
    assert second.optimizer.param_groups[0]["lr"] == 0.05


def test_a_rewind_survives_in_the_attachments_state() -> None:
    loop, other = Loop(), Loop()
    policy = Policy(Constant(), [NotFinite()])
    rate = attach(loop.optimizer, policy)
    loop.step()
    with pytest.warns(StepsizeWarning):
        rate.observe(loss=math.nan)
    resumed = attach(other.optimizer, policy)
    resumed.load_state_dict(rate.state_dict())
    assert resumed.next == rate.next == [0.05]


def test_a_position_is_told_to_the_controllers() -> None:
    seen: list[float | None] = []

    class Ear:
        def init(self) -> None: ...

        def observe(self, state: None, observation: Observation) -> tuple[None, Sequence[Any]]:
            seen.append(observation.position)
            return state, (Stop("heard"),) if len(seen) == 3 else ()

    loop = Loop()
    rate = attach(loop.optimizer, Policy(Constant(), [Ear()]))
    for _ in range(2):
        loop.step()
        rate.observe(loss=1.0)
    with pytest.raises(TrainingStopped, match="heard"):
        rate.observe(loss=1.0)
    assert seen == [0, 1, 1]


@pytest.mark.parametrize("given", [{"snapshot": int}, {"restore": print}])
def test_half_a_way_back_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"has both functions.* but one is missing"):
        attach(Loop().optimizer, Constant(), **given)


def test_a_folder_is_for_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="kept as it is, and not in files"):
        attach(Loop().optimizer, Constant(), ring=Ring(folder=tmp_path))


# ------------------------------------------------------------------ ranks


def _rank(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    training = build(broken=[20] if rank == 1 else [])
    ticks: list[Tick] = []
    policy = Policy(Linear(50), [Guard()])
    run(training, policy, 40, [ticks.append], ring=Ring(every=10), agree=mean_of_ranks)
    told = [
        (
            tick.position,
            dict(tick.quantities),
            [(each, str(each.reason)) for each in tick.decisions],
        )
        for tick in ticks
    ]
    Path(folder, f"{rank}.txt").write_text(repr(told), encoding="utf-8")
    distributed.barrier()  # else the slower rank may find the connection closed, and abort
    distributed.destroy_process_group()


def test_ranks_with_different_data_decide_alike(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(
        _rank, args=(str(tmp_path),), nprocs=2, start_method="spawn"
    )
    first, second = ((tmp_path / f"{rank}.txt").read_text("utf-8") for rank in (0, 1))
    assert first == second
    assert "batch 20 is to blame" in first


def test_without_a_process_group_the_mean_of_ranks_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"there is none.*init_process_group"):
        mean_of_ranks(Observation({"loss": 1.0}))
