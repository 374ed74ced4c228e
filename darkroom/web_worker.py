"""Gunicorn's thread worker, told to end open event streams when it is told to end."""

from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from darkroom.web import end_streams


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Stops within seconds although a stream has no end of its own."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: answer what runs, then end."""
        self._end_streams()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT and SIGQUIT: end now."""
        self._end_streams()
        super().handle_quit(sig, frame)

    def _end_streams(self) -> None:
        app = getattr(self, "wsgi", None)  # absent while the application is being built
        if app is not None:
            end_streams(app)
