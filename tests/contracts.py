"""Import contracts that import-linter does not bring itself."""

import grimp
from importlinter import Contract, ContractCheck, output

__all__ = ["PrivateModules"]


class PrivateModules(Contract):
    """``room._module`` is imported inside ``room`` only: what others need has a public name."""

    type_name = "private_modules"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        crossing = sorted(
            f"{importer} -> {imported}"
            for importer in graph.modules
            if importer.startswith("stepsize")
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported.startswith("stepsize.") and not f"{importer}.".startswith(home(imported))
        )
        return ContractCheck(kept=not crossing, metadata={"crossing": crossing})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["crossing"]:
            output.print(line)


def home(module: str) -> str:
    """The package, with a dot behind it, whose modules may import this one."""
    parts = module.split(".")
    private = [index for index, part in enumerate(parts) if part.startswith("_")]
    return ".".join(parts[: private[0]]) + "." if private else ""
