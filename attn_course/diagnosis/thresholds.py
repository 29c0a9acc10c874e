"""Where something becomes a finding: every bound in one place, and where it is from.

"Ours" means that nobody has published a bound, and that this one was set on the models that come with the course.
"""

# ---- numerics ----
FLOAT16_MAX = 65504.0  # the largest finite number of IEEE 754 half precision
LOGIT_DIVERGES = 1e4  # Wortsman et al. 2023 (2309.14322): every run whose logits passed it diverged
LOGIT_LARGE = 100.0  # τ of QK-clip (Kimi Team 2025, 2507.20534), which rescales queries and keys beyond it

# ---- heads ----
SINK_SHARE = 0.3  # Gu et al. 2024 (2410.10781): ε of their sink rate
SINK_VALUE = 0.5  # ours: a sink is a place to rest if its value is below half of the others'; MiniLM's [CLS] .01–.20
REST_LEAST = 0.1  # ours: a row that keeps less than this beside its sinks rests, and says nothing about the rest
KEYS_LEAST = 8  # ours: with fewer keys to choose from, a low entropy is no news
ROWS_LEAST = 5  # ours: from fewer rows no share of rows is told
LOW = 0.05  # the share of queries below `entropy_low`
COLLAPSED = 0.05  # ours, of log n, mean of a head. The least in a sound model of the course: .09; with a shortcut: .035
COLLAPSED_HEADS = 4  # ours: from fewer heads no collapse of a model is told
COLLAPSED_SHARE = 0.5  # ours: of the heads that can be judged; single sharp heads are common and sound
RESTING = 0.7  # ours: two heads that give so much to one key are alike in that, and it means nothing
FIXED_OFFSET = 0.5  # ours: a head that gives half of its attention to one distance follows the position
OFFSET_ROWS = 0.25  # ours: a distance that fewer of the rows have a key at is not judged
OFFSET_LEAST = 8  # ours: rows with a key at a distance; from fewer it is not measured
FOLLOWING_ROWS = 16  # ours: from fewer rows no head is said to follow a distance: on 8, untrained ones do by chance
DUPLICATE_ROWS = 16  # ours: from fewer rows no two heads are called alike; the first rows have little choice
DILUTED_ROWS = 8  # ours: the same for attention that is spread over everything
SHORT = 32  # ours: on fewer queries a finding is one step less sure
DILUTED = 0.98  # ours, of log n
DUPLICATE = 0.01  # ours, bits, two standard errors included

# ---- the stream of tokens ----
RESIDUAL_COLLAPSED = 0.01  # ours; Dong et al. 2021 (2103.03404): BERT at first .42 at its end, without skips 1e-7
COSINE_COLLAPSED = 0.99  # ours
COLLAPSED_TOKENS = 8  # ours: of fewer tokens nobody can say that they became one
MASSIVE, MASSIVE_RATIO = 100.0, 1000.0  # Sun et al. 2024 (2402.17762): beyond 100 and about 1000 times the median
IDLE_BLOCK = 1e-3  # ours, 1 − cosine; Men et al. 2024 (2403.03853) order blocks by it and set no bound

# ---- gradients ----
STARVING = 1e-3  # ours: gradient of W_Q and W_K by that of W_V

# ---- trials: what the loss says when something is taken away ----
# Ours, drawn between the sick and the sound of the study, and then tested on others. In brackets: the sick one nearest
# to the bound; the sound one nearest. (3): moved or added before the third test set, when all that came before had been
# seen (182 sick, 244 sound, `study.sets`); the others have stood since the first. Costs are shares of what the model
# gained over guessing.
LEARNED = 0.08  # (3) of the loss of guessing: who gained less learned nothing that could be wrong [.12; untrained < 0]
EVICTED = 0.06  # evicting a sink costs more than this, and any other key less [.11; .025]
THIEF = 1.5  # (3) a key takes so many times what needed ones get [1.9; 1.2]: then it takes, though its value is not …
THIEF_VALUE = 1.0  # (3) … small but only smaller than others' [.59; 2.7]; SINK_VALUE missed 3 of 4 that were given .65
UNDERLOAD, UNDERLOAD_NEEDED = 0.55, 0.22  # to irrelevant tokens at least, to needed ones at most [.58, .15; .62, .24]
UNDERLOAD_RATIO = 1.1  # (3) irrelevant by needed, of a model that knows the answers [1.5; .75] …
UNDERLOAD_KNOWS = 0.75  # (3) … this of the loss of guessing gained [.999; .54]: the half-learned give noise more too …
UNDERLOAD_LEAST = 0.35  # (3) … and this to irrelevant tokens at least [.44; .41]
OVERLOAD_ENTROPY = 0.76  # of log n, in longer rows [.91; .62]
OVERLOAD_NEEDED = 0.42  # what is left there of the needed mass [.26; .63]
OVERLOAD_COST = 0.25  # and what it costs [1.3; .53]
ALIKE = 0.01  # bits: heads that are so near may be one [.0002; .055]
ALIKE_WORKING = 0.05  # (3) bits: heads that began as one and drifted a little [.037; .073] …
FOLDED = 0.05  # (3) … if one doing the work of both costs less than this [.028; .18] …
ALIKE_WORK = 0.3  # (3) … and silencing both more than this [2.5; .055]: folding heads that do little costs little
SPARED = 0.02  # what may go (one of two heads, a block, the context beyond a window) costs less [.017; .023]
WINDOW_SHARE, WINDOW_BEYOND = 0.25, 0.2  # a window is short within a quarter of the row; answers that need more
SHORTCUT = 0.4  # answers that one exchange changes [.52; .34]
SHORTCUT_RATIO = 3.0  # (3) times those of any exchange beside four kinds [4.7; 2.2]; it was 2 beside two: too few for
# three markers, of which the third made any word look like a marker
MUST_NOT = 0.2  # answers changed by a kind that was declared not to decide; not in the study
