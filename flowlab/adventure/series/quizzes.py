"""The quizzes: three questions a part, each a prediction, each answered by what a notebook measures.

Here: data. The invariant: a quiz stands in the last notebook of its part.
"""

from collections.abc import Mapping

from flowlab.adventure.quizzes import Question, asked
from flowlab.errors import SettingError

PLACES: Mapping[str, str] = {
    "measure": "02_login_crawl_parse",
    "wait-and-work": "06_hazards",
    "wire-and-bound": "10_energy",
}
"""By quiz, the notebook it stands in."""

QUIZZES: Mapping[str, tuple[Question, ...]] = {
    "measure": (
        asked(
            "A step takes 400 ms of wall time and 20 ms of CPU time on an idle machine. A program does it 50 times, "
            "one after the other. What shortens the program most?",
            "00_start_here",
            "b",
            ("a core twice as fast", "The core works for 20 of the 400 ms. Twice as fast, it saves 10 of them."),
            (
                "starting the next step while this one waits",
                "Wall time far above CPU time is waiting, and waits can overlap. Download was such a step in 00.",
            ),
            (
                "sharing the computing among all cores",
                "There is next to no computing to share: 20 of 400 ms. The cores would wait together.",
            ),
            (
                "a better algorithm inside the step",
                "It can save the 20 ms at the very most. Notebook 02 calls that the ceiling of a remedy.",
            ),
        ),
        asked(
            "Downloading takes 50 % of a job's time, parsing 30 %, computing 20 %. You find a parser that takes no "
            "time at all. How many times as fast is the job?",
            "02_login_crawl_parse",
            "c",
            ("3.33 times", "That is 1 / 0.3. What counts is what is left: 1 / (1 - 0.3)."),
            ("1.3 times", "30 % of the time is saved, so 70 % is left, and 1 / 0.7 is more than 1.3."),
            ("1.43 times", "70 % of the time is left, and 1 / 0.7 = 1.43: the exercise of notebook 02."),
            ("as many times as you like", "Only the parsing is. The other 70 % take as long as before."),
        ),
        asked(
            "Strategy A ran once and took 2.1 s. Strategy B ran once and took 2.0 s. Which is faster tomorrow?",
            "02_login_crawl_parse",
            "d",
            ("B, by 5 %", "So it was in one run of each. Run A twice, and it will differ from itself; by how much?"),
            ("A, since B was lucky", "It may have been. One run of each cannot tell you that either."),
            ("neither, they are equal", "Equal is a finding too, and needs a spread as much as any other."),
            (
                "that cannot be told yet",
                "One run has no spread. Notebook 02 repeats, interleaves, and counts a gain only if the noise cannot "
                "explain it.",
            ),
        ),
    ),
    "wait-and-work": (
        asked(
            "Eight pages are in memory. Eight threads parse them with a parser written in Python, on eight idle cores, "
            "in the usual build of Python (the one with a GIL). How long does it take, compared with one thread?",
            "03_threads",
            "a",
            (
                "about as long",
                "Only the thread that holds the GIL runs Python code. Notebook 03 measures threads on waiting, where "
                "they help, and on parsing, where they do not.",
            ),
            ("an eighth", "It would if they ran at the same time. The GIL lets one run Python code at a time."),
            (
                "half",
                "Nothing here comes in twos. The cores are there, but only one thread runs Python code at a time.",
            ),
            (
                "eight times as long",
                "Taking turns costs something, but far from that much: the same work is done once, by turns.",
            ),
        ),
        asked(
            "On an event loop, one coroutine parses a large page for 300 ms without an await. Meanwhile the answers to "
            "50 other coroutines arrive. What becomes of them?",
            "04_asyncio",
            "c",
            (
                "they are handled meanwhile: asyncio is parallel",
                "One loop runs one coroutine at a time. It changes to another only at an await.",
            ),
            (
                "they are lost",
                "The operating system keeps them in its buffers. Nothing is lost but time, unless a timeout passes.",
            ),
            (
                "they wait until the page is parsed",
                "The loop gets control back at the next await, 300 ms away. Notebook 04 draws it as loop lag.",
            ),
            (
                "the loop moves the parsing to a thread",
                "It never does so by itself. `asyncio.to_thread`, or a pool, is for you to ask for.",
            ),
        ),
        asked(
            "Two threads read a balance, do something that lets the other run, and write it back. Your test ran them a "
            "thousand times, and the sum was right. What follows?",
            "06_hazards",
            "b",
            (
                "there is no race",
                "The test saw some orders of the steps out of many. A race is there if any order gives a wrong sum.",
            ),
            (
                "nothing: the wrong order of steps may not have come up",
                "A race is in the code, not in the test. Notebook 06 forces the order, and then the updates are lost.",
            ),
            (
                "the GIL protects the balance",
                "It protects Python's own insides. Between the read and the write, threads may change places.",
            ),
            (
                "two threads are safe, three would not be",
                "Two are enough: both read, then both write, and one update is gone.",
            ),
        ),
    ),
    "wire-and-bound": (
        asked(
            "A source makes items far faster than their consumer takes them. The queue between them had no bound; now "
            "it holds 16. What changes over a long run?",
            "08_backpressure",
            "d",
            (
                "less memory, and less throughput",
                "The consumer was the bottleneck before, and still is: it never waits for an item.",
            ),
            (
                "more throughput, as much memory",
                "The consumer takes items no faster than before. What shrinks is the heap of items that wait.",
            ),
            ("items get lost", "A bounded queue makes the source wait. Dropping items would be another design."),
            (
                "less memory, the same throughput",
                "Little's law: what waits is arrival rate times waiting time. Notebook 08 measures both.",
            ),
        ),
        asked(
            "A job takes 8 s with 1 worker, 4.4 s with 2, 2.6 s with 4, and follows Amdahl's law. How long does it "
            "take with 64?",
            "09_scaling_laws",
            "a",
            (
                "about 0.9 s",
                "A tenth of the work is serial: 8 s x (0.1 + 0.9 / 64) = 0.91 s. No number of workers gets below "
                "0.8 s. Notebook 09 fits this on your machine.",
            ),
            ("about 0.13 s", "That is 8 s / 64. But 2 workers did not halve the time either: a part does not divide."),
            ("2.6 s, as with 4", "It flattens, but not yet at 4: most of the work still divides there."),
            (
                "about 0.5 s",
                "Halving again and again overlooks the tenth of the work that does not divide; it alone takes 0.8 s.",
            ),
        ),
        asked(
            "Two cores finish a computation in half the time that one takes, and draw twice one core's active power. "
            "The machine's idle power is drawn as long as it runs, and it sleeps afterwards. Which takes less energy?",
            "10_energy",
            "c",
            (
                "they are equal: twice the power, half the time",
                "That holds for the active power alone. The idle power comes on top, and is paid by the second.",
            ),
            (
                "one core, as fewer cores run",
                "The cores' own share is equal. The rest of the machine is on for longer.",
            ),
            (
                "two cores",
                "The active energy is equal, and the idle power is paid for half as long: race to idle. Notebook 10 "
                "also shows when it does not hold.",
            ),
            (
                "no model can tell",
                "How much, only within a band. That it is less follows: one part is equal, the other is smaller.",
            ),
        ),
    ),
}


def quiz_of(key: str) -> tuple[Question, ...]:
    """Return the questions of that quiz.

    Raises:
        SettingError: There is none; the message lists those there are.
    """
    if key not in QUIZZES:
        raise SettingError(f"there is no quiz {key!r}. Quizzes: {', '.join(QUIZZES)}")
    return QUIZZES[key]
