"""A way to Redis that loses one reply: the command was carried out, and nobody heard of it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

_WHOLE = 65536  # our commands and replies are far smaller, and come in one piece


class LossyDoor:
    """Listens at ``path`` and passes on to ``server``; cuts one connection instead of replying."""

    def __init__(self, path: Path, server: Path) -> None:
        self.url = f"unix://{path}"
        self.lost = 0
        self._server = server
        self._lose_next = ""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]

    def lose_reply_to(self, word: str) -> None:
        """The next command that contains ``word`` gets no reply."""
        self._lose_next = word

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()
            if self._lose_next == "closing":
                return

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._server))
            while command := client.recv(_WHOLE):
                server.sendall(command)
                reply = server.recv(_WHOLE)
                if self._lose_next and self._lose_next.encode() in command:
                    self._lose_next = ""
                    self.lost += 1
                    return
                client.sendall(reply)

    @contextlib.contextmanager
    def open(self) -> Iterator["LossyDoor"]:
        self._threads[0].start()
        try:
            yield self
        finally:
            self._lose_next = "closing"
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(self._listener.getsockname())
            for thread in self._threads:
                thread.join()
            self._listener.close()
