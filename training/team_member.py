"""A member of a team: a process that computes gradients of the parts of batches that it is sent, until stdin ends.

`python -m training.team_member NUMBER SIZE FOLDER ARCHITECTURE DEVICE PRECISION CONFIG...`, as `training.team` starts
it.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import torch

from engine.config import config
from training.compute import Compute
from training.gradients import gradients_of
from training.losses import Weights
from training.network import Network
from training.team import examples_of, join, receive_part, send_gradients


def main() -> None:
    """Serve the process that trains; the end of stdin ends this one, however the other one ends."""
    number, size, folder, architecture, device, precision, *names = sys.argv[1:]
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    torch.set_num_threads(1)
    network = Network(architecture)
    configs = [config(name) for name in names]
    gradients = [gradients_of(network, each, Compute(device, precision)) for each in configs]
    join(int(number), int(size), Path(folder))
    parameters = list(network.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    weights = torch.empty(sum(sizes))
    while True:
        place, arrays = receive_part(weights)
        with torch.no_grad():
            for parameter, part in zip(parameters, torch.split(weights, sizes), strict=True):
                parameter.copy_(part.view(parameter.shape))
        own = gradients[place]
        losses = own.update(examples_of(configs[place], arrays), Weights(), arrays["means"])
        send_gradients(own.flat, np.asarray(losses))


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
