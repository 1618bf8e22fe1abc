import numpy as np
from numpy.typing import NDArray

def kernel_names() -> tuple[str, ...]: ...
def kernel_name(kernel: str) -> str: ...
def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]: ...
def asian_sums(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    sign: float,
    spot: float,
    strike: float,
    first: int,
    paths: int,
    threads: int,
) -> NDArray[np.float64]: ...
def summaries(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    first: int,
    paths: int,
    threads: int,
) -> NDArray[np.float64]: ...
def trails(
    kernel: str,
    seed: int,
    stream: int,
    steps: int,
    drift: float,
    scale: float,
    first: int,
    paths: int,
    threads: int,
) -> NDArray[np.float64]: ...
def normal(kernel: str, x: NDArray[np.float64]) -> NDArray[np.float64]: ...
def tilted_normal(
    kernel: str, weight: NDArray[np.float64], tail: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]: ...
