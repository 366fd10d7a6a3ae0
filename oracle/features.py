"""What other tools offer besides curves, and a line that does it here; each line is run by a test.

The lines find ``optimizer`` (SGD with two named groups, momentum and weight decay), ``schedule``,
``other``, ``model`` and the public names of ``stepsize`` and its rooms.
"""

from dataclasses import dataclass

__all__ = ["FEATURES", "Feature"]


@dataclass(frozen=True)
class Feature:
    """One feature of the census.

    Args:
        number: Its number there.
        name: What it is.
        code: What one writes here.
        proof: A condition that holds afterwards.
        note: What to know.
        left_out: Why it is not here, where it is not.
    """

    number: int
    name: str
    code: str = ""
    proof: str = "True"
    note: str = ""
    left_out: str = ""


FEATURES = (
    Feature(
        1,
        "Schedules in sequence",
        "plan = Warmup(500) >> Hold(4_000) >> Cosine(5_500)",
        "plan.length == 10_000",
    ),
    Feature(
        2,
        "Product of schedules",
        "product = schedule * other * 0.5",
        "product(30) == schedule(30) * other(30) * 0.5",
    ),
    Feature(
        3,
        "A warmup before anything",
        "plan = Warmup(501).skip(1) >> schedule",
        "plan(500) == schedule(0)",
    ),
    Feature(
        4,
        "A part sees its own time, or the whole's",
        "local = Hold(50) >> schedule; whole = Hold(50) >> schedule.skip(50)",
        "local(60) == schedule(10) and whole(60) == schedule(60)",
    ),
    Feature(
        5,
        "The end value becomes the next start",
        "plan = schedule.until(40) >> Linear(60, start=schedule(40))",
        "plan(40) == schedule(40)",
    ),
    Feature(
        6,
        "A cycle of schedules",
        "cycle = (Linear(10) >> Cosine(20)).repeat()",
        "cycle(35) == 0.5",
    ),
    Feature(
        7,
        "A window with a beginning and an end",
        "windowed = Hold(20) >> Linear(30, end=0.1) >> Constant(0.1)",
        "windowed(19) == 1 and windowed(50) == 0.1",
    ),
    Feature(
        8,
        "A schedule from a text or a registry",
        'plan = parse("Warmup(500) >> Cosine(9500, end=0.1)")',
        "parse(repr(plan)) == plan",
        note="Your own functions join with `@schedule_function(name)`.",
    ),
    Feature(
        9,
        "Presets with guidance",
        'print(plan_run(3e-4, "AdamW", 10_000))',
        note="Also on the command line: `stepsize describe`, `stepsize check`.",
    ),
    Feature(
        10,
        "A rule string or a table from a configuration",
        'plan = parse("Table([[10, 1], [10, 0.1], [1, 0.01]])")',
        "plan(10) == 0.1",
        note="`importers.from_config(mapping)` reads other tools' sections.",
    ),
    Feature(
        11,
        "Epochs or steps, for each schedule",
        "mixed = Warmup(500) >> Step(30, 0.1).per_epoch(1_000).staircase(1_000)",
        "mixed(500 + 30_000) == 0.1",
    ),
    Feature(
        12,
        "From epochs to steps",
        "steps = total_steps(50_000, batch=128, accumulate=2, epochs=90, world=4)",
        "steps == 90 * 49",
    ),
    Feature(
        13,
        "Typed durations",
        'plan = parse("Warmup(1ep) >> Cosine(9ep)", horizon=Horizon(steps_per_epoch=500))',
        "plan.length == 5_000",
    ),
    Feature(
        14,
        "Fractions of the run",
        "plan = (Warmup(5) >> Hold(75) >> Linear(20)).over(10_000)",
        "plan(500) == 1 and plan.length == 10_000",
        note="Or `0.05dur` in a text.",
    ),
    Feature(
        15,
        "Tokens or samples as the clock",
        "rate = attach(optimizer, Cosine(1e9), clock=lambda: tokens)",
        "rate.position == tokens",
    ),
    Feature(
        16,
        "The whole schedule scaled in time",
        "shorter = schedule.over(0.1 * schedule.length)",
        "shorter(5) == schedule(50)",
    ),
    Feature(17, "A start in the middle", "later = schedule.skip(30)", "later(0) == schedule(30)"),
    Feature(
        18,
        "A horizon apart from the number of training steps",
        "rate = attach(optimizer, Cosine(20_000))",
        "rate.next == [0.1, 0.01]",
        note="A schedule has its own length; the loop stops when it stops.",
    ),
    Feature(
        19,
        "The value at any step, without a state",
        "value = schedule(37)",
        "value == schedule(37)",
    ),
    Feature(
        20,
        "Many steps at once",
        "values = schedule(np.arange(1_000_000))",
        "values.shape == (1_000_000,)",
        note="NumPy, torch and JAX arrays, also under `jit`, `vmap` and `grad`.",
    ),
    Feature(
        21,
        "Accumulation, skipped steps and several processes",
        "rate = attach(optimizer, schedule)",
        "rate.position == 0",
        note="A step is an optimizer step that really ran; nothing else is counted.",
    ),
    Feature(
        22,
        "Base rate per group",
        "rate = attach(optimizer, schedule)",
        "rate.next == [0.1, 0.01]",
    ),
    Feature(
        23,
        "A schedule per group",
        'rate = attach(optimizer, {"body": schedule, "head": other})',
        "rate.next == [0.1 * schedule(0), 0.01 * other(0)]",
    ),
    Feature(
        24,
        "A multiplier per layer",
        "groups = layerwise(model, lr=1e-3, decay=0.65)",
        "groups[0]['lr'] == pytest.approx(0.65 * groups[1]['lr'])",
        note="The ratios are the same at every step.",
    ),
    Feature(
        25,
        "Momentum or beta1 with the rate",
        "rate = attach(optimizer, schedule, momentum=Absolute(Linear(50, 0.85, 0.95)))",
        "rate.of('momentum').next == [0.85, 0.85]",
        note='Adam\'s: `also={("betas", 0): ...}`.',
    ),
    Feature(
        26,
        "Any field of the optimizer",
        "rate = attach(optimizer, schedule, weight_decay=schedule)",
        "rate.of('weight_decay').next == [1e-4, 1e-4]",
        note="With the rate's own schedule, the weight decay is coupled to it.",
    ),
    Feature(
        27,
        "Anything else that changes with the step: batch size, loss weights",
        "batch_size = round(64 * (Hold(50, 1) >> Hold(50, 2) >> Constant(4))(75))",
        "batch_size == 128",
    ),
    Feature(
        28,
        "Hyperparameters with a state of their own",
        "policy = Policy(schedule, [MyController()])",
        note="Any object with `init()` and `observe(state, observation)` is a controller.",
    ),
    Feature(
        29,
        "Several optimizers",
        "rate = attach([optimizer, second], schedule)",
        "len(rate.next) == 3",
    ),
    Feature(
        30,
        "A tensor rate, kept in place",
        "rate = attach(capturable, schedule)",
        "capturable.param_groups[0]['lr'] is tensor",
    ),
    Feature(
        31,
        "µP's rates under a schedule",
        'hidden = width_rule(1e-3, "Adam", from_=256, to=1_024)',
        "hidden.value == 2.5e-4",
        note="Rates per group stay in their ratio under every schedule.",
    ),
    Feature(
        32,
        "The rule for another batch size",
        'print(batch_rule(0.1, "SGD", from_=256, to=1_024)); '
        "shorter = schedule.over(schedule.length * 256 / 1_024)",
        "shorter.length == 25",
        note="Linear for SGD, the square root for Adam, printed with its interval and reason. The "
        "warmup and the rest keep their number of samples.",
    ),
    Feature(
        33,
        "Seeded noise in a window",
        "noisy = schedule * (Hold(40) >> Noise(0.1, seed=7))",
        "noisy(39) == schedule(39) and abs(noisy(60) / schedule(60) - 1) <= 0.1",
    ),
    Feature(
        34,
        "A floor as a rate or as a part",
        "part = Cosine(100, end=0.1); rates = Absolute(Cosine(100, 3e-4, 3e-5))",
        "part(100) == 0.1 and rates.schedule(100) == 3e-5",
        note="`.clip(low=...)` puts a floor under anything.",
    ),
    Feature(
        35,
        "The floor held past the end",
        "value = schedule(10**9)",
        "value == schedule(schedule.length)",
    ),
    Feature(
        36,
        "An error past the end",
        left_out="a run that is nearly done should not die of it: the last value holds, and one "
        "warning says so",
    ),
    Feature(
        37,
        "The plan held against the length of the training",
        "findings = review(Warmup(500) >> Cosine(9_500), steps=5_000)",
        "findings",
        note="Or `stepsize check SPEC --steps N`, and at `attach(..., steps=N)`.",
    ),
    Feature(
        38,
        "A check that `optimizer.step()` came first",
        left_out="there is no second call whose order could be wrong: the rate follows the "
        "optimizer's own step",
    ),
    Feature(
        39,
        "Which way is better, and by how much, over which patience",
        'rule = Plateau(metric="bleu", mode="max", threshold=0.1, threshold_mode="absolute", '
        "patience=0); seen = replay(rule, {'bleu': [20.0, 20.2, 20.25]})",
        "seen.scale == [1.0, 1.0, 0.1]",
        note="A threshold is relative or absolute, and right for negative metrics too.",
    ),
    Feature(
        40,
        "Smoothing of the metric",
        'rule = Plateau(metric="loss", smoothing=2, factor=0.5, patience=0)',
        "replay(rule, {'loss': [3.0, 1.0, 2.0]}).scale == [1.0, 1.0, 1.0]",
        note="The mean of the last numbers, so every step counts; optax averages whole blocks.",
    ),
    Feature(
        41,
        "The direction, told from the metric's name",
        'rule = Plateau(metric="val_accuracy")',
        "replay(rule, {'val_accuracy': [0.1, 0.2, 0.3]}).scale[-1] == 1",
        note="Only where the last word is loss or accuracy; else `mode` has to be given.",
    ),
    Feature(
        42,
        "A rate that rises while there is progress",
        'seen = replay(Greedy(metric="loss", high=4, factor=0.5, patience=0), '
        "{'loss': [3.0, 2.0, 1.0]})",
        "seen.scale[-1] == 4",
    ),
    Feature(
        43,
        "A warmup before the plateau rule",
        'policy = Policy(Warmup(500) >> Constant(), [After(500, Plateau(metric="val_loss"))])',
        "policy.schedule(499) < 1 == policy.schedule(500)",
    ),
    Feature(
        44,
        "What a missing metric means",
        "decided = rate.observe(val_loss=1.0)",
        "not decided",
        note="A metric that is not there is no observation; one that is NaN warns, counts as worse "
        "or stops the run, as `non_finite` says.",
    ),
    Feature(
        45,
        "State for a checkpoint",
        "state = rate.state_dict(); rate.load_state_dict(state)",
        "rate.position == 0",
        note="Numbers and strings: it loads with `weights_only=True`.",
    ),
    Feature(
        46,
        "What wins on resuming: the code or the checkpoint",
        "rate.load_state_dict(state)",
        note="The code's configuration; a mismatch is a warning with both texts.",
    ),
    Feature(
        47,
        "A state that survives another sharding",
        "state = rate.state_dict()",
        "isinstance(state, dict)",
        note="It holds a position and no tensors.",
    ),
    Feature(
        48,
        "The schedule itself as text",
        "text = schedule.text",
        "parse(text) == schedule",
    ),
    Feature(
        49,
        "Old checkpoints of other tools",
        "found = from_scheduler(scheduler)",
        "found.position == 0",
        note="Load the old state into the old scheduler, then read that.",
    ),
    Feature(
        50,
        "Values without training",
        "values = schedule.values(100)",
        "len(values) == 100",
    ),
    Feature(
        51,
        "A picture of one, a comparison of many",
        "axes = schedule.plot(base=3e-4)",
        "axes.lines",
        note="Many: `stepsize plot SPEC SPEC`, `stepsize compare SPEC SPEC`.",
    ),
    Feature(
        52,
        "The command line",
        'done = subprocess.run(["stepsize", "plot", "Warmup(500) >> Cosine(9500)"])',
        "done.returncode == 0",
    ),
)
