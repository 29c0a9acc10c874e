"""Words for association tests, as published; names and occupations for proxies; and templates to read them in.

Target and attribute words of "flowers/insects", "career/family" and "science/arts" are those of Caliskan, Bryson and
Narayanan 2017, "Semantics derived automatically from language corpora contain human-like biases" (arXiv 1608.07187),
its first, sixth and eighth test. "things" is ours: twice eight household words that nothing sets apart, as a control.
The names are most of those of its third test, those of European Americans; the occupations are ours.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class WordTest:
    """Do the words of `x`, rather than those of `y`, go with `a` rather than `b`?"""

    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    sides: tuple[str, str, str, str]  # what the four sets are called


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MALE = _words("brother father uncle grandfather son he his him")
_FEMALE = _words("sister mother aunt grandmother daughter she hers her")

TESTS = {
    "flowers/insects": WordTest(
        _words(
            """aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell daffodil lilac pansy tulip
            buttercup daisy lily peony violet carnation gladiola magnolia petunia zinnia"""
        ),
        _words(
            """ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee cockroach gnat mosquito
            termite beetle cricket hornet moth wasp blackfly dragonfly horsefly roach weevil"""
        ),
        _words(
            """caress freedom health love peace cheer friend heaven loyal pleasure diamond gentle honest lucky rainbow
            diploma gift honor miracle sunrise family happy laughter paradise vacation"""
        ),
        _words(
            """abuse crash filth murder sickness accident death grief poison stink assault disaster hatred pollute
            tragedy divorce jail poverty ugly cancer kill rotten vomit agony prison"""
        ),
        ("flowers", "insects", "pleasant", "unpleasant"),
    ),
    "career/family": WordTest(
        _words("John Paul Mike Kevin Steve Greg Jeff Bill"),
        _words("Amy Joan Lisa Sarah Diana Kate Ann Donna"),
        _words("executive management professional corporation salary office business career"),
        _words("home parents children family cousins marriage wedding relatives"),
        ("men’s names", "women’s names", "career", "family"),
    ),
    "science/arts": WordTest(
        _words("science technology physics chemistry Einstein NASA experiment astronomy"),
        _words("poetry art Shakespeare dance literature novel symphony drama"),
        _MALE,
        _FEMALE,
        ("science", "arts", "male", "female"),
    ),
    "things": WordTest(
        _words("cup key lamp chair ladder mirror drum hammer"),
        _words("box door letter bottle basket wagon table blanket"),
        _MALE,
        _FEMALE,
        ("things", "other things", "male", "female"),
    ),
}

# The first is the word alone; the second is in the manner of May et al. 2019 (arXiv 1903.10561).
TEMPLATES = ("{}", "This is {}.", "{} is here.", "The word is {}.", "I thought about {} today.", "We know {}.")

NAMES = (
    _words(
        """Adam Harry Josh Roger Alan Frank Justin Ryan Andrew Fred Jack Matthew Stephen Brad Greg Paul Todd Brandon
        Hank Jonathan Peter Wilbur"""
    ),
    _words(
        """Amanda Courtney Heather Melanie Sara Amber Crystal Katie Meredith Shannon Betsy Donna Kristin Nancy Stephanie
        Ellen Lauren Peggy Colleen Emily Megan Rachel"""
    ),
)
# What sets men from women in words: pairs whose differences give a direction.
PAIRS = tuple(zip(_MALE[:6], _words("sister mother aunt grandmother daughter she"), strict=True))
OCCUPATIONS = (
    _words(
        """engineer carpenter mechanic plumber electrician soldier pilot surgeon programmer farmer butcher driver
        janitor sheriff guard"""
    ),
    _words(
        """nurse secretary librarian receptionist teacher housekeeper hairdresser cleaner dancer nanny florist therapist
        dietitian cashier designer"""
    ),
)
SAID = "The {} said that {} was late."
PRONOUNS = ("he", "she")


def read_in(template: str, words: tuple[str, ...]) -> list[str]:
    """Each word in the template's place. Raises ValueError for a template without exactly one {}."""
    if template.count("{}") != 1:
        raise ValueError(f"A template has one place for the word, {{}}; got {template!r}.")
    return [template.format(word) for word in words]
