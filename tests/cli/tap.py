"""One line for each check, counted, as a TAP reader wants it."""
import itertools
import sys

_numbers = itertools.count(1)


def tell(good, name, more=""):
    """`more` is what a failed check has seen; it may have several lines."""
    print("%s %d - %s" % ("ok" if good else "not ok", next(_numbers), name))
    if not good:
        print("\n".join("# " + line for line in str(more).splitlines()))
    sys.stdout.flush()
