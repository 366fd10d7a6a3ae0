"""Pictures of named arrays, drawn with matplotlib. What the arrays mean is the caller's business.

Nothing here touches pyplot or matplotlib's settings: a picture is a ``Figure`` of its own, and
drawing one in a library, a notebook or a server changes nothing else. matplotlib is imported when
a picture is drawn, and not before.
"""

from stepsize.plot._files import *
from stepsize.plot._pictures import *
from stepsize.plot._points import *
from stepsize.plot._trials import *
