"""A trace as skua-flight --trace writes it (docs/formats/trace.md): read strictly, asked for spans and who is in whom."""

import collections
import json

NS_ROUNDED = 0.002  # microseconds: begin and length are each rounded to a nanosecond


class Span:
    """From `begin` to `end`, in microseconds, on thread `tid`; `inner` are those directly within it, in their order."""

    def __init__(self, event):
        self.name, self.category, self.args = event["name"], event["cat"], event.get("args", {})
        self.tid, self.begin = event["tid"], event["ts"]
        self.end, self.inner = event["ts"] + event["dur"], []

    def holds(self, other):
        return self.tid == other.tid and self.begin <= other.begin + NS_ROUNDED and other.end <= self.end + NS_ROUNDED

    def below(self, name):
        """All of this name within it, at any depth."""
        return [found for span in self.inner for found in ([span] if span.name == name else []) + span.below(name)]


def events_up_to_a_cut(text):
    """Of a program that was killed: the kernel may have cut its last write, so the last line may be a piece."""
    lines = text.split("\n")[1:]  # behind the "["
    try:
        json.loads(lines[-1].rstrip(","))
    except (IndexError, json.JSONDecodeError):
        lines = lines[:-1]
    return [json.loads(line.rstrip(",")) for line in lines]


class Trace:
    """`roots`: the outermost spans of each thread, in their order. An end is only missed where `is_whole` is False."""

    def __init__(self, path, is_whole=True):
        text = path.read_text("ascii")
        assert text.endswith("\n]\n") or not is_whole, text[-200:]
        self.events = json.loads(text) if text.endswith("\n]\n") else events_up_to_a_cut(text)
        self.spans = [Span(event) for event in self.events if event["ph"] == "X"]
        self.threads = {e["tid"]: e["args"]["name"] for e in self.events if e["ph"] == "M" and e["name"] == "thread_name"}
        self.roots = collections.defaultdict(list)
        self._nest()

    def _nest(self):
        """Each span into the innermost one that holds it. Two of a thread that overlap without that are an error."""
        for tid in {span.tid for span in self.spans}:
            open_spans = []
            for span in sorted((s for s in self.spans if s.tid == tid), key=lambda s: (s.begin, -s.end)):
                while open_spans and open_spans[-1].end <= span.begin + NS_ROUNDED and not open_spans[-1].holds(span):
                    open_spans.pop()
                assert not open_spans or open_spans[-1].holds(span), (vars(open_spans[-1]), vars(span))
                (open_spans[-1].inner if open_spans else self.roots[tid]).append(span)
                open_spans.append(span)

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def ended(self):
        (last,) = [event for event in self.events if event["name"] == "trace_ended"]
        return last["args"]
