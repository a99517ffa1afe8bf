"""The page around its parts, as HTML; nothing in here touches a file."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_daemon.report.colours import class_hex
from edge_daemon.report.wording import text
from train.report.plots import Chart, chart_html

_GLOSSARY = {
    "Dice": "Kaggle's metric: 2 |A and B| / (|A| + |B|) per strip and class, 1 where truth and "
    "prediction are both empty, and the mean of that. Most pairs are empty, so predicting nothing "
    "scores high; its score stands beside every other.",
    "positives only": "The same mean over the strips that have the class.",
    "at the original mix": "Weighted as if the strips were mixed as the configuration says they "
    "are on the line (data.defective_prior, data.class_priors).",
    "cross-fitted": "Thresholds and areas for a fifth of the held-out strips were fitted on the "
    "other four fifths: what to expect of strips that nobody has seen. Figures with a run's own "
    "thresholds, which were fitted on the same strips, flatter.",
    "clean stretches": "Clean strips put together from places without a label on held-out strips; "
    "real clean strips are few.",
    "95 % interval": "Of counted shares Wilson's; of all others the middle 95 % of the figure over "
    "1,000 drawings of the strips with replacement. It tells how much other strips would change "
    "the figure, not how much another seed would.",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: its id; letters, digits and `-`.
        title: its heading.
        parts: its HTML.
        is_run: whether it tells of one run.
    """

    anchor: str
    title: str
    parts: tuple[str, ...]
    is_run: bool = False


def page_html(
    title: str,
    facts: Mapping[str, str],
    sections: Sequence[Section],
    *,
    css: str,
    class_count: int,
    notices: Sequence[str] = (),
) -> str:
    """The whole page."""
    style = css + _class_rules(class_count)
    body = "".join(_section_html(one) for one in sections)
    return (
        f"{_head(title, style)}<body>\n{_masthead(title, facts, notices)}"
        f"{_navigation(sections)}<main>\n{body}{_glossary()}</main>\n"
        "<footer>Made by <code>python -m train report</code>; needs no network.</footer>\n"
        "</body>\n</html>\n"
    )


def charts_html(charts: Iterable[Chart]) -> str:
    """Charts side by side; those without any value are left out."""
    drawn = "".join(chart_html(chart) for chart in charts if chart.has_points)
    return f"<div class=charts>\n{drawn}</div>\n" if drawn else ""


def heading(value: str) -> str:
    """A heading within a section."""
    return f"<h3>{text(value)}</h3>\n"


def paragraph(value: str, kind: str = "") -> str:
    """A sentence or two."""
    return f'<p class="{kind}">{text(value)}</p>\n' if kind else f"<p>{text(value)}</p>\n"


def picture_html(jpeg: bytes, caption: str, description: str) -> str:
    """A picture inside the page, with what it shows above it."""
    data = base64.b64encode(jpeg).decode()
    return (
        f"<figure class=case><figcaption>{text(caption)}</figcaption>"
        '<div class=scroll tabindex=0 role=region aria-label="strip">'
        f'<img alt="{text(description)}" src="data:image/jpeg;base64,{data}"></div></figure>\n'
    )


def _head(title: str, style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{digest}'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n"
    )


def _class_rules(count: int) -> str:
    return "".join(f".c{number}{{--class:{class_hex(number)}}}\n" for number in range(1, count + 1))


def _masthead(title: str, facts: Mapping[str, str], notices: Sequence[str]) -> str:
    listed = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    told = "".join(paragraph(notice, "notice") for notice in notices)
    return f"<header>\n<h1>{text(title)}</h1>\n<dl class=facts>{listed}</dl>\n{told}</header>\n"


def _navigation(sections: Sequence[Section]) -> str:
    items = "".join(f"<li><a href=#{one.anchor}>{text(one.title)}</a></li>" for one in sections)
    return f"<nav aria-label=Contents><ul>{items}</ul></nav>\n"


def _section_html(section: Section) -> str:
    kind = " class=run" if section.is_run else ""
    heading_id = f"{section.anchor}-title"
    return (
        f"<section id={section.anchor}{kind} aria-labelledby={heading_id}>\n"
        f"<h2 id={heading_id}>{text(section.title)}</h2>\n{''.join(section.parts)}</section>\n"
    )


def _glossary() -> str:
    terms = "".join(
        f"<dt>{text(term)}</dt><dd>{text(told)}</dd>" for term, told in _GLOSSARY.items()
    )
    return f"<section id=words>\n<h2>What the words mean</h2>\n<dl>{terms}</dl>\n</section>\n"
