"""Every kind of optimizer trains, bit for bit, as if its rate were set by hand before each step."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from stepsize import Absolute, AttachmentError, Cosine, ForeignWrite, Linear, Warmup
from stepsize.torch import attach

SCHEDULE = Warmup(4).skip(1) >> Cosine(12, end=0.1)
STEPS = 14

Build = Callable[[Any], torch.optim.Optimizer]

OPTIMIZERS: dict[str, Build] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "SGD momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "SGD nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "SGD foreach": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, foreach=True),
    "SGD fused": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, fused=True),
    "SGD tensor": lambda p: torch.optim.SGD(p, lr=torch.tensor(0.05), foreach=False),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
    "RMSprop foreach": lambda p: torch.optim.RMSprop(p, lr=0.01, foreach=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "Adam foreach": lambda p: torch.optim.Adam(p, lr=0.01, foreach=True),
    "Adam fused": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "Adam tensor": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), foreach=False),
    "Adam fused tensor": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), fused=True),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "AdamW fused": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.3, max_iter=3),
}

Problem = tuple[nn.Module, torch.Tensor, torch.Tensor]


def problem() -> Problem:
    torch.manual_seed(0)
    return nn.Linear(3, 2), torch.randn(8, 3), torch.randn(8, 2)


def closure_of(task: Problem, optimizer: torch.optim.Optimizer) -> Callable[[], torch.Tensor]:
    model, inputs, targets = task

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    return closure


def train(task: Problem, optimizer: torch.optim.Optimizer, steps: int = STEPS) -> list[Any]:
    closure = closure_of(task, optimizer)
    for _ in range(steps):
        optimizer.step(closure)
    return [parameter.detach().clone() for parameter in task[0].parameters()]


def equal(first: list[Any], second: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_is_bit_for_bit_that_with_the_rate_set_by_hand(build: Build) -> None:
    task = problem()
    by_hand = build(task[0].parameters())
    closure = closure_of(task, by_hand)
    base = float(by_hand.param_groups[0]["lr"])
    for position in range(STEPS):
        lr = by_hand.param_groups[0]["lr"]
        value = base * SCHEDULE(position)
        by_hand.param_groups[0]["lr"] = torch.full_like(lr, value) if torch.is_tensor(lr) else value
        by_hand.step(closure)
    expected = [parameter.detach().clone() for parameter in task[0].parameters()]

    task = problem()
    optimizer = build(task[0].parameters())
    rate = attach(optimizer, SCHEDULE)
    assert equal(train(task, optimizer), expected)
    assert rate.position == STEPS  # one step with a closure is one step


@pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on_bit_for_bit_after_a_resume(build: Build) -> None:
    task = problem()
    optimizer = build(task[0].parameters())
    rate = attach(optimizer, SCHEDULE)
    train(task, optimizer, 5)
    saved = copy.deepcopy(
        {
            "model": task[0].state_dict(),
            "optimizer": optimizer.state_dict(),
            "rate": rate.state_dict(),
        }
    )
    again = problem()
    again[0].load_state_dict(saved["model"])
    resumed = build(again[0].parameters())
    resumed.load_state_dict(saved["optimizer"])
    attach(resumed, SCHEDULE).load_state_dict(saved["rate"])
    assert equal(train(again, resumed, 6), train(task, optimizer, 6))


# ------------------------------------------------------------------ tensors


def tensor_adam(**options: Any) -> torch.optim.Adam:
    groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)]}]
    return torch.optim.Adam(groups, lr=torch.tensor(0.5), foreach=False, **options)


def test_a_tensor_rate_is_written_in_place_and_keeps_its_identity() -> None:
    lr = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=lr, foreach=False)
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    rate.scale(0.5)
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == 0.5 * 0.75 * 0.5
    assert rate.next == [0.5 * 0.75 * 0.5]


def test_groups_built_from_one_tensor_get_one_each() -> None:
    optimizer = tensor_adam()
    attach(optimizer, {0: Linear(4), 1: Linear(2)})
    optimizer.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert first is not second
    assert (first.item(), second.item()) == (0.375, 0.25)


@pytest.mark.parametrize("saved_lr", [0.3, torch.tensor(0.3)], ids=["number", "tensor"])
def test_a_tensor_rate_keeps_its_identity_when_a_checkpoint_is_loaded(saved_lr: Any) -> None:
    optimizer = tensor_adam()
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    before = [group["lr"] for group in optimizer.param_groups]
    other = tensor_adam()
    for group in other.param_groups:
        group["lr"] = saved_lr
    optimizer.load_state_dict(other.state_dict())
    assert all(
        group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, before, strict=True)
    )
    assert rate.next == [0.375, 0.375]


def test_a_group_added_to_an_optimizer_with_a_tensor_rate_has_its_own_and_the_default_base() -> (
    None
):
    optimizer = tensor_adam()
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    optimizer.add_param_group({"params": [torch.zeros(1)]})
    assert rate.next == [0.375, 0.375, 0.375]
    tensors = [group["lr"] for group in optimizer.param_groups]
    assert len({id(tensor) for tensor in tensors}) == 3


def test_a_foreign_write_into_a_tensor_is_noticed_also_if_it_is_replaced() -> None:
    for foreign in ("in place", "replaced"):
        optimizer = tensor_adam()
        rate = attach(optimizer, Linear(4))
        tensor = optimizer.param_groups[1]["lr"]
        if foreign == "in place":
            tensor.fill_(0.3)
        else:
            optimizer.param_groups[1]["lr"] = torch.tensor(0.3)
        with pytest.warns(ForeignWrite, match="group 1"):
            optimizer.step()
        assert rate.current == [0.5, pytest.approx(0.3)]
        assert rate.next == [0.375, 0.375]
        assert optimizer.param_groups[1]["lr"] is tensor


def test_reported_rates_are_those_that_the_tensor_holds() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1), foreach=False)
    rate = attach(optimizer, Linear(3))
    optimizer.step()
    held = optimizer.param_groups[0]["lr"].item()
    assert rate.next == [held]
    optimizer.step()
    assert rate.current == [held]


def test_an_entry_of_a_tuple_may_be_a_tensor() -> None:
    beta = torch.tensor(0.9)
    optimizer = torch.optim.Adam(
        [torch.zeros(1)],
        lr=torch.tensor(0.1),
        betas=(beta, torch.tensor(0.999)),
        foreach=False,
        capturable=False,
    )
    attach(optimizer, also={("betas", 0): Absolute(Linear(4, 0.5, 0.25))})
    assert optimizer.param_groups[0]["betas"][0] is beta
    assert beta.item() == 0.5


@pytest.mark.filterwarnings("ignore:.*script_method. is deprecated:DeprecationWarning")  # torch's
def test_compiled_steps_train_as_eager_ones_and_are_not_compiled_again_and_again() -> None:
    import torch._dynamo.testing

    def build() -> tuple[torch.Tensor, torch.optim.Optimizer]:
        parameter = torch.ones(3, requires_grad=True)
        parameter.grad = torch.ones(3)
        return parameter, torch.optim.Adam([parameter], lr=torch.tensor(0.1), foreach=False)

    eager, optimizer = build()
    attach(optimizer, Linear(100))
    for _ in range(20):
        optimizer.step()

    compiled, optimizer = build()
    rate = attach(optimizer, Linear(100))
    counter = torch._dynamo.testing.CompileCounterWithBackend("eager")

    @torch.compile(backend=counter)
    def step() -> None:
        optimizer.step()

    for _ in range(5):
        step()
    graphs = counter.frame_count
    for _ in range(15):
        step()
    assert counter.frame_count == graphs
    assert rate.position == 20
    torch.testing.assert_close(compiled, eager, rtol=1e-4, atol=1e-4)  # other kernels


# ------------------------------------------------------------------ steps that are skipped


def scaled_step(
    scaler: torch.amp.GradScaler, parameter: torch.Tensor, optimizer: Any, loss: float
) -> None:
    optimizer.zero_grad()
    scaler.scale((parameter * loss).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.parametrize("fused", [False, True], ids=["skipped by the scaler", "in the kernel"])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_steps_that_amp_skips_do_not_advance_the_rate(kind: Any, fused: bool) -> None:
    parameter = torch.ones(2, requires_grad=True)
    optimizer = kind([parameter], lr=1.0, fused=fused)
    rate = attach(optimizer, Linear(10))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaled_step(scaler, parameter, optimizer, 1.0)
    before = parameter.detach().clone()

    scaled_step(scaler, parameter, optimizer, float("inf"))
    assert torch.equal(parameter.detach(), before)
    assert (rate.position, rate.current, rate.next) == (1, [1.0], [0.9])

    scaled_step(scaler, parameter, optimizer, 1.0)
    assert (rate.position, rate.current, rate.next) == (2, [0.9], [0.8])


# ------------------------------------------------------------------ CUDA graphs


def capturable(lr: Any) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1)], "capturable": True}], lr=lr)


def test_a_captured_step_is_no_step_and_its_replays_are_counted_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    lr = torch.tensor(1.0)
    optimizer = capturable(lr)
    rate = attach(optimizer, Linear(4))
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    optimizer.step()
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert (rate.position, lr.item()) == (0, 1.0)
    for _ in range(2):  # each stands for a replay, which runs no hooks
        rate.step()
    assert (rate.position, lr.item()) == (2, 0.5)


def test_capturing_a_rate_that_is_a_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    optimizer = capturable(1.0)
    attach(optimizer, Linear(4))
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(AttachmentError, match=r"must be held by tensors.* but lr is a number"):
        optimizer.step()


def test_a_group_that_could_be_captured_is_driven_as_any_other_where_there_is_no_gpu() -> None:
    optimizer = capturable(1.0)
    rate = attach(optimizer, Linear(4))
    optimizer.step()
    assert rate.next == [0.75]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_replays_of_a_captured_step_use_the_scheduled_rates() -> None:
    parameter = torch.ones(1, device="cuda", requires_grad=True)
    parameter.grad = torch.ones(1, device="cuda")
    lr = torch.tensor(1.0, device="cuda")
    optimizer = torch.optim.Adam([parameter], lr=lr, capturable=True, foreach=False)
    rate = attach(optimizer, Linear(10))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        optimizer.step()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for _ in range(3):
        graph.replay()
        rate.step()
    assert rate.position == 4
    # With a constant gradient each update of Adam is the rate itself.
    expected = 1.0 - (1.0 + 0.9 + 0.8 + 0.7)
    assert parameter.item() == pytest.approx(expected, abs=1e-4)
