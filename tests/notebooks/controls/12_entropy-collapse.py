"""What makes each claim of lesson 12 false."""

# In the recorded runs: a value in place of what was measured.
ROWS = "for _row in rows:\n    if {where}:\n        _row['{what}'] = {value}"
HELD = "for _row in held['rows']:\n    if _row['penalty'] == {penalty}:\n        {change}"


def recorded_as(where: str, what: str, value: str) -> str:
    return ROWS.format(where=where, what=what, value=value)


def held_as(penalty: float, change: str) -> str:
    return HELD.format(penalty=penalty, change=change)


def recorded_in_grid(where: str, loss: str) -> str:
    return f"for _row in grid['rows']:\n    if {where}:\n        _row['held_out'] = {loss}"


def elsewhere_as(remedy: str, share: str) -> str:
    return f"for _row in elsewhere:\n    if _row['remedy'] == '{remedy}':\n        _row['held_out'] = {share}"


CONTROLS = {
    "entropy-collapse.1": "first_signal.breaks = lambda losses: None",
    # A model that never forgot what it had read.
    "entropy-collapse.2": "for _row in over.rows:\n    _row['held out'] = 2.5",
    "entropy-collapse.3": "attained = dict.fromkeys(attained, 1.0)",
    # A row drawn at random for the sharpest; the sharpest for those drawn at random.
    "entropy-collapse.4": "sharpest = lambda *at: entropy_of(8 * random[0]).item()",
    "entropy-collapse.5": "random = vitals.extremal_scores(1.0, 64)[None]",
    # Rows a quarter as long could not be so sharp.
    "entropy-collapse.6": "dots = {step: (length / 4, entropy) for step, (length, entropy) in dots.items()}",
    # Alarms that ring late, never, where nothing breaks, or always as long before.
    "entropy-collapse.7": "for _row in broke:\n    _row['alarms']['max logit'][1] = _row['breaks'] - 5",
    "entropy-collapse.8": "broke[0]['alarms']['entropy'][1] = None",
    "entropy-collapse.9": "broke[0]['alarms']['gradient'][1] = None",
    "entropy-collapse.10": "calm[0]['alarms']['gradient'][1] = 50",
    "entropy-collapse.11": "for _row in broke:\n    _row['alarms']['max logit'][1] = _row['breaks'] - 100",
    "entropy-collapse.12": "broke = broke[:5]",
    "entropy-collapse.13": "calm = fast",
    "entropy-collapse.14": recorded_as("True", "collapsed", "0.5"),
    "entropy-collapse.15": recorded_as("_row['part'] == QK", "held_out", "3.1"),
    "entropy-collapse.16": recorded_as("_row['part'] == REST", "held_out", "2.3"),
    "entropy-collapse.17": recorded_as("True", "held_out", "min(_row['held_out'], 2.9)"),
    "entropy-collapse.18": recorded_as("_row['part'] == QK", "held_out", "3.1"),
    "entropy-collapse.19": recorded_as("_row['part'] == QK", "max logit", "5000.0"),
    "entropy-collapse.20": "unseen = unseen.flip(1)",
    "entropy-collapse.21": recorded_as("_row['remedy'] == 'QK-clip'", "held_out", "2.9"),
    "entropy-collapse.22": recorded_as("_row['remedy'] == 'soft-cap'", "held_out", "3.1"),
    "entropy-collapse.23": recorded_as("_row['remedy'] == 'QK-norm'", "held_out", "2.35"),
    "entropy-collapse.24": "quick['σReparam'] = [slow['none']] * 3",
    "entropy-collapse.25": recorded_as("_row['remedy'] == 'soft-cap'", "entropy", "0.5"),
    "entropy-collapse.26": "quick['soft-cap'] = [3.2] * 3",
    "entropy-collapse.27": held_as(0.3, "_row['entropy'] = 0.6"),
    "entropy-collapse.28": held_as(0.3, "_row['known']['loss'] += 0.2"),
    "entropy-collapse.29": held_as(0.3, "_row['held_out']['loss'] -= 0.3"),
    "entropy-collapse.30": held_as(1.0, "_row['held_out']['accuracy'] = 0.8"),
    "entropy-collapse.31": held_as(-0.3, "_row['held_out']['loss'] += 1.0"),
    # Sizes in the wrong order; losses that are all alike; a remedy that helps more, or harms.
    "entropy-collapse.32": "SIZES = [sizes[::-1] for sizes in SIZES]",
    "entropy-collapse.33": "SIZES = [sizes[::-1] for sizes in SIZES]",
    "entropy-collapse.34": recorded_in_grid("_row['width'] == 128", "3.5"),
    "entropy-collapse.35": recorded_in_grid("_row['remedy'] == 'QK-norm'", "2.5"),
    "entropy-collapse.36": recorded_in_grid("_row['remedy'] == 'QK-norm' and _row['lr'] == 0.1", "2.5"),
    "entropy-collapse.37": elsewhere_as("σReparam", "0.9"),
    "entropy-collapse.38": elsewhere_as("QK-norm", "0.4"),
    "entropy-collapse.39": elsewhere_as("warm-up", "0.7"),
    # A cap that is never reached; scores that stayed where it is; a sane rate.
    "entropy-collapse.40": "edge.CAP = 5000.0",
    "entropy-collapse.41": recorded_as("_row['remedy'] == 'soft-cap'", "max logit", "40.0"),
    "entropy-collapse.42": "edge.TOO_FAST = edge.SANE",
    # Queries and keys that keep their length; a gain that does not grow.
    "entropy-collapse.43": "QKNorm.asked = lambda self, q, k, v: {'q': q, 'k': k}",
    "entropy-collapse.44": "_normed = normed\nnormed = lambda gain, times=1.0: _normed(min(gain, 4.0), times)",
    "entropy-collapse.45": "over.rows[LAST]['collapsed'] = 0.0",
}
