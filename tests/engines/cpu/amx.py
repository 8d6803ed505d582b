"""AMX for tests: the processor's own, or done as amx.c tells it where a processor has none."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from retrograd.engines.cpu.machine.host import runnable
from retrograd.engines.cpu.machine.target import TARGETS

AMX = TARGETS["amx"]
IS_OWN = AMX in runnable()
_IS_TOLD = sys.platform == "linux" and shutil.which("cc") and TARGETS["avx512bf16"] in runnable()
CAN_RUN = IS_OWN or bool(_IS_TOLD)
NEEDED = "needs AMX, or Linux with a C compiler and AVX512-BF16"


@cache
def library() -> ctypes.CDLL:
    """What amx.c says, compiled."""
    source = Path(__file__).with_name("amx.c")
    options = ["-O2", "-mfma", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    with TemporaryDirectory() as folder:
        made = Path(folder) / "amx.so"
        subprocess.run(["cc", *options, source, "-o", made, "-lm"], check=True)
        found = ctypes.CDLL(str(made))
    found.tiles_used.restype = found.tiles_held.restype = ctypes.c_uint64
    return found
