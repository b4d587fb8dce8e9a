"""Draws architecture.svg: the stages of graphc. Run by hand: python docs/make_picture.py"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TARGET = Path(__file__).with_name("architecture.svg")
STAGES = (
    # made of, arrow, folder, what `--stage` shows it
    ("Python function", "trace", "graphc/trace.py, graphc/numpy", ""),
    ("Graph of ops", "passes", "graphc/passes", "graph"),
    ("Graph of fusions", "lower", "graphc/loops/lower.py", "passes"),
    ("Naive loops", "schedule", "graphc/loops", "loops"),
    ("Scheduled loops", "emit", "graphc/codegen", "schedule"),
)
ENDS = (
    ("LLVM IR", "build", "object", "llvm, asm"),
    ("CUDA C", "nvcc", "cubin", "cuda"),
)
WIDTH, STEP, BOX, HEIGHT = 620, 92, 210, 44
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1b2733 }
.small { font-size: 12px; fill: #5a6b7b }
.code { font: 12px ui-monospace, monospace; fill: #5a6b7b }
.arrow { font-weight: 600; fill: #a6451c }
rect { fill: #eef4f9; stroke: #3d6b94; stroke-width: 1.5 }
rect.end { fill: #fbf1e7; stroke: #b3703a }
path { stroke: #3d6b94; stroke-width: 1.5; fill: none; marker-end: url(#head) }
.page { fill: #ffffff; stroke: none }
"""


def box(x: int, y: int, title: str, kind: str = "") -> str:
    """A rectangle with a title in its middle."""
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + BOX // 2}" y="{y + 27}" text-anchor="middle">{escape(title)}</text>'
    )


def text(x: int, y: int, words: str, kind: str) -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def picture() -> str:
    """The SVG."""
    left, parts = 40, []
    for k, (title, arrow, folder, stage) in enumerate(STAGES):
        y = 20 + k * STEP
        middle = left + BOX // 2
        parts.append(box(left, y, title))
        if stage:
            parts.append(text(left + BOX + 20, y + 27, f"--stage {stage}", "code"))
        if k < len(STAGES) - 1:
            parts.append(f'<path d="M{middle} {y + HEIGHT} V{y + STEP - 6}"/>')
        parts.append(text(middle + 12, y + HEIGHT + 22, arrow, "arrow"))
        parts.append(text(middle + 100, y + HEIGHT + 22, folder, "code"))
    y = 20 + len(STAGES) * STEP
    for k, (title, arrow, product, stage) in enumerate(ENDS):
        x = left + k * (BOX + 40)
        start = left + BOX // 2
        end = x + BOX // 2
        bottom = y - STEP + HEIGHT
        bend = f"M{start} {bottom} V{y - 6}" if k == 0 else f"M{start} {y - 16} H{end} V{y - 6}"
        parts.append(f'<path d="{bend}"/>')
        parts.append(box(x, y, title, "end"))
        parts.append(text(end + 12, y + HEIGHT + 22, f"{arrow} -> {product}", "arrow"))
        parts.append(text(end + 12, y + HEIGHT + 40, f"--stage {stage}", "code"))
    parts.append(box(left, y + STEP + 24, "Machine code in memory", "end"))
    parts.append(f'<path d="M{left + BOX // 2} {y + HEIGHT} V{y + STEP + 18}"/>')
    parts.append(
        text(
            left + BOX + 20,
            y + STEP + 42,
            "load, call: runtime/ (knows nothing of the compiler)",
            "small",
        )
    )
    parts.append(
        text(left + BOX + 20, y + STEP + 60, "kept on disk by content: graphc/cache.py", "small")
    )
    height = y + STEP + 24 + HEIGHT + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="The stages of graphc">'
        f"<style>{STYLE}</style>"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><polygon points="0,0 8,4 0,8" fill="#3d6b94"/></marker>'
        "</defs>"
        f'<rect class="page" width="{WIDTH}" height="{height}"/>' + "\n".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
