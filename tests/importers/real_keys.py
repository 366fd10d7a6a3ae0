"""The settings about the rate that each tool's own configuration has, each with a value.

They are those of the tools' published configuration classes and default files.
"""

from typing import Any

__all__ = ["REAL_KEYS"]


REAL_KEYS: dict[str, dict[str, Any]] = {
    "axolotl": {
        "learning_rate": 0.1,
        "lr_scheduler": "linear",
        "lr_scheduler_kwargs": {},
        "warmup_steps": 5,
        "warmup_ratio": 0.1,
        "cosine_min_lr_ratio": 0.1,
        "cosine_constant_lr_ratio": 0.8,
        "lr_quadratic_warmup": True,
        "loraplus_lr_ratio": 16,
        "embedding_lr": 1e-5,
        "jagged_restart_warmup_steps": 5,
    },
    "Composer and llm-foundry": {
        "scheduler.t_warmup": "5ba",
        "scheduler.t_max": "90ba",
        "scheduler.alpha_f": 0.1,
        "scheduler.scale_warmup": False,
        "optimizer.lr": 0.1,
    },
    "GPT-NeoX": {
        "optimizer.params.lr": 0.1,
        "min_lr": 0.01,
        "lr_decay_style": "linear",
        "lr_decay_iters": 90,
        "lr_decay_fraction": 0.9,
        "warmup": 0.1,
    },
    "NeMo": {
        "model.optim.lr": 0.1,
        "model.optim.sched.warmup_steps": 5,
        "model.optim.sched.warmup_ratio": None,
        "model.optim.sched.constant_steps": 5,
        "model.optim.sched.min_lr": 0.01,
        "model.optim.sched.last_epoch": -1,
    },
    "OLMo": {
        "optimizer.learning_rate": 0.1,
        "scheduler.t_warmup": 5,
        "scheduler.t_max": 90,
        "scheduler.alpha_f": 0.1,
        "scheduler.warmup_min_lr": 0.01,
        "scheduler.units": "steps",
    },
    "torchtune": {
        "optimizer.lr": 0.1,
        "lr_scheduler.num_warmup_steps": 5,
        "lr_scheduler.num_cycles": 0.5,
    },
    "torchtitan": {
        "optimizer.lr": 0.1,
        "lr_scheduler.warmup_steps": 5,
        "lr_scheduler.decay_ratio": 0.5,
        "lr_scheduler.decay_type": "cosine",
        "lr_scheduler.min_lr_factor": 0.1,
        "lr_scheduler.total_steps": 100,
    },
    "verl": {
        f"actor_rollout_ref.actor.optim.{key}": value
        for key, value in {
            "lr": 0.1,
            "lr_warmup_steps": -1,
            "lr_warmup_steps_ratio": 0.1,
            "min_lr_ratio": 0.1,
            "num_cycles": 0.5,
            "lr_scheduler_type": "cosine",
            "warmup_style": "cosine",
        }.items()
    },
    "MLX (mlx-lm)": {
        "learning_rate": 0.2,
        "lr_schedule.warmup": 5,
        "lr_schedule.warmup_init": 0.01,
    },
    "LitGPT": {"train.lr_warmup_steps": 5, "train.min_lr": 0.01, "optimizer.init_args.lr": 0.1},
    "nanoGPT": {
        "learning_rate": 0.1,
        "decay_lr": True,
        "warmup_iters": 5,
        "lr_decay_iters": 90,
        "min_lr": 0.01,
    },
    "nanochat": {"warmup_ratio": 0.1, "warmdown_ratio": 0.4, "final_lr_frac": 0.1},
    "modded-nanogpt": {
        "Hyperparameters.cooldown_frac": 0.4,
        "Hyperparameters.learning_rate": 0.1,
        "Hyperparameters.warmup_iters": 5,
    },
    "diffusers and kohya": {
        "learning_rate": 0.1,
        "lr_scheduler": "linear",
        "lr_warmup_steps": 5,
        "lr_scheduler_num_cycles": 1,
        "lr_scheduler_power": 1,
        "unet_lr": 0.1,
        "text_encoder_lr": 0.1,
    },
    "detectron2": {
        "SOLVER.BASE_LR": 0.1,
        "SOLVER.BASE_LR_END": 0.0,
        "SOLVER.LR_SCHEDULER_NAME": "WarmupCosineLR",
        "SOLVER.WARMUP_ITERS": 5,
        "SOLVER.WARMUP_FACTOR": 0.1,
        "SOLVER.WARMUP_METHOD": "linear",
        "SOLVER.BIAS_LR_FACTOR": 1.0,
        "SOLVER.RESCALE_INTERVAL": False,
    },
    "PaddleDetection": {"LearningRate.base_lr": 0.1},
    "PaddleClas": {
        "Optimizer.lr.learning_rate": 0.1,
        "Optimizer.lr.warmup_epoch": 1,
        "Optimizer.lr.warmup_start_lr": 0.01,
        "Optimizer.lr.eta_min": 0.01,
        "Optimizer.lr.by_epoch": False,
    },
    "fairseq": {
        "optimization.lr": [0.1],
        "optimization.stop_min_lr": -1.0,
        "lr_scheduler.warmup_updates": 5,
    },
    "Lightning's command line": {
        "optimizer.init_args.lr": 0.1,
        "lr_scheduler.init_args.gamma": 0.1,
    },
    "Ultralytics and YOLOv5": {
        "lr0": 0.1,
        "lrf": 0.1,
        "cos_lr": True,
        "warmup_epochs": 2.0,
        "warmup_momentum": 0.8,
        "warmup_bias_lr": 0.1,
    },
    "mmcv (mmdetection 2 and its relatives)": {
        "optimizer.lr": 0.1,
        "lr_config.warmup": "linear",
        "lr_config.warmup_iters": 5,
        "lr_config.warmup_ratio": 0.1,
        "lr_config.warmup_by_epoch": False,
        "lr_config.by_epoch": True,
    },
    "TensorFlow's Model Garden": {
        "trainer.optimizer_config.warmup.linear.warmup_steps": 5,
        "trainer.optimizer_config.warmup.linear.warmup_learning_rate": 0.01,
        "trainer.optimizer_config.learning_rate.cosine.alpha": 0.1,
        "trainer.optimizer_config.learning_rate.cosine.offset": 0,
    },
}  # fmt: skip
