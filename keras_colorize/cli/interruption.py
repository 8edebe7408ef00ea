"""Ctrl-C, and a scheduler's SIGTERM, as a request to stop between two steps."""

import signal
import threading

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Interruption:
    """Turns the first Ctrl-C or SIGTERM into a request to stop; the second one stops the process at once.

    Signals are handled while the object is entered as a context manager. It fits `training.reporter.StopRequest`.
    """

    def __init__(self) -> None:
        self.reason = ""
        """The name of the signal; empty while none has come."""

    def __enter__(self) -> "Interruption":
        # Python handles signals in the main thread only; elsewhere nobody presses Ctrl-C.
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _NAMES}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, _: object) -> None:
        self.reason = _NAMES[signal.Signals(number)]
        for each in _NAMES:
            signal.signal(each, signal.default_int_handler)
