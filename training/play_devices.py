"""Where a job of self-play is played: on the device that it names, if that can be used, else on the host."""

from __future__ import annotations

import sys
from pathlib import Path

from training.device_playing import OnDevice

GPU = "cuda"


def network_on(device: str, model: str) -> OnDevice | None:
    """Return the network of a model's directory on a device of Warp's; None if it is a GPU that cannot be used."""
    from engine.backend.cuda import Device
    from training.device_evaluate import device_evaluator
    from training.model import load_model

    if device.startswith(GPU) and (trouble := trouble_with_gpus()):
        print(f"playing on the CPU: {trouble}", file=sys.stderr)
        return None
    found = Device(device)
    return OnDevice(found, device_evaluator(load_model(Path(model)), found))


def trouble_with_gpus() -> str:
    """Return why games cannot be played on a GPU here; "" if they can."""
    import torch

    from engine.backend.cuda import cuda_devices

    if not cuda_devices():
        return "Warp finds no GPU with a driver that it can use"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} cannot use the GPU"
    return ""
