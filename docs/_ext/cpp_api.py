"""Pages of the C++ API: one for each area of headers, from their own comments, by Doxygen and breathe.

Doxygen reads copies of the headers in which each header is a group, so that a page shows what is declared in
it and nothing else. What every leaf must have for the engine (name, formula, fields, equality) is left out.
"""

import re
import shutil
import subprocess

from generated_pages import BUILD, ROOT, titled, write_pages
from plain_docstrings import escaped
from sphinx.util import logging

INCLUDE = ROOT / "include"
COPIES = BUILD / "doxygen" / "include"
XML = BUILD / "doxygen" / "xml"
logger = logging.getLogger(__name__)

# page: (title, what it holds, headers as patterns)
AREAS = {
    "mechanism": (
        "Mechanism and operators",
        "The five slots as one value, and what it becomes once it has met points.",
        "mechanism_value operator linear_map propagate partial partial_sums inflation neighbor_operator "
        "prepared_keys spectrum equilibrium many_operators step",
    ),
    "slots": (
        "The slots",
        "The list of each slot's values, and their names.",
        "metric map kernel support normalization propagation bandwidth",
    ),
    "metrics": ("Metrics", "How different are x and z? A cost; lower is closer.", "metric/*"),
    "maps": ("Maps of points", "What a mapped metric compares points through.", "map/*"),
    "kernels": ("Kernels", "What weight does a cost earn?", "kernel/*"),
    "supports": ("Supports", "Who may speak to whom?", "support/*"),
    "normalizations": ("Normalizations", "Which scalings l and r?", "normalization/*"),
    "propagations": ("Propagations", "What is done with the operator?", "propagation/*"),
    "methods": (
        "Methods",
        "One function, one struct of options and one fitted struct for each.",
        "algorithms/* algorithms/parts/* neighbors kmeans select_bandwidth class_labels",
    ),
    "gradients": (
        "Derivatives",
        "What a loss asks of everything that makes P.",
        "gradient gradient_through graph_steps",
    ),
    "nn": ("likewise::nn", "Layers that learn, their training, and their files.", "nn/*"),
    "running": (
        "Running, errors, types",
        "Threads, memory, progress; what is thrown; the arrays.",
        "execution error convergence types version simd_target",
    ),
}
# Parts of the engine that no page shows: they are public because public headers need them.
INNER = {"kernel/formula", "metric/feature_term", "link_check", "shared", "value", "likewise", "mechanism"}
INNER |= {"neighbor_count", "undivided_rows", "metric/score_activation", "support/groups"}

DOXYFILE = """
PROJECT_NAME = likewise
INPUT = {copies}
RECURSIVE = YES
FILE_PATTERNS = *.hpp
OUTPUT_DIRECTORY = {folder}
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
EXTRACT_ALL = YES
MARKDOWN_SUPPORT = NO
AUTOLINK_SUPPORT = NO
HAVE_DOT = NO
INCLUDE_GRAPH = NO
EXCLUDE_SYMBOLS = *detail* *each_option*
SORT_MEMBER_DOCS = NO
QUIET = YES
WARN_IF_UNDOCUMENTED = NO
WARN_IF_DOC_ERROR = NO
"""
# What every leaf repeats for the engine: its name, formula and fields, equality member by member.
REPEATED = re.compile(
    r"^ *static constexpr const char\* (?:name|formula)\b[^;]*;[ \t]*\n"
    r"|^ *bool operator==\([^)]*\) const = default;[ \t]*\n",
    re.M,
)
FORWARD = re.compile(r"^(?:template <class T> )?(?:class|struct) \w+;\n", re.M)
# A member whose default names fields, which Sphinx does not parse: told in words.
DESIGNATED = re.compile(r"^( +)([\w:<> ]+) = (\{\s*\.[^;]*\});", re.M)
FIELDS = re.compile(r"^ *static constexpr auto fields\(\) ", re.M)


def without_fields(text):
    """Without the function fields(), whose body may go over lines."""
    found = FIELDS.search(text)
    while found:
        end, depth = found.end(), 0
        while True:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        text = text[: found.start()] + text[end:].lstrip("\n")
        found = FIELDS.search(text)
    return text


def headers():
    """Every public header, without include/likewise and the ending."""
    return sorted(str(p.relative_to(INCLUDE / "likewise"))[:-4] for p in INCLUDE.rglob("*.hpp"))


def headers_of(patterns):
    found = []
    for pattern in patterns.split():
        wanted = re.compile(pattern.replace("*", "[^/]+") + "$")
        found += [header for header in headers() if wanted.match(header) and header not in found]
    return [header for header in found if header not in INNER]


def purpose(header):
    """The comment at the top of a header, or of its first struct: what the header is for."""
    text = (INCLUDE / "likewise" / f"{header}.hpp").read_text(encoding="utf-8")
    top = re.match(r"((?:// ?.*\n)+)", text) or re.search(r"((?:^/// .*\n)+)", text, re.M)
    words = re.sub(r"^/{2,3} ?", "", top[1], flags=re.M).split("\n") if top else [""]
    return " ".join(words).strip().split(". ")[0].rstrip(".")


def group(header):
    return "header_" + header.replace("/", "_")


def copy_of(text, header):
    """The header as Doxygen reads it: in a group, without what repeats, comments as plain text."""
    begin = f"/** @defgroup {group(header)} {header}\n * @{{ */\n"
    text = re.sub(r"^namespace likewise(?:::\w+)* \{\n", lambda m: m[0] + begin, text, count=1, flags=re.M)
    text = re.sub(
        r"^\}  // namespace likewise(?:::\w+)*\n", lambda m: "/** @} */\n" + m[0], text, count=1, flags=re.M
    )
    text = FORWARD.sub("", without_fields(REPEATED.sub("", text)))
    text = DESIGNATED.sub(_told, text)
    return re.sub(r"(///<?)(.*)", lambda m: m[1] + _plain(m[2]), text)


def _told(member):
    """A member without its default, which its comment tells."""
    indent, declared, default = member.groups()
    return f"{indent}/// By default {' '.join(default.split())}\n{indent}{declared};"


def _plain(comment):
    """A comment in which nothing is a command, a tag or a link for Doxygen; `x` stays code."""
    comment = (
        re.sub(r"([\\@#%])", r"\\\1", comment).replace("<", "\\<").replace(">", "\\>").replace("&", "\\&")
    )
    return re.sub(r"`([^`]+)`", lambda m: f"<tt>{m[1]}</tt>", comment)


def run_doxygen():
    """The XML of all headers; False where there is no Doxygen."""
    if not shutil.which("doxygen"):
        return False
    shutil.rmtree(COPIES.parent, ignore_errors=True)
    for header in headers():
        target = COPIES / "likewise" / f"{header}.hpp"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (INCLUDE / "likewise" / f"{header}.hpp").read_text(encoding="utf-8")
        target.write_text(copy_of(text, header), encoding="utf-8")
    settings = DOXYFILE.format(copies=COPIES, folder=COPIES.parent)
    subprocess.run(["doxygen", "-"], input=settings, text=True, check=True, capture_output=True)
    return True


def _area(title, about, patterns, described):
    lines = [*titled(title), about, ""]
    for header in headers_of(patterns):
        lines += [*titled(f"{header}.hpp", "-"), f"``#include <likewise/{header}.hpp>``", ""]
        if described and (XML / f"group__{group(header).replace('_', '__')}.xml").exists():
            lines += [
                f".. doxygengroup:: {group(header)}",
                "   :content-only:",
                "   :members:",
                "   :undoc-members:",
                "",
            ]
        else:
            lines += [
                ".. literalinclude:: " + f"../../../include/likewise/{header}.hpp",
                "   :language: cpp",
                "",
            ]
    return "\n".join(lines)


def _index():
    lines = [
        *titled("C++"),
        "``#include <likewise/likewise.hpp>`` is everything. Each header is described by its own comments.",
        "",
    ]
    for page, (title, about, patterns) in AREAS.items():
        lines += [
            *titled(title, "-"),
            f":doc:`{about} <{page}>`",
            "",
            ".. list-table::",
            "   :widths: 40 60",
            "",
        ]
        for header in headers_of(patterns):
            lines += [f"   * - ``{header}.hpp``", f"     - {escaped(purpose(header)) or chr(92) + ' '}"]
        lines.append("")
    lines += [".. toctree::", "   :hidden:", "", *("   " + page for page in AREAS), ""]
    return "\n".join(lines)


def generate(app, config):
    for header in sorted(left_out()):
        logger.warning("include/likewise/%s.hpp has no place in docs/_ext/cpp_api.py", header)
    described = run_doxygen()
    if not described:
        logger.info("no doxygen: the C++ pages show the headers as they are")
    pages = {f"{page}.rst": _area(*said, described) for page, said in AREAS.items()}
    write_pages("api/cpp", pages | {"index.rst": _index()})


def left_out():
    """Headers that no page shows."""
    shown = {header for _, _, patterns in AREAS.values() for header in headers_of(patterns)}
    return set(headers()) - shown - INNER


def setup(app):
    app.connect("config-inited", generate)
    return {"parallel_read_safe": True}
