"""A pytest plugin: nbval runs cells as Jupyter does, in kernels that start."""

from functools import partial, wraps

from tools.kernels import with_a_kernel

START_SECONDS = 30


def pytest_configure(config):
    """Keep cells in the kernel's history, which nbval leaves empty: there IPython looks for the `;` that hides."""
    if not (config.getoption("nbval", False) or config.getoption("nbval_lax", False)):
        return
    from nbval import kernel

    def execute_cell_input(self, cell_input, allow_stdin=None):
        return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)

    kernel.RunningKernel.execute_cell_input = execute_cell_input
    kernel.start_new_kernel = _started(kernel.start_new_kernel)


def _started(start):
    """nbval's own start, tried again where a port was lost."""

    @wraps(start)
    def again(startup_timeout=START_SECONDS, **named):
        return with_a_kernel(partial(start, startup_timeout=startup_timeout, **named))

    return again
