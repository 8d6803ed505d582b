"""What the compiled engine makes of a graph, as text: made anew whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.abi.table import Table
from retrograd.engines.cpu.machine.host import machine_of
from retrograd.engines.cpu.machine.target import Target
from retrograd.plan.program import Program
from retrograd.plan.text import as_text


@dataclass(frozen=True, eq=False)
class CpuListing:
    """See `Listing`. The module is that of the code that runs, whether or not it came from disk.

    `is_direct`: inputs are read where the caller has them (a function), not gathered (a session).
    """

    plan: Program
    target: Target
    is_direct: bool = False

    @property
    def program(self) -> str:
        """See `Listing.program`."""
        return as_text(self.plan)

    @property
    def llvm_ir(self) -> str:
        """See `Listing.llvm_ir`."""
        return str(self._module())

    @property
    def assembly(self) -> str:
        """See `Listing.assembly`."""
        from retrograd.engines.cpu.machine.llvm import assembly

        return assembly(self._module(), machine_of(self.target))

    def _module(self) -> Any:
        from retrograd.engines.cpu.code.emit import emit  # needs LLVM, which kept code does not
        from retrograd.engines.cpu.machine.llvm import optimize

        table = Table(self.plan, self.target, self.is_direct)
        return optimize(str(emit(self.plan, self.target, table)), machine_of(self.target))
