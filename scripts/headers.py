"""What the public headers declare. Used by check_docs.py and check_exports.py."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = sorted((ROOT / "include" / "netron").glob("*.h"))

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
MACRO = re.compile(r"^[ \t]*#(?:[^\\\n]|\\[^\n]|\\\n)*", re.M)


def spaces(match):
    return re.sub(r"[^\n]", " ", match.group())


def blank(text):
    """The text with comments and strings replaced by spaces, line by line as long as before."""
    return COMMENT.sub(spaces, STRING.sub(lambda m: '"' + " " * (len(m.group()) - 2) + '"', text))


def exported_functions():
    """Name -> "header:line" of everything declared NETRON_API."""
    found = {}
    for header in HEADERS:
        code = blank(header.read_text())
        code = MACRO.sub(spaces, code)
        for match in re.finditer(r"\bNETRON_API\b[^;{(]*?\b(\w+)\s*[(;]", code):
            line = code.count("\n", 0, match.start()) + 1
            found[match.group(1)] = f"{header.relative_to(ROOT)}:{line}"
    return found
