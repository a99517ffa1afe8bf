"""One frame on the page: a card if it is defective, else a line of a list."""

from edge_daemon.core.records import FrameDefect, FrameRecord, Verdict
from edge_daemon.report.tally import SEVERITIES, severity_rank
from edge_daemon.report.wording import metres, moment, name, reason_words, text

_HEADINGS = {
    Verdict.DEFECTIVE: "Defective frames",
    Verdict.NOT_INSPECTED: "Frames not inspected",
    Verdict.CLEAN: "Clean frames",
}
# What stands before the heading, behind it and before the entries; and behind them.
_LIST_TAGS = {
    Verdict.DEFECTIVE: (("", "", "<div>"), "</div>"),
    Verdict.NOT_INSPECTED: (("", "", "<ul class=list>"), "</ul>"),
    Verdict.CLEAN: (("<details><summary>", "</summary>", "<ul class=list>"), "</ul></details>"),
}


def chip(class_id: int, class_name: str) -> str:
    """A class's name beside its colour."""
    return f'<span class="chip c{class_id}">{text(class_name)}</span>'


def card(
    source: str, record: FrameRecord, *, number: int, picture: str | None, bare: str | None
) -> str:
    """A defective frame, with its picture if it has one."""
    classes = " ".join(str(n) for n in sorted({d.class_id for d in record.defects}))
    rank = max(severity_rank(defect.severity) for defect in record.defects)
    rows = "".join(_defect_row(n, defect) for n, defect in enumerate(record.defects, 1))
    return (
        f'<article class="card entry" id=f{number} data-v=defective data-c="{classes}" '
        f"data-n={number} data-rank={rank}>\n<h3>{_frame_title(source, record, number)} "
        f'<span class="severity s{rank}">{SEVERITIES[rank]}</span></h3>\n'
        f"{_picture(number, picture, bare)}"
        "<div class=scroll><table class=defects><thead><tr><th scope=col>#</th>"
        "<th scope=col>class</th><th scope=col>severity</th><th scope=col>score</th>"
        "<th scope=col>along</th><th scope=col>across</th><th scope=col>length x width</th>"
        f"<th scope=col>area</th></tr></thead><tbody>{rows}</tbody></table></div>\n</article>\n"
    )


def _picture(number: int, picture: str | None, bare: str | None) -> str:
    if picture is None:
        return "<p class=hint>Not drawn.</p>\n"
    other = "" if bare is None else f' data-bare="{text(bare)}"'
    return (
        f'<a class=scroll href="{text(picture)}"><img loading=lazy src="{text(picture)}"{other} '
        f'alt="Frame {number} with its defects marked"></a>\n'
    )


def _defect_row(number: int, defect: FrameDefect) -> str:
    x, y, w, h = defect.bbox_xywh
    along = f"row {y}" if defect.position_mm is None else metres(defect.position_mm)
    across = f"column {x}" if defect.across_mm is None else f"{defect.across_mm:.0f} mm"
    size = f"{h} x {w} px"
    if defect.length_mm is not None and defect.width_mm is not None:
        size = f"{defect.length_mm:.1f} x {defect.width_mm:.1f} mm"
    area = f"{defect.area_px} px"
    if defect.area_mm2 is not None:
        area = f"{defect.area_mm2:.0f} mm&sup2;"
    return (
        f"<tr><td>{number}</td><td>{chip(defect.class_id, defect.class_name)}</td>"
        f"<td>{text(defect.severity)}</td><td>{defect.score:.2f}</td><td>{along}</td>"
        f"<td>{across}</td><td>{size}</td><td>{area}</td></tr>"
    )


def _frame_title(source: str, record: FrameRecord, number: int) -> str:
    """Its place on the strip where that is known, and its file's name."""
    coil = "" if record.coil is None else name(record.coil)
    place = " &middot; ".join(part for part in (coil, metres(record.position_mm)) if part)
    time = moment(record.t_ns)
    first, *others = (part for part in (place, name(source), time) if part)
    return f"<a href=#f{number}>{number}</a> {first} <small>{' &middot; '.join(others)}</small>"


def blind_row(source: str, record: FrameRecord, *, number: int) -> str:
    """A line of the list of frames that were not inspected."""
    reason = record.reason or "unknown"
    return (
        f"<li class=entry id=f{number} data-v=not_inspected data-n={number}>"
        f"{_frame_title(source, record, number)} {text(reason_words(reason))} "
        f"<code>{text(reason)}</code></li>\n"
    )


def clean_item(source: str, record: FrameRecord, *, number: int) -> str:
    """An item of the list of clean frames."""
    place = (
        f" <small>{metres(record.position_mm)}</small>" if record.position_mm is not None else ""
    )
    return (
        f"<li class=entry id=f{number} data-v=clean data-n={number}>"
        f"<a href=#f{number}>{number}</a> {name(source)}{place}</li>\n"
    )


def list_head(verdict: Verdict, count: int, listed: int) -> str:
    """Beginning of a list of frames, and what of it is left out."""
    heading = f"<h2>{_HEADINGS[verdict]} <span class=count>{count}</span></h2>"
    note = ""
    if listed < count:
        note = (
            f"<p class=hint>{listed} of them are listed; the others never came or are too many.</p>"
        )
    begin, _ = _LIST_TAGS[verdict]
    return f"<section id={verdict.value}>\n{begin[0]}{heading}{begin[1]}\n{note}{begin[2]}\n"


def list_tail(verdict: Verdict) -> str:
    """End of a list of frames."""
    _, end = _LIST_TAGS[verdict]
    return f"{end}\n</section>\n"
