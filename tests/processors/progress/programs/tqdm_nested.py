"""An outer bar that stays, and inner bars that do not; lines are printed above and after them."""

from tqdm import tqdm, trange

for epoch in trange(2, desc="epochs", mininterval=0, ascii=True, ncols=60):
    with trange(3, desc=f"epoch {epoch}", leave=False, mininterval=0, ascii=True, ncols=60) as batches:
        for batch in batches:
            batches.set_postfix(loss=batch / 2)
            if epoch and batch == 1:
                tqdm.write("half way")
print("trained")
for number in trange(2, mininterval=0, ncols=50):
    print("behind the bar", number, flush=True)
