"""What a training leaves behind besides the model: its losses, and what was measured on the way."""


class History(list):
    """The loss at each step (nats), as a list; `measured[name]` holds (step, value) pairs. `show.history` draws it."""

    def __init__(self, losses=(), measured: dict[str, list[tuple[int, float]]] | None = None):
        super().__init__(losses)
        self.measured = {} if measured is None else measured

    def __repr__(self) -> str:
        if not self:
            return "History(no steps)"
        last = [f"{name} {pairs[-1][1]:.3g}" for name, pairs in self.measured.items() if pairs]
        return f"History({', '.join([f'{len(self)} steps', f'loss {self.tail():.3g}', *last])})"

    def tail(self, steps: int = 10) -> float:
        """The mean loss of the last steps: a single batch's loss jumps about."""
        if not self:
            raise ValueError("There is no loss yet: train for at least one step.")
        last = self[-steps:]
        return sum(last) / len(last)

    def measure(self, step: int, values: dict[str, float]) -> None:
        """Keep what was measured after `step` steps."""
        for name, value in values.items():
            self.measured.setdefault(name, []).append((step, float(value)))
