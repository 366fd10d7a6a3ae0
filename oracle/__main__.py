"""Write the pages of curves and of features: ``python -m oracle``."""

from oracle.page import FEATURES_PAGE, PAGE, features_page, page

PAGE.parent.mkdir(parents=True, exist_ok=True)
PAGE.write_text(page(), encoding="utf-8")
FEATURES_PAGE.write_text(features_page(), encoding="utf-8")
print(page().split("\n\n")[2])
