"""Headless Chromium as tests need it: a page shown at a width, in light or dark, measured and
pictured.

It is driven by the DevTools protocol itself: one Debian package and one library without
dependencies.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

CHROMIUM = shutil.which("chromium")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update "
    "--disable-sync --disable-extensions --disable-dev-shm-usage --hide-scrollbars "
    "--remote-debugging-port=0"
).split()
_PATIENCE = 30.0


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser with one tab, ended with the context."""
    from websockets.sync.client import connect

    assert CHROMIUM is not None
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": profile},
        ) as process,
    ):
        try:
            with connect(
                _address(process), max_size=None, open_timeout=_PATIENCE, compression=None
            ) as socket:
                yield Browser(socket)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Where the browser listens, as it says itself."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            return found[1]
    raise AssertionError("chromium did not start")


class Browser:
    """The tab: pages are shown in it, asked, and pictured."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._calls = 0
        self._session = ""
        self._loaded = False
        self.asked: list[str] = []
        """The addresses that the page asked for, but for itself."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        self.call("Page.enable")
        self.call("Network.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call one method of the protocol, and wait for its answer."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = self._read()
            if answer.get("id") == self._calls:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self._socket.recv(timeout=_PATIENCE))
        self._loaded |= event.get("method") == "Page.loadEventFired"
        if event.get("method") == "Network.requestWillBeSent":
            self.asked.append(event["params"]["request"]["url"])
        return event

    def show(self, page: Path | str, width: int, *, dark: bool = False) -> None:
        """Open a file or an address at a width, and wait until it is there."""
        address = page if isinstance(page, str) else page.as_uri()
        self.look(width, dark=dark)
        self.asked.clear()
        with self.loading():
            self.call("Page.navigate", url=address)
        self.asked = [one for one in self.asked if one != address]

    def look(self, width: int, *, dark: bool = False) -> None:
        """Show the page that is there at a width, in light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="screen", features=[scheme])

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Wait until the page is there to which what is done here leads."""
        self._loaded = False
        yield
        while not self._loaded:
            self._read()

    def without_scripts(self) -> None:
        """Run no script of a page's from now on."""
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def key(self, key: str, code: int, text: str = "") -> None:
        """Press a key, by its name and its number in Windows."""
        event = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def tab_to(self, selector: str) -> None:
        """Press Tab until something has the focus."""
        for _ in range(100):
            if self.ask(f"document.activeElement.matches({selector!r})"):
                return
            self.key("Tab", 9)
        raise AssertionError(f"no Tab leads to {selector}")

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, file: Path, *, height: int = 0) -> None:
        """Save the whole page as PNG, or its first `height` pixels."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": height or min(size["height"], 8000),
            "scale": 1,
        }
        shot = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        file.write_bytes(base64.b64decode(shot["data"]))
