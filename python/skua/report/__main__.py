"""python -m skua.report RECORDER [BENCH.json] -o REPORT.html"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .files import ReportError, check_outputs, publish

USAGE_STATUS = 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m skua.report", description="A flight as one self-contained HTML page.")
    made.add_argument("recorder", type=Path, metavar="RECORDER",
                      help="a flight recorder's folder, one of its segments, or the lines of `skua recorder dump`")
    made.add_argument("bench", type=Path, nargs="?", metavar="BENCH.json", help="what `skua bench` or `make bench` wrote")
    made.add_argument("-o", "--output", type=Path, metavar="REPORT.html", help="the page")
    made.add_argument("--png", type=Path, metavar="FILE", help="the same as a picture")
    made.add_argument("--flight-report", type=Path, metavar="FILE", help="what skua-flight --report wrote")
    made.add_argument("--frame-lines", type=Path, metavar="FILE", help="what skua-flight --frame-lines wrote")
    made.add_argument("--manifest", type=Path, metavar="SET", help="the set that flew, or its flight-manifest.json")
    made.add_argument("--log", type=Path, metavar="FILE", action="append", default=[],
                      help="a program's log, one JSON object a line; may be repeated, one for each start")
    return made


def make(arguments: argparse.Namespace) -> None:
    # Late: a wrong option is told without plotly, and without matplotlib a page can be made.
    from .content import Paths, gather

    outputs = [path for path in (arguments.output, arguments.png) if path is not None]
    if not outputs:
        raise ReportError("nothing to write: name a page with -o REPORT.html, or a picture with --png FILE")
    paths = Paths(arguments.recorder, arguments.bench, arguments.flight_report, arguments.frame_lines, arguments.manifest,
                  tuple(arguments.log))
    check_outputs(outputs, paths.all())
    content = gather(paths)
    check_outputs(outputs, content.recording.files)
    made: list[tuple[Path, bytes]] = []
    if arguments.output is not None:
        from .page import page_of

        made.append((arguments.output, page_of(content)))
    if arguments.png is not None:
        from .picture import picture_of

        made.append((arguments.png, picture_of(content)))
    publish(made)


def main(words: list[str] | None = None) -> int:
    arguments = parser().parse_intermixed_args(words)  # the bench may also stand behind options
    try:
        make(arguments)
    except ReportError as error:
        print(f"skua.report: error: {error}", file=sys.stderr)
        return USAGE_STATUS
    except ModuleNotFoundError as error:
        if error.name not in ("numpy", "plotly", "matplotlib"):
            raise
        print(f"skua.report: error: the package {error.name} is not installed here; install {error.name} beside skua",
              file=sys.stderr)
        return USAGE_STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main())
