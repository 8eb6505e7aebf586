"""Workers who stop before each call that leaves them, until a schedule lets them go on, or die there."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Semaphore, Thread, get_ident
from typing import Any, Self

from tests.world.world import WorkerDied, World

type Work = Callable[[], Any]


class Workers:
    """Those of one world, each known by its thread."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.at_work: dict[int, Worker] = {}
        call = world.call

        def stepwise(service: str, operation: str, *call_of: Any) -> Any:
            if worker := self.at_work.get(get_ident()):
                worker.boundary(f"{service} {operation}")
            return call(service, operation, *call_of)

        world.call = stepwise  # type: ignore[method-assign,assignment]  # the one door to the outside


class Worker:
    """Work in a thread of its own, which makes a call only when it is let."""

    def __init__(self, workers: "Workers", work: Work) -> None:
        self._workers = workers
        self._work = work
        self._go, self._stopped = Semaphore(0), Semaphore(0)
        self._dies = False
        self.over = False
        self.calls: list[str] = []
        self.next = ""
        """The call before which it stands."""
        self.answer: Any = None
        self.error: Exception | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stopped.acquire()

    def advance(self, calls: int = 1_000) -> None:
        """Let it make so many calls, or as many as it still has."""
        for _ in range(calls):
            if self.over:
                return
            self._go.release()
            self._stopped.acquire()

    def advance_to(self, call: str) -> None:
        """Let it go on until it stands before such a call, or to its end."""
        while not self.over and self.next != call:
            self.advance(1)

    def die(self) -> None:
        self._dies = True
        self.advance(1)

    def die_with_a_late_put(self, lands_after: float) -> None:
        """Die in the next call, which arrives at S3 later."""
        self._workers.world.crash_at(len(self._workers.world.calls) + 1, "late", lands_after)
        self.advance(1)

    def boundary(self, call: str) -> None:
        self.next = call
        self._stopped.release()
        self._go.acquire()
        if self._dies:
            raise WorkerDied(call)
        self.calls.append(call)

    def _run(self) -> None:
        self._workers.at_work[get_ident()] = self
        try:
            self.answer = self._work()
        except WorkerDied:
            pass
        except Exception as error:  # noqa: BLE001 - told to the test, which lives in another thread
            self.error = error
        finally:
            del self._workers.at_work[get_ident()]
            self.over = True
            self._stopped.release()


class Inline:
    """In place of a pool of one thread: the same work in the same order, in the caller's own."""

    def __init__(self, _: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*given))
        except BaseException as error:  # noqa: BLE001 - as the pool's threads do
            done.set_exception(error)
        return done
