"""A headless Chromium, driven through its own protocol over a pipe: no driver, no package.

`--remote-debugging-pipe` speaks JSON with a zero byte after each message: commands on file
descriptor 3, answers and events on 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

REQUIRED = "MIGRATOR_TEST_REQUIRE_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Puts the two ends of the pipes where the browser expects them.
_LAUNCH = (
    "import os,sys; os.dup2(int(sys.argv[1]),3); os.dup2(int(sys.argv[2]),4);"
    "os.execvp(sys.argv[3], sys.argv[3:])"
)
PATIENCE = 60.0


def find_browser() -> str | None:
    """The browser's program; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def open_browser(program: str) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it with all its processes.

    Args:
        program: From `find_browser`.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, Path(profile))
        try:
            yield browser
        finally:
            browser.close()


class Browser:
    """A running browser."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        given = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (commands, answers)]
        command = [sys.executable, "-S", "-c", _LAUNCH, *map(str, given), program, *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in (commands, answers, *given):
            os.close(end)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ)
        self._buffer = bytearray()
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End it."""
        with suppress(OSError, RuntimeError):
            self.call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        os.close(self._read)
        os.close(self._write)

    def call(self, method: str, *, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command, and wait for its answer.

        Raises:
            RuntimeError: The browser refused it, ended or did not answer.
        """
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._next(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def await_event(self, method: str, session: str) -> dict[str, Any]:
        """The next event of a kind, which may have come in already."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for event in self.events:
                if event.get("method") == method and event.get("sessionId") == session:
                    self.events.remove(event)
                    return event
            self.events.append(self._next(deadline))

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not self._selector.select(max(deadline - time.monotonic(), 0)):
                raise RuntimeError("The browser does not answer.")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError("The browser has ended.")
            self._buffer += data
        message, _, rest = bytes(self._buffer).partition(b"\0")
        self._buffer = bytearray(rest)
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, path: Path, *, scripts: bool = True, **look: Any) -> Page:
        """Open a file in a new tab.

        Args:
            path: The file.
            scripts: Whether its scripts may run.
            **look: As `Page.look`.
        """
        page = Page(self)
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.look(**look)
        page.call("Page.navigate", url=path.resolve().as_uri())
        self.await_event("Page.loadEventFired", page.session)
        return page


class Page:
    """A tab."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the tab."""
        return self._browser.call(method, session=self.session, **params)

    def look(
        self, *, width: int = 1280, height: int = 900, scheme: str = "light", media: str = "screen"
    ) -> None:
        """Set the size of the window and what the page is shown on.

        Args:
            width, height: In CSS pixels.
            scheme: "light" or "dark".
            media: "screen" or "print".
        """
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise.

        Raises:
            AssertionError: It threw.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, name: str) -> None:
        """Press a key: "ArrowRight", "Tab", "+"."""
        text = name if len(name) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        where = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const b = e.getBoundingClientRect();"
            "return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        spot = {"x": where[0], "y": where[1], "button": "left", "clickCount": 1}
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **spot)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the page, all of it or what the window shows."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        printed = self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        return base64.b64decode(printed["data"])

    def complaints(self) -> list[str]:
        """What the console says: errors, warnings, refused loads, uncaught exceptions."""
        self.evaluate("1")  # whatever is on its way is here before the answer to this
        said = []
        for event in self._mine():
            params = event["params"]
            if event["method"] == "Log.entryAdded":
                said.append(params["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                said.append(str(params["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                said.append(f"console.{params['type']}: {params['args']}")
        return said

    def requests(self) -> list[str]:
        """Every URL that was asked for."""
        self.evaluate("1")
        return [
            event["params"]["request"]["url"]
            for event in self._mine()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _mine(self) -> list[dict[str, Any]]:
        return [event for event in self._browser.events if event.get("sessionId") == self.session]
