"""The engines on tape, and how a test asks them: no network, no waiting."""
from pathlib import Path

from birdornot.engines import Reply, Tape

TAPE = Path(__file__).parent.parent / "nbs" / "replies" / "engines.json"
HOST = dict(
    openverse="api.openverse.org", duckduckgo="duckduckgo.com", bing="www.bing.com", commons="commons.wikimedia.org"
)
HTML = Reply(200, "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>")


class Clock:
    "A clock that moves only when somebody sleeps"

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Engines:
    "The taped engines, but the sources named answer as told: a Reply, an exception, or a list used up in order"

    def __init__(self, **answers):
        self.answers, self.tape, self.asked = answers, Tape.load(TAPE), []

    def __call__(self, url, params=None, timeout=None):
        source = next(s for s, host in HOST.items() if host in url)
        self.asked.append(source)
        answer = self.answers.get(source)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else self.tape(url, params, timeout)


def problem(hits, source):
    return next(r["problem"] for r in hits.report if r["source"] == source)


def count(hits, source):
    return next((r["hits"] for r in hits.report if r["source"] == source), 0)
