"""The words from which the demo's papers are put together: topics, names of people, comments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """What a kind of paper is about; its patterns are filled with {method}, {thing}, {quality},
    {number}.
    """

    name: str
    categories: tuple[str, ...]
    methods: tuple[str, ...]
    things: tuple[str, ...]
    qualities: tuple[str, ...]
    titles: tuple[str, ...]
    openings: tuple[str, ...]
    answers: tuple[str, ...]
    middles: tuple[str, ...]
    ends: tuple[str, ...]


_ANSWERS = (
    "We introduce {method}, which keeps {thing} {quality} with no change to the network and less "
    "than {number} % of its cost.",
    "In this paper we propose {method}, a way to make models of {thing} {quality} without a second "
    "round of training.",
    "We show that {thing} are far less {quality} than the usual tests say, and that {method} is "
    "enough to mend that.",
    "To close this gap, we present {method}, the first treatment of {thing} that is {quality} by "
    "construction.",
)
"""What is done or found: each abstract says it once."""
_MIDDLES = (
    "The main idea is to separate what is {quality} from what merely looks {quality}.",
    (
        "A short analysis shows that the error shrinks as $O(1/\\sqrt{{n}})$ with "
        "the number of examples $n$."
    ),
    "We compare {method} with six earlier ways of treating {thing}, under the same budget.",
    "Three public data sets and one of our own, of {number} thousand examples, serve as a test.",
    (
        "On {thing}, the gain over a strong baseline is {number} points, and it "
        "holds for every seed we tried."
    ),
    (
        "An ablation shows which parts matter: without the second stage the result "
        "is {number} points worse."
    ),
    "Earlier work treats all {thing} as if they were alike, and averages away what is {quality}.",
    "However, collecting {thing} by hand is slow, and what is collected is seldom {quality}.",
    (
        "The second stage reads the output of the first as a table of {number} rows, which makes "
        "it cheap to repeat and easy to inspect."
    ),
    (
        "Where the data are scarce, {method} falls back on a prior over {thing}, and the user is "
        "told so."
    ),
    (
        "Annotators with and without training in the field agree with its verdicts on {thing} in "
        "more than {number} of every 250 cases, about as often as they agree with each other."
    ),
    "Existing benchmarks cover {thing} only in passing, so we add {number} tasks with their keys.",
    (
        "The cost grows linearly with the length of the input, and memory stays what it was, since "
        "nothing but a running mean of the {quality} parts is kept."
    ),
    (
        "Two observations explain the gain: errors on {thing} come in runs, and the first error of "
        "a run can be told from the confidence of the step before it."
    ),
    (
        "None of this needs labels at test time, and a model that was trained on one kind of "
        "{thing} can be used on another after {number} minutes of adaptation."
    ),
)
_ENDS = (
    "Code and data are released.",
    "We close with the cases that are beyond {method}, and say why.",
    "The results suggest that {thing} deserve a closer look than they have had.",
    "All experiments fit on one graphics card.",
)

TOPICS = (
    Topic(
        name="reward models",
        categories=("cs.LG", "cs.CL", "cs.AI", "stat.ML"),
        methods=(
            "margin pooling",
            "a two-sided loss",
            "rank-then-regress",
            "quiet ensembles",
            "slow distillation",
        ),
        things=("pairs of answers", "long dialogues", "step-by-step proofs", "rare preferences"),
        qualities=("calibrated", "honest", "sparse", "robust"),
        titles=(
            "A {quality} Reward Model from {number} Comparisons",
            "What Does a Reward Model Know about {thing}?",
            "Training Reward Models on {thing} with {method}",
            "When the Reward Model Is Wrong: {method} for {quality} Feedback",
            "Small Reward Models Are {quality} Enough",
        ),
        openings=(
            (
                "A reward model turns human preferences into a number, and everything "
                "after it trusts that number."
            ),
            "Reward models decide which answer a language model is taught to prefer.",
            "It is widely believed that a larger reward model is a better one.",
        ),
        answers=_ANSWERS,
        middles=_MIDDLES,
        ends=_ENDS,
    ),
    Topic(
        name="hallucination",
        categories=("cs.CL", "cs.CV", "cs.AI"),
        methods=(
            "claim-by-claim decoding",
            "a look-back head",
            "source dropout",
            "evidence voting",
        ),
        things=("radiology reports", "image captions", "legal summaries", "citations"),
        qualities=("grounded", "faithful", "certain", "supported"),
        titles=(
            "Hallucination in {thing}: Where It Begins",
            "{method} Halves Hallucination in {thing}",
            "Measuring Hallucination without a {quality} Reference",
            "Is Every Hallucination a Mistake? A Study of {thing}",
            "Less Hallucination, More {quality} {thing}: {method} in Practice",
            "A {quality} Detector of Hallucination, Trained on {number} {thing}",
        ),
        openings=(
            (
                "Hallucination, a fluent statement that nothing supports, is the main "
                "obstacle to using {thing}."
            ),
            "We study when hallucination begins, token by token, in models that write {thing}.",
            "Detectors of hallucination agree with each other less than with a coin.",
        ),
        answers=_ANSWERS,
        middles=_MIDDLES,
        ends=_ENDS,
    ),
    Topic(
        name="time series",
        categories=("cs.LG", "stat.ML", "eess.SP", "stat.ME"),
        methods=("patch mixing", "a seasonal gate", "state-space pruning", "lag attention"),
        things=("electricity loads", "river levels", "hospital admissions", "sensor readings"),
        qualities=("stationary", "irregular", "multivariate", "long"),
        titles=(
            "{method} for {quality} Time Series",
            "Forecasting {thing} as a Time Series of Events",
            "Do {quality} Time Series Need Attention?",
            "A Time Series Model that Explains Its Forecasts of {thing}",
            "Anomalies in {quality} Time Series: {method} and Its Limits",
        ),
        openings=(
            (
                "Most time series met in practice are {quality}, and most models are "
                "not made for that."
            ),
            "Time series of {thing} have gaps, jumps and two calendars.",
            "We ask how much of a time series model's skill comes from its last day of data.",
        ),
        answers=_ANSWERS,
        middles=_MIDDLES,
        ends=_ENDS,
    ),
)

AUTHORS = (
    "Ilse Varnhagen",
    "Tomáš Křivohlav",
    "Oluwaseun Adébáyò-Fálà",
    "Þórdís Hafsteinsbarn",
    "Nguyễn Thị Mai Khê",
    "Rasmus Ødegårdsvik",
    "María-José Peñarrubia",
    "Zbigniew Łąkowski",
    "Γεωργία Λυκοβούνη",
    "Мирослава Заречная",
    "青木 みどり",
    "林 望舒",
    "김하늬",
    "ليلى الصفدي",
    "Deniz Çağlayangöl",
    "Anouk Lefèvre-Marais",
    "P. Q. Harrowgate",
    "Wanjirũ Kĩmanĩ",
    "Sunniva Bjørnskau",
    "Ravindra Kolhapure",
    "Eilidh MacAskillen",
    "Jun-ho Baeksan",
)

TEAMS = (1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 9, 12, 19)
"""How many authors papers have."""
SUBTITLES = (
    ": {method}, Its {quality} Variants, and Why {thing} Need Both of Them in Practice",
    ": An Empirical Study over {number} Collections with an Appendix of Failures",
)
"""What makes a title as long as the longer ones of arXiv are."""

COMMENTS = (
    "{pages} pages, {figures} figures",
    "{pages} pages, {figures} figures, 2 tables. Comments are welcome",
    "Accepted at a workshop; {pages} pages",
    "Code: https://example.org/code/{pages}{figures}",
    "To appear in a journal; {figures} figures in colour",
)

NUMBERS = ("3", "5", "12", "17", "40", "200")
