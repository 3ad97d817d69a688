"""How many threads compute: the cores that this process may use, and that are really free.

OpenMP's threads spin while they wait for each other. If something else runs on one of their
cores, all of them wait for it, and a pass takes twice as long and more. So the tuner watches
how long passes take and looks, now and then, whether fewer or more threads are faster.
"""

from collections.abc import Callable

__all__ = ["ThreadTuner"]


class ThreadTuner:
    """Chooses the number of threads from the times of passes with equally many rows.

    The numbers it chooses from are halves of each other, and one less than all, which leaves a core
    to those who pass the tokens on. Soon after the start, and whenever passes became slow, it tries
    all of them; otherwise now and then the next one up or down, ever more rarely while that shows
    nothing better. Threads that were given up are tried again as soon as cores are idle for them,
    and ever more rarely if that does not help.

    What is compared are samples: some successive passes, and as many as last for a while, since
    what disturbs a pass disturbs its neighbours. Means are compared, not medians: on a busy machine
    it is the few very slow passes that cost the time. Only the slowest pass does not count.

    Args:
        most: Threads to choose from.
        idle: Tells how many cores were idle lately; None if it cannot tell yet.
    """

    PASSES, SECONDS = 5, 0.02
    """The least of a sample, both."""
    LOSS = 0.1
    """Of a sample: time that a trial may lose before it is given up."""
    SLOW = 2.0
    """Passes that take this many times the best mean are a reason to try all numbers."""
    FASTER = 0.9
    """A trial wins if it takes less than this part of the time."""
    SOON, RARELY = 50, 400
    """Samples between two trials, at least and at most."""
    FREE = 0.5
    """Of the cores that a trial takes in addition, the part that must have been idle."""
    LOOKS = 64
    """Looks at idle cores between two such trials, at most; at first it is one."""

    def __init__(self, most: int, idle: Callable[[], float | None]) -> None:
        self.threads = most
        self._idle = idle
        halves = [most >> shift for shift in range(most.bit_length())]
        self._levels = sorted({*halves, max(most - 1, 1)}, reverse=True)
        self.home = most
        """What it has settled on; `threads` may be a trial."""
        self._plan: list[int] = []
        self._rows = 0
        self._times: list[float] = []
        self._best = float("inf")
        self._left = 1
        self._patience = 0
        self._up = False
        self._yielded = False
        self._looks = self._looks_left = 1

    def measured(self, rows: int, seconds: float) -> int:
        """Learn from a pass of generating streams; give the threads for the next one."""
        if len(self._levels) == 1:
            return self.threads
        if rows != self._rows:
            self._forget(rows)
        self._times.append(seconds)
        count, total = len(self._times), sum(self._times)
        whole = count >= self.PASSES and total >= self.SECONDS
        if whole or (self._plan and self._is_losing(count, total)):
            time = (total - max(self._times)) / (count - 1) if whole else float("inf")
            self._times = []
            if self._plan:
                self._judge(time)
            else:
                self._look(time)
        return self.threads

    def _forget(self, rows: int) -> None:
        self.threads = self.home
        self._plan, self._times = [], []
        self._rows, self._best = rows, float("inf")

    def _is_losing(self, count: int, total: float) -> bool:
        lost = total - count * self._best
        return lost > self.LOSS * max(self.PASSES * self._best, self.SECONDS)

    def _look(self, time: float) -> None:
        """Compare a sample with earlier ones, and begin trials if there is a reason."""
        self._best = min(self._best, time)
        self._left -= 1
        slow = time > self.SLOW * self._best
        if slow or self._left <= 0:
            self._plan = self._others(every=slow or not self._patience)
        elif self._yielded and self._is_free():
            self._plan = [self._next_up()]
        else:
            return
        self._best, self.threads = time, self._plan[0]

    def _is_free(self) -> bool:
        idle = self._idle()
        if idle is None or idle < self.FREE * (self._next_up() - self.home):
            return False
        self._looks_left -= 1
        return self._looks_left <= 0

    def _next_up(self) -> int:
        return self._levels[max(self._levels.index(self.home) - 1, 0)]

    def _others(self, *, every: bool) -> list[int]:
        if every:
            return [level for level in self._levels if level != self.home]
        at = self._levels.index(self.home)
        self._up = not self._up
        up, down = self._next_up(), self._levels[min(at + 1, len(self._levels) - 1)]
        choice = up if self._up else down
        return [choice if choice != self.home else up + down - self.home]

    def _judge(self, time: float) -> None:
        """End a trial by the mean time of its passes, and begin the next one or rest."""
        if time < self.FASTER * self._best:
            self._yielded = self.threads < self._levels[0]
            self._best, self.home, self._patience = time, self.threads, 0
            self._looks = self._looks_left = 1
        elif self.threads > self.home:
            self._looks = self._looks_left = min(2 * self._looks, self.LOOKS)
        self._plan = self._plan[1:]
        if self._plan:
            self.threads = self._plan[0]
        else:
            self.threads = self.home
            self._patience = min(max(2 * self._patience, self.SOON), self.RARELY)
            self._left = self._patience
