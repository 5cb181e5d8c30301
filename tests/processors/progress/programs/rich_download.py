"""Two bars with the columns of a download; the first one is removed at its end."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

console = Console(force_terminal=True, highlight=False)
columns = (
    TextColumn("{task.description}"),
    BarColumn(10),
    TaskProgressColumn(),
    DownloadColumn(),
    TransferSpeedColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)
for name in ("model.bin", "data.bin"):
    transient = name == "model.bin"
    with Progress(*columns, console=console, auto_refresh=False, transient=transient) as progress:
        task = progress.add_task(name, total=5_000_000)
        for _ in range(4):
            progress.update(task, advance=1_250_000, refresh=True)
console.print("saved")
