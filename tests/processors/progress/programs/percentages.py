"""Lines with a percentage that are redrawn: after a carriage return, backspaces, or erasing the line."""

import sys

draw = sys.stdout.write
draw("\rReading packages...    0%")
for percentage in range(20, 120, 20):
    draw(f"\b\b\b\b\b{percentage:4}%")
draw("\n")
for percentage in range(0, 120, 20):
    draw(f"\rInstalling [{'=' * (percentage // 10):10}] {percentage}%")
draw("\n")
for percentage in range(0, 120, 20):
    draw(f"\x1b[2K\r\x1b[32m{percentage}%\x1b[0m done")
draw("\n")
draw("accuracy 93% on test\n[ 50%] Building CXX object\ndone\n")
