"""Three tasks, one of which has no total and is removed, and a line that is printed above them."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

console = Console(force_terminal=True, highlight=False)
columns = (TextColumn("{task.description}"), BarColumn(10), TaskProgressColumn(), TimeRemainingColumn())
with Progress(*columns, console=console, auto_refresh=False) as progress:
    tasks = [
        progress.add_task(name, total=total) for name, total in (("fetch", 4), ("unpack", 4), ("wait", None))
    ]
    for step in range(4):
        progress.update(tasks[0], advance=1)
        progress.update(tasks[1], advance=0.5)
        if step == 1:
            progress.console.print("[bold]half way[/bold]")
        if step == 2:
            progress.remove_task(tasks[2])
        progress.refresh()
console.print("done")
