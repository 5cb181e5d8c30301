"""Bars with a label, without a length, and with the position and the current item."""

import click

with click.progressbar(range(4), label="Copying files") as bar:
    for _ in bar:
        pass
with click.progressbar((letter for letter in "abc"), label="Scanning") as bar:
    for _ in bar:
        pass
with click.progressbar(length=500, show_pos=True, width=10, item_show_func=lambda item: item) as bar:
    for number in range(5):
        bar.update(100, f"file{number}.txt")
click.echo("copied")
