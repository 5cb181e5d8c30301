"""The default bar, the bar for transfers, and a bar without a length."""

import progressbar

for bar, step in (
    (progressbar.ProgressBar(max_value=3), 1),
    (progressbar.DataTransferBar(max_value=3_000_000, prefix="data.bin "), 1_000_000),
    (progressbar.ProgressBar(max_value=progressbar.UnknownLength), 1),
):
    for number in range(4):
        bar.update(number * step, force=True)
    bar.finish()
print("done")
