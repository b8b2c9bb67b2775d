"""How results show themselves in a notebook: Jupyter, Colab and whatever else speaks to IPython."""

from __future__ import annotations

import html
import io
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDTH = 100
_PRE = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:1.25;'
    "font-family:Menlo,'DejaVu Sans Mono',consolas,'Courier New',monospace\">{code}</pre>"
)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def plain_console() -> Console:
    """A console that writes plain lines where rich would use widgets: inside a notebook.

    Rich shows a spinner in a notebook through ipywidgets, and prints each line as an output of its
    own. Plain lines stay together, and need nothing.
    """
    from rich.console import Console

    if not in_notebook():
        return Console()
    # Other packages' bars, which are not shown here, ask for ipywidgets.
    warnings.filterwarnings("ignore", message="IProgress not found")
    # ipykernel sets FORCE_COLOR, which rich takes for a terminal.
    return Console(force_jupyter=False, force_terminal=False, width=_WIDTH)


def html_of(renderable: RenderableType) -> str:
    """What a terminal would show, as HTML that keeps its columns."""
    from rich.console import Console

    console = Console(
        record=True, file=io.StringIO(), width=_WIDTH, force_jupyter=False, force_terminal=True
    )
    console.print(renderable)
    return console.export_html(inline_styles=True, code_format=_PRE)


def shown_by(module: str, function: str) -> Any:
    """A `_repr_html_` for a class whose table another module makes.

    Arguments:
        module: Imported when a notebook shows an object.
        function: Of that module; called with the object, returns what rich can print.
    """

    def _repr_html_(self: Any) -> str:
        return html_of(getattr(import_module(module), function)(self))

    return _repr_html_


class NotebookBar:
    """A progress bar in one output of a notebook cell, which is updated in place.

    Arguments:
        title: What is under way.
    """

    def __init__(self, title: str) -> None:
        from IPython.display import HTML, display

        self._title = title
        self._html = HTML
        self._handle: Any = display(HTML(self._markup(0.0, "")), display_id=True)

    def update(self, share: float, words: str) -> None:
        """Show how far it is.

        Arguments:
            share: What is done, 0 to 1.
            words: What stands beside the bar.
        """
        if self._handle is not None:
            self._handle.update(self._html(self._markup(share, words)))

    def _markup(self, share: float, words: str) -> str:
        return (
            f'<div role="status"><b>{html.escape(self._title)}</b> '
            f'<progress max="1" value="{share:.4f}" style="width:16em;vertical-align:middle">'
            f"</progress> {share:.0%} <span>{html.escape(words)}</span></div>"
        )


class Drawings(list[Path]):
    """Files of figures and animations, in order. A notebook shows the pictures themselves."""

    def _repr_html_(self) -> str:
        import base64

        shown = []
        for path in self:
            kind = _KINDS.get(path.suffix.lower())
            if kind is None or not path.is_file():
                continue
            content = base64.b64encode(path.read_bytes()).decode("ascii")
            name = html.escape(path.stem)
            tag = (
                f'<video controls loop src="data:{kind};base64,{content}"></video>'
                if kind.startswith("video")
                else f'<img alt="{name}" style="max-width:100%" src="data:{kind};base64,{content}">'
            )
            shown.append(f"<figure><figcaption>{name}</figcaption>{tag}</figure>")
        return "".join(shown) or "<p>Nothing was drawn.</p>"


_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
}
