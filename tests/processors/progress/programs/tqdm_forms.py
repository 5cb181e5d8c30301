"""Bars in bytes, without a total, with a changing description, left unfinished, and nested ones that stay."""

from tqdm import tqdm, trange

with tqdm(total=3_000_000, unit="B", unit_scale=True, desc="data.bin", mininterval=0, ncols=60) as bar:
    for _ in range(3):
        bar.update(1_000_000)
for _ in tqdm(iter("abc"), unit=" rows", mininterval=0):
    pass
with trange(3, desc="load", mininterval=0, ncols=50) as bar:
    for step in bar:
        bar.set_description(("load", "parse", "store")[step])
with trange(10, desc="stopped: early", mininterval=0, ncols=50) as bar:
    for step in bar:
        if step == 2:
            break
for _ in trange(2, desc="outer", mininterval=0, ncols=40):
    for _ in trange(2, desc="inner", mininterval=0, ncols=40):
        pass
print("done")
