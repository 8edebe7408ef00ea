"""Ctrl-C, or a scheduler's SIGTERM, between two training steps."""

import signal
import threading

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StopRequest:
    """Ctrl-C or SIGTERM asks for a stop after the step in progress; a second one stops at once."""

    def __init__(self) -> None:
        self.reason = ""
        """Who asked, in words; empty while nobody has."""

    def __enter__(self) -> "StopRequest":
        # Signal handlers belong to the main thread; elsewhere nobody presses Ctrl-C.
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _NAMES}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, _: object) -> None:
        self.reason = _NAMES[signal.Signals(number)]
        signal.signal(number, signal.default_int_handler)
