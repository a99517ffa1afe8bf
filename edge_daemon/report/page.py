"""The report's page around its frames, as HTML; nothing in here touches a file."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping

from edge_daemon.core.records import Verdict
from edge_daemon.report.colours import class_hex
from edge_daemon.report.entries import chip
from edge_daemon.report.tally import SEVERITIES, Cell, Lane, Tally
from edge_daemon.report.wording import name, reason_words, share, text

_BUTTONS = (Verdict.DEFECTIVE, Verdict.NOT_INSPECTED, Verdict.CLEAN)
_DENSE_FRAMES = 2000
VERDICT_NAMES: Mapping[Verdict, str] = {
    Verdict.CLEAN: "clean",
    Verdict.DEFECTIVE: "defective",
    Verdict.NOT_INSPECTED: "not inspected",
}


def head(title: str, *, css: str, script: str) -> str:
    """Beginning of the page up to its body; only its own style, script and pictures may load."""
    policy = (
        "default-src 'none'; img-src 'self' file:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(css)}'; script-src '{_hash(script)}'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{css}</style>\n</head>\n"
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def class_rules(class_ids: Iterable[int]) -> str:
    """Style rules that give each class its colour."""
    return "".join(f".c{number}{{--class:{class_hex(number)}}}\n" for number in class_ids)


def masthead(title: str, facts: Mapping[str, str], *, complete: bool) -> str:
    """Title, what it was made with, and whether the run came to its end."""
    listed = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    note = (
        "" if complete else '<p class="notice bad">The run was broken off; the rest is missing.</p>'
    )
    return f"<header>\n<h1>{text(title)}</h1>\n<dl class=facts>{listed}</dl>\n{note}</header>\n"


def figures(tally: Tally) -> str:
    """The numbers at the head of the page."""
    tiles = [
        _tile("frames", f"{tally.frames:,}", "received or missed"),
        _verdict_tile(tally, Verdict.CLEAN),
        _verdict_tile(tally, Verdict.DEFECTIVE),
        _verdict_tile(tally, Verdict.NOT_INSPECTED),
        _tile("coverage", share(tally.inspected, tally.frames), "of all frames were inspected"),
    ]
    return (
        f'<section aria-label="Summary">\n{_coverage_note(tally)}<div class=tiles>'
        f"{''.join(tiles)}</div>\n<div class=tables>{_defect_table(tally)}"
        f"{_reason_table(tally)}</div>\n</section>\n"
    )


def _coverage_note(tally: Tally) -> str:
    blind = tally.verdicts[Verdict.NOT_INSPECTED]
    if not tally.frames:
        return '<p class="notice bad">There were no frames: nothing was inspected.</p>\n'
    if blind:
        count = f"{blind:,} of {tally.frames:,}"
        return (
            f'<p class="notice bad"><b>{count} frames were not inspected.</b> '
            "Nobody has looked at that part of the strip; it is not clean.</p>\n"
        )
    return '<p class="notice good">Every frame was inspected.</p>\n'


def _verdict_tile(tally: Tally, verdict: Verdict) -> str:
    count = tally.verdicts[verdict]
    detail = f"{share(count, tally.frames)} of frames"
    return _tile(VERDICT_NAMES[verdict], f"{count:,}", detail, verdict.value)


def _tile(label: str, figure: str, detail: str, kind: str = "") -> str:
    return (
        f'<div class="tile {kind}"><span>{label}</span><b>{figure}</b><small>{detail}</small></div>'
    )


def _defect_table(tally: Tally) -> str:
    counts = tally.defects()
    rows = []
    for class_id, class_name in sorted(tally.class_names.items()):
        by_severity = [counts[class_id, severity] for severity in SEVERITIES]
        cells = "".join(f"<td>{n or '&middot;'}</td>" for n in by_severity)
        rows.append(
            f"<tr><th scope=row>{chip(class_id, class_name)}</th>{cells}"
            f"<td><b>{sum(by_severity)}</b></td></tr>"
        )
    if not rows:
        return "<div class=panel><h2>Defects</h2><p>None was found.</p></div>"
    heads = "".join(f"<th scope=col>{severity}</th>" for severity in SEVERITIES)
    return (
        "<div class=panel><h2>Defects</h2><table class=counts><thead><tr><th scope=col>class</th>"
        f"{heads}<th scope=col>all</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "<p class=hint>A defect that runs over several frames counts once.</p></div>"
    )


def _reason_table(tally: Tally) -> str:
    if not tally.reasons:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{text(reason_words(reason))} <code>{text(reason)}</code></th>"
        f"<td>{count}</td></tr>"
        for reason, count in sorted(tally.reasons.items(), key=lambda item: (-item[1], item[0]))
    )
    return (
        "<div class=panel><h2>Not inspected</h2><table class=counts><thead><tr>"
        "<th scope=col>reason</th><th scope=col>frames</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def map_head(*, frames: int, per_cell: int) -> str:
    """Beginning of the map along the line, with its legend."""
    dense = " class=dense" if frames > _DENSE_FRAMES else ""
    each = "a frame" if per_cell == 1 else f"{per_cell} frames"
    keys = "".join(
        f'<li><i class=cell data-v="{verdict.value}"></i>{VERDICT_NAMES[verdict]}</li>'
        for verdict in Verdict
    )
    return (
        "<section id=map>\n<h2>Along the line</h2>\n"
        f"<ul class=legend><li>each cell is {each}</li>{keys}</ul>\n"
        f"<div id=lanes{dense}>\n"
    )


def lane_head(lane: Lane) -> str:
    """Beginning of one camera's way over one coil."""
    parts = [p for p in (lane.coil, lane.camera) if p is not None] or ["camera unknown"]
    label = " &middot; ".join(name(part) for part in parts)
    return f"<div class=lane><h3>{label}</h3><div class=cells>"


def map_cell(cell: Cell, class_names: Mapping[int, str], *, listed: bool) -> str:
    """A cell; a link where its frame is on the page."""
    look = cell.look
    found = [class_names[class_id] for class_id in look.class_ids]
    reasons = [reason_words(reason) for reason in look.reasons]
    verdicts = [VERDICT_NAMES[v] for v in Verdict if v in look.verdicts]
    which = "missing" if cell.frame is None else f"frame {cell.frame}"
    title = text(f"{which}: {', '.join((*verdicts, *found, *reasons))}")
    values = " ".join(v.value for v in Verdict if v in look.verdicts)
    classes = " ".join(map(str, look.class_ids))
    link = f' href="#f{cell.frame}"' if listed and cell.frame is not None else ""
    return f'<a class=cell{link} data-v="{values}" data-c="{classes}" title="{title}"></a>'


def filters(class_names: Mapping[int, str]) -> str:
    """Buttons that show a part of the frames."""
    verdicts = "".join(
        f'<button type=button data-v="{value}" aria-pressed={pressed}>{label}</button>'
        for value, label, pressed in (
            ("", "all", "true"),
            *((v.value, VERDICT_NAMES[v], "false") for v in _BUTTONS),
        )
    )
    classes = "".join(
        f'<button type=button class="c{n}" data-c="{n}" aria-pressed=false>{text(label)}</button>'
        for n, label in sorted(class_names.items())
    )
    return (
        '<nav id=filters aria-label="Filter" hidden>\n'
        f"<div class=group>{verdicts}</div>\n<div class=group>{classes}</div>\n"
        "<div class=group><input id=search type=search placeholder="
        '"name, coil" aria-label="Search by name or coil">\n'
        '<select id=order aria-label="Order"><option value=line>along the line</option>'
        "<option value=severity>worst first</option></select>\n"
        "<label><input id=marks type=checkbox checked> marks</label></div>\n"
        "<output id=shown></output>\n</nav>\n"
    )


def tail(script: str) -> Iterator[str]:
    """End of the page."""
    yield "<footer>A frame is clean only if the network has looked at it.</footer>\n"
    yield f"<script>{script}</script>\n</body>\n</html>\n"
