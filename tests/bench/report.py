"""The table at the end, and the same as JSON."""

import contextlib
import dataclasses
import json
import math
import operator
import os
import pathlib
import platform
import re
import statistics

import lab
import measure

HOW_TO_READ = """\
How to read it: every figure is a median of the rounds; in each round fwctl and its peer ran one after
the other. RATIO is the median of the ratios round by round, and in brackets the lowest and highest of
them: on a busy machine read the ratios, not the times. BUDGET is what the design demands of the ratio
(or, for memory, of fwctl's figure). MET with a question mark: single rounds fell on the other side of
it. docs/performance.md says what each row measures, and what none does."""


def faster(ours, theirs):
    return theirs / ours


def share(ours, theirs):
    return ours / theirs


RATIOS = {"as fast": faster, "the cost": share, "the rate": share, "the memory": share}


@dataclasses.dataclass(frozen=True)
class Budget:
    """What must hold of the ratio, or of fwctl's own median where `of_figure`."""
    sign: str  # "≥" or "≤"
    limit: float
    of_figure: bool = False

    def holds(self, value):
        return (operator.ge if self.sign == "≥" else operator.le)(value, self.limit)


def at_least(limit):
    return Budget("≥", limit)


def at_most(limit):
    return Budget("≤", limit)


def megabytes(limit):
    return Budget("≤", limit, of_figure=True)


@dataclasses.dataclass
class Row:
    """One line: `ours` beside `theirs`, the series of the contestant called `peer`."""
    what: str
    unit: str  # ms, /s or MB
    ours: measure.Series
    peer: str
    theirs: measure.Series
    ratio: str  # a key of RATIOS
    budget: Budget | None = None

    def failed(self):
        return self.ours.failed or self.theirs.failed

    def ratios(self):
        return measure.pairs(self.ours, self.theirs, RATIOS[self.ratio])

    def judged(self):
        """The figures that the budget is about."""
        if self.budget and self.budget.of_figure:
            return list(self.ours.values.values())
        return self.ratios()

    def met(self):
        """True, False, or None where there is nothing to judge."""
        judged = self.judged()
        return self.budget.holds(statistics.median(judged)) if self.budget and judged else None

    def clear(self):
        """Whether every single round says the same as the median."""
        return len({self.budget.holds(value) for value in self.judged()}) == 1


def figure(value):
    """Three digits that mean something."""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _cell(series, unit):
    if series:
        return f"{figure(series.median())} {unit}"
    return "failed" if series.failed else "none"


def _ratio_cell(row):
    ratios = row.ratios()
    if not ratios:
        return "–"
    spread = f" ({figure(min(ratios))}–{figure(max(ratios))})" if len(ratios) > 1 else ""
    return f"{figure(statistics.median(ratios))} × {row.ratio}{spread}"


def _budget_cell(row):
    if not row.budget:
        return "–"
    return f"{row.budget.sign} {row.budget.limit:g} {'MB' if row.budget.of_figure else '×'}"


def _met_cell(row):
    if not row.budget:
        return "–"
    met = row.met()
    if met is None:
        return "not known"
    return ("yes" if met else "no") + ("" if row.clear() else "?")


def _lines(rows, notes):
    head = ("WHAT", "FWCTL", "PEER", "PEER'S", "RATIO", "BUDGET", "MET")
    cells = []
    for row in rows:
        reference = ""
        for series in (row.ours, row.theirs):
            if series.problem:
                if series.problem not in notes:
                    notes.append(series.problem)
                reference += f" [{notes.index(series.problem) + 1}]"
        cells.append((row.what, _cell(row.ours, row.unit), row.peer or "–",
                      (_cell(row.theirs, row.unit) if row.peer else "–") + reference,
                      _ratio_cell(row), _budget_cell(row), _met_cell(row)))
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    for line in [head, *cells]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()


def table(sections, machine):
    """`sections`: title → rows."""
    notes = []
    out = ["", "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.items())]
    for title, rows in sections.items():
        out += ["", title, *_lines(rows, notes)]
    if notes:
        out += [""] + [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*out, "", HOW_TO_READ])


def as_json(sections, machine):
    rows = [{"section": title, "what": row.what, "unit": row.unit, "fwctl": _series(row.ours),
             "peer": row.peer, "theirs": _series(row.theirs), "ratio": row.ratio,
             "ratios": row.ratios(), "budget": _budget_cell(row) if row.budget else None,
             "met": row.met()}
            for title, found in sections.items() for row in found]
    return json.dumps({"machine": machine, "rows": rows}, indent=2, ensure_ascii=False)


def _series(series):
    return {"rounds": series.values, "median": series.median() if series else None,
            "problem": series.problem or None}


def machine(directory):
    """What the figures depend on. To be asked before anything is measured."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    inside = [fields for fields in mounts if directory.is_relative_to(fields[1])]
    disk = max(inside, key=lambda fields: len(fields[1]))[2]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {"cores": os.cpu_count(), "kernel": platform.release(), "load before": f"({load})",
            "disk": disk, "build": _build()}


def _build():
    """The build type of the programs that are measured: a debug build says nothing."""
    with contextlib.suppress(OSError):
        found = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.+)$", (lab.BUILD / "CMakeCache.txt").read_text(), re.M)
        return found[1] if found else "unknown"
    return "unknown"
