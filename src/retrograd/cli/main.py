"""The command `retrograd`: its commands, and errors as one line each.

Exit codes: 0 done; 1 a check found a wrong number, or the doctor an
ailment; 2 an error, told in one line on standard error;
130 interrupted; 141 nobody reads the output any more, as a shell reports it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import retrograd
from retrograd.cli.check import check
from retrograd.cli.doctor import doctor
from retrograd.cli.explain import explain
from retrograd.cli.lecture import lecture
from retrograd.cli.plot import plot
from retrograd.cli.predict import predict
from retrograd.cli.report import report
from retrograd.cli.train import train
from retrograd.errors import RetrogradError, unknown_name

ERROR, INTERRUPTED, PIPE_CLOSED = 2, 130, 141

# Above BadParameter is what the command line's own errors have in common; it has no public name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """The commands; an unknown one is told together with the known ones."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        if args[0] not in self.commands:
            raise unknown_name("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    name="retrograd",
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, predict, check, doctor, report, plot, explain, lecture):
    app.command()(command)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Train feed-forward networks by backpropagation, with every gradient open to inspection.

    Example: retrograd train digits
    """
    if version:
        typer.echo(f"retrograd {retrograd.__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
    else:
        return
    raise typer.Exit(0)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the program with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as `>&-` does
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for good
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream that cannot be told so
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without our signs
    sys.exit(main(sys.argv[1:] if arguments is None else arguments))


def main(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code. Every expected error is one line on standard error."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("retrograd", list(arguments)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        return _leave_closed_pipe()
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except UsageError as error:
        return _fail(_usage(error))
    except RetrogradError as error:
        return _fail(str(error))
    except MemoryError as error:
        return _fail(f"there is not enough memory: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    return 0


def _fail(message: str, code: int = ERROR) -> int:
    one_line = " ".join(message.split())
    with contextlib.suppress(BrokenPipeError):
        typer.echo(f"retrograd: {one_line}", err=True)
    return code


def _usage(error: Any) -> str:
    """A usage error in one line; an unknown option together with the known ones."""
    context = error.ctx
    if context is not None and hasattr(error, "possibilities"):
        options = [p.opts[-1] for p in context.command.params if p.param_type_name == "option"]
        return str(unknown_name("option", error.option_name, [*options, "--help"]))
    message = _wrong_value(error) or error.format_message().rstrip(".")
    where = f"; see {context.command_path} --help" if context is not None else ""
    return f"{message[:1].lower()}{message[1:]}{where}"


# What a value was to be, by the kind of error that typer's checks tell.
EXPECTED = {
    "int_parsing": "an integer",
    "int_parsing_size": "an integer of fewer digits",
    "float_parsing": "a number",
    "greater_than_equal": "at least {ge}",
}


def _wrong_value(error: Any) -> str | None:
    """What an option was to be and what it is; None where typer has words of its own for it."""
    checked, option = error.__cause__, getattr(error, "param", None)
    if option is None or not hasattr(checked, "errors"):
        return None
    found = checked.errors()[0]
    if found["type"] not in EXPECTED:
        return None
    expected = EXPECTED[found["type"]].format(**found.get("ctx", {}))
    return f"{option.opts[-1]}: expected {expected}, got {found['input']!r}"


def _leave_closed_pipe() -> int:
    # Python flushes standard output once more at exit; let that go nowhere.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
