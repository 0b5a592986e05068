"""What the person at the command line sees while the demo runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flatbed.app.demo.client import JSON


@dataclass
class Bar:
    """The progress of one part."""

    _progress: Progress
    _task: int

    def step(self, steps: int = 1) -> None:
        """So much more is done."""
        self._progress.advance(self._progress.task_ids[self._task], steps)


@dataclass
class Teller:
    """Tells the story on a console and keeps how many seconds each part took."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    def say(self, text: str, style: str = "") -> None:
        """One line."""
        self.console.print(text, style=style or None, highlight=False, soft_wrap=True)

    def beat(self, day: int | None, text: str) -> None:
        """One thing that happens in the story, with its simulated day."""
        when = "      " if day is None else f"day {day:2d}"
        self.say(f"[dim]{when}[/dim]  {text}")

    def refusal(self, problem: JSON) -> None:
        """What was refused, with the criteria that failed."""
        status = problem.get("status", "")
        self.say(f"        [red]{status} {problem['code']}[/red]: {problem['title']}")
        for one in problem.get("criteria", ()):
            if not one["passed"]:
                self.say(
                    f"        [red]✗[/red] [bold]{one['criterion']}[/bold] "
                    f"{one['title']} ({escape(one['detail'])})"
                )

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part of the demo, with its heading and its seconds."""
        self.console.rule(f"[bold]{name}", align="left")
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Bar]:
        """Progress towards a total."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as progress:
            progress.add_task(text, total=total)
            yield Bar(progress, 0)
