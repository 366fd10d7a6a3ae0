"""Write the page of curves: ``python -m oracle``."""

from oracle.page import PAGE, page

PAGE.parent.mkdir(parents=True, exist_ok=True)
PAGE.write_text(page(), encoding="utf-8")
print(f"{PAGE.relative_to(PAGE.parents[2])}: {page().splitlines()[5]}")
