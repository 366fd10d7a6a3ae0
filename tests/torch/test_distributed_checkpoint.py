"""Two ranks of FSDP2 save and load through ``torch.distributed.checkpoint``."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from stepsize import Linear
from stepsize.torch import attach


def _build() -> tuple[Any, torch.optim.AdamW]:
    model = torch.nn.Linear(4, 4)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    return model, torch.optim.AdamW(model.parameters(), lr=1.0)


def _train(model: Any, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    used: list[float] = []
    for _ in range(steps):
        used.append(float(optimizer.param_groups[0]["lr"]))
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return used


def _rank(rank: int, folder: str) -> None:
    warnings.simplefilter("ignore")
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    model, optimizer = _build()
    rate = attach(optimizer, Linear(10))
    get_state_dict(model, optimizer)  # takes a dummy step to make the optimizer's state
    used = _train(model, optimizer, 3)
    rate.scale(1.0)  # what was done by hand is an entry of a list
    weights, state = get_state_dict(model, optimizer)
    saved: Any = {"model": weights, "optimizer": state, "rate": rate.state_dict()}
    dcp.save(saved, checkpoint_id=f"{folder}/saved")

    model, optimizer = _build()
    rate = attach(optimizer, Linear(10))
    weights, state = get_state_dict(model, optimizer)
    loaded: Any = {"model": weights, "optimizer": state, "rate": rate.state_dict()}
    dcp.load(loaded, checkpoint_id=f"{folder}/saved")
    set_state_dict(
        model,
        optimizer,
        model_state_dict=loaded["model"],
        optim_state_dict=loaded["optimizer"],
    )
    rate.load_state_dict(loaded["rate"])
    used += _train(model, optimizer, 2)
    Path(folder, f"{rank}.json").write_text(json.dumps([used, rate.position]), encoding="utf-8")
    distributed.barrier()
    distributed.destroy_process_group()


def test_no_rate_is_skipped_and_the_run_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(
        _rank, args=(str(tmp_path),), nprocs=2, start_method="spawn"
    )
    for rank in (0, 1):
        used, position = json.loads((tmp_path / f"{rank}.json").read_text("utf-8"))
        assert used == [Linear(10)(step) for step in range(5)]
        assert position == 5
