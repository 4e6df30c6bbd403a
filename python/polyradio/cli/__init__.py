"""The command line: `polyradio demo`, `run`, `decrypt`, `bench`, `schema`.

- `run`: scenarios, with a live table;
- `decrypt`: captures;
- `bench`: how fast it is;
- here: the entry, and the exit codes: 0 fine, 1 the answer is no, 2 bad usage or input, 3 could not be done here.

Not here: anything that a Python program could not do as well. Promise: no traceback for an error that polyradio knows,
and with `--json` nothing but JSON on stdout.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from polyradio.cli.bench import bench
from polyradio.cli.decrypt import decrypt
from polyradio.cli.run import INTERRUPTED, demo, run
from polyradio.errors import DeviceLost, DeviceRejected, NotAvailable, PolyradioError

BAD_INPUT, NOT_HERE = 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="polyradio", message="polyradio %(version)s")
def polyradio() -> None:
    """One Wi-Fi NIC shared by many virtual machines, each with its own driver, MAC address, network and keys.

    Exit codes: 0 fine, 1 the answer is no, 2 bad usage or input, 3 could not be done here.
    """


@polyradio.command()
@click.option("--json", "_as_json", is_flag=True, help="It is JSON anyway.")
def schema(_as_json: bool) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from polyradio.scenario import json_schema  # noqa: PLC0415 - pydantic takes a moment to load

    click.echo(json.dumps(json_schema(), indent=2))


polyradio.add_command(demo)
polyradio.add_command(run)
polyradio.add_command(decrypt)
polyradio.add_command(bench)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        result = polyradio.main(arguments, prog_name="polyradio", standalone_mode=False)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("polyradio: interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (NotAvailable, DeviceLost, DeviceRejected) as error:
        return _say(error, NOT_HERE)
    except PolyradioError as error:
        return _say(error, BAD_INPUT)
    except BrokenPipeError:
        # The reader went away, as `head` does; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _say(error, NOT_HERE)
    return result if isinstance(result, int) else 0


def _say(error: Exception, code: int) -> int:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    for line in text.splitlines():
        click.echo(f"polyradio: {line}", err=True)
    return code
