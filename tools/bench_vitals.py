"""What it costs to watch: a GPT-2-shaped model plain, watched, and with its maps. `python tools/bench_vitals.py`.

Times are ratios: the plain and the watched model run in turn in one process, and the ratio is the median over the
neighbouring runs. Memory is measured in a process of its own each: the most that the run held beyond what was there
before it. Of long texts there is one run each, plain and watched, which gives both. `--record` writes all beside the
course's other recorded measurements; `--device cuda` measures on a GPU (into a file of its own), up to where its memory
ends.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LAYERS, HEADS, D_HEAD = 4, 12, 64
MODES = ("plain", "watched", "watched, rows sampled too", "maps")
CPU_LENGTHS, CUDA_LENGTHS = (1024, 2048, 4096, 8192, 16384, 32768), (4096, 32768, 131072, 262144, 524288)
LONG = 8192  # tokens; beyond, everything is run once
MAPS_UP_TO = 4096  # beyond it the maps of one run take more than 20 GB


def main() -> None:
    options = _options()
    if options.worker:
        print(json.dumps(_WORKERS[options.worker](options)))
        return
    lengths = options.lengths or (CUDA_LENGTHS if options.device == "cuda" else CPU_LENGTHS)
    began = time.perf_counter()
    rows = [row for n in lengths if (row := _row(n, options)) is not None]
    result = _about(options, began) | {"rows": rows}
    if options.record:
        name = "vitals_cost_gpu" if options.device == "cuda" else "vitals_cost"
        file = ROOT / "attn_course" / "recorded" / f"{name}.json"
        file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"Wrote {file.relative_to(ROOT)}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--lengths", type=int, nargs="+", metavar="N", help="tokens")
    parser.add_argument("--layers", type=int, default=LAYERS, help=f"of the model ({LAYERS})")
    parser.add_argument("--runs", type=int, default=3, help=f"of each length up to {LONG}; longer ones get one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="write attn_course/recorded/vitals_cost.json")
    parser.add_argument("--worker", choices=sorted(_WORKERS), help=argparse.SUPPRESS)
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--n", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _row(n: int, options) -> dict | None:
    """Time and memory at this length; None if it does not fit."""
    row = {"n": n}
    if n <= LONG or options.device == "cuda":
        row |= (_worker("layer", n, options) or {}) | (_worker("times", n, options) or {})
    for mode in _modes(n, options.device):
        found = _worker("memory", n, options, mode) or {"mb": None, "s": None}
        row[f"{_key(mode)}_mb"] = found["mb"]
        if n > LONG and options.device == "cpu":
            row[f"{_key(mode)}_s"] = found["s"]
    if "watched_ratio" not in row and row.get("plain_s") and row.get("watched_s"):
        row["watched_ratio"] = round(row["watched_s"] / row["plain_s"], 3)
    print(_line(row), flush=True)
    return row if "plain_s" in row else None


def _modes(n: int, device: str) -> list[str]:
    """What is run at this length: no maps where they would not fit, and only the question itself of long texts."""
    if device == "cuda":
        return list(MODES)
    return [mode for mode in MODES if n <= LONG or mode in ("plain", "watched") if mode != "maps" or n <= MAPS_UP_TO]


def _worker(kind: str, n: int, options, mode: str | None = None) -> dict | None:
    words = [sys.executable, __file__, "--worker", kind, "--n", str(n), "--device", options.device]
    words += ["--layers", str(options.layers), "--runs", str(options.runs), "--threads", str(options.threads)]
    words += [] if mode is None else ["--mode", mode]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{kind} at {n}: {(done.stderr.strip() or 'killed').splitlines()[-1][:100]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def _times(options) -> dict:
    """Seconds of the model, each way in turn, and the median ratios to the plain run beside it."""
    run = _model_runs(options)
    modes = _modes(options.n, options.device)
    for mode in modes:
        run(mode)  # the first run pays for what is set up once
    taken = {mode: [] for mode in modes}
    for _ in range(options.runs):
        for mode in modes:
            taken[mode].append(run(mode))
    found = {}
    for mode in modes:
        ratios = [other / plain for other, plain in zip(taken[mode], taken["plain"], strict=True)]
        found |= {f"{_key(mode)}_s": round(statistics.median(taken[mode]), 3)}
        found |= {f"{_key(mode)}_ratio": round(statistics.median(ratios), 3)}
    return found


def _memory(options) -> dict:
    """Megabytes held at most beyond what was there before the run, and its seconds."""
    import torch

    run = _model_runs(options)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        seconds = run(options.mode)
        return {"mb": round((torch.cuda.max_memory_allocated() - before) / 1e6), "s": round(seconds, 3)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = run(options.mode)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # in kilobytes, on Linux
    return {"mb": round(held * 1024 / 1e6), "s": round(seconds, 3)}


def _layer(options) -> dict:
    """One layer's attention alone, causal: the fused kernel, strips, and the questions put to the kernel."""
    import torch

    from attn_course.attention import causal, fused
    from attn_course.diagnosis.asking import asked_vitals
    from attn_course.diagnosis.streaming import streaming_vitals_of

    torch.set_num_threads(options.threads)
    generator = torch.Generator(options.device).manual_seed(0)
    shape = (1, HEADS, options.n, D_HEAD)
    q, k, v = (torch.randn(shape, generator=generator, device=options.device) for _ in range(3))
    ways = {
        "fused": lambda: fused(q, k, v, causal),
        "strips": lambda: streaming_vitals_of(q, k, None, causal, sample=0),
        "strips_and_output": lambda: streaming_vitals_of(q, k, v, causal, sample=0),
        "asked": lambda: asked_vitals(q, k, v, causal=True),
    }
    taken = {name: [] for name in ways}
    with torch.no_grad():
        for _ in range(1 + options.runs):
            for name, way in ways.items():
                taken[name].append(_seconds(way, options.device))
    return {f"layer_{name}_s": round(min(times), 4) for name, times in taken.items()}


def _model_runs(options):
    """A function: mode → the seconds of one run of the model."""
    import torch
    from transformers import GPT2Config, GPT2Model

    from attn_course.diagnosis.watch import watch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = GPT2Config(n_layer=options.layers, n_head=HEADS, n_embd=HEADS * D_HEAD, n_positions=options.n)
    model = GPT2Model(config).eval().to(options.device)
    tokens = torch.randint(0, config.vocab_size, (1, options.n), device=options.device)
    with torch.no_grad():
        model(tokens[:, :64])

    def run(mode: str) -> float:
        model.set_attn_implementation("eager" if mode == "maps" else "sdpa")
        with torch.no_grad():
            if mode in ("plain", "maps"):
                return _seconds(
                    lambda: model(tokens, use_cache=False, output_attentions=mode == "maps"), options.device
                )
            with watch(model, sample=0 if mode == "watched" else 64):
                return _seconds(lambda: model(tokens, use_cache=False), options.device)

    return run


def _seconds(work, device: str) -> float:
    import torch

    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _about(options, began: float) -> dict:
    import torch
    import transformers

    gpu = options.device == "cuda"
    return {
        "command": "python tools/bench_vitals.py --record" + (" --device cuda" if gpu else ""),
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "device": torch.cuda.get_device_name() if gpu else "CPU",
        "threads": options.threads,
        "seconds": round(time.perf_counter() - began),
        "settings": {"layers": options.layers, "heads": HEADS, "d_head": D_HEAD, "dtype": "float32", "batch": 1},
    }


def _key(mode: str) -> str:
    return mode.replace(", ", "_").replace(" ", "_")


def _line(row: dict) -> str:
    return "  ".join(f"{name} {value}" for name, value in row.items())


_WORKERS = {"times": _times, "memory": _memory, "layer": _layer}

if __name__ == "__main__":
    main()
