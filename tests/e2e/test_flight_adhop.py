"""AdHoP (C3.5) in a flight, on an engine whose answer is known: so many pixels to the right, so sure."""

import numpy as np
import pytest
import torch

import flights
import programs
import tiny_torchscripts as tiny
import trees
from places import Place
from traces import Trace

SIDE = 32  # of the patch that the network sees
SHIFT = 8.0
DURATION_S = 1.0


class Refinement(torch.nn.Module):
    """reference, query [1,3,32,32] -> corner_offsets [1,4,2] (x, y), confidence [1,1]; the images decide nothing, but
    an image that is not finite would show."""

    def __init__(self, shift, confidence):
        super().__init__()
        self.offsets = torch.nn.Parameter(torch.tensor([[[shift, 0.0]] * 4]))
        self.confidence = torch.nn.Parameter(torch.tensor([[confidence]]))

    def forward(self, reference, query):
        nothing = 0.0 * (reference.mean() + query.mean())
        return self.offsets + nothing, self.confidence + nothing


IO = tiny.io_of({name: ("float32", (1, 3, SIDE, SIDE)) for name in ("reference", "query")},
                ["corner_offsets", "confidence"])


ANSWERS = {"adhop_sure": Refinement(SHIFT, 0.9), "adhop_unsure": Refinement(SHIFT, 0.4)}


def by_picture(flown):
    """The position of every frame that has one."""
    return {line["picture"]: np.array([line["x"], line["y"]]) for line in flown.lines if "tile" in line}


@pytest.fixture(scope="module", name="sets")
def sets_with_both(tmp_path_factory, flown_original):
    """The demo set with both networks."""
    place = Place(tmp_path_factory.mktemp("with_adhop"))
    place.cache = trees.copy(flown_original / "cache", place.folder / "cache")  # the demo networks are compiled already
    (place.folder / "home").mkdir()
    own = [{"name": name, "pt": tiny.save(place.models / f"{name}.pt", network, io_text=IO), "precision": "fp16"}
           for name, network in ANSWERS.items()]
    yaml = place.set_yaml([*flights.demo_networks(flown_original / "models"), *own], runtime=None, execution_provider=None)
    programs.Programs(place.folder / "home").ok(*place.provision_arguments(yaml), "--sign",
                                                 flown_original / "flight.key", "--json")
    return place.sets


@pytest.fixture(name="fly_with")
def flight_with_adhop(flight_place, sets):
    """Flies with one of them, asked on every frame."""
    def fly(name):
        flight_place.c7["flight_sets_dir"] = sets
        flight_place.components["c3_5_adhop"] = {}
        flight_place.flight_block.update(adhop_model=name, adhop_below_share=1.0, adhop_min_period_s=0.001)
        return flight_place.ok("--duration", DURATION_S, "--trace", flight_place.folder / "trace.json")
    return fly


@pytest.fixture(name="without")
def positions_without_adhop(flight_place):
    flown = flight_place.ok("--duration", DURATION_S)
    assert flown.report["refined"] == 0 and "adhop" not in flown.report["stages"]
    return by_picture(flown)


def test_a_sure_answer_moves_the_position_by_what_it_says(without, fly_with, flight_place):
    """A point of the map is seen SHIFT px further right than the matches said: the frame's centre is further left."""
    flown = fly_with("adhop_sure")
    found, refined = by_picture(flown), [line for line in flown.lines if line.get("refined")]
    assert len(refined) >= 1 and flown.report["refined"] == len(refined), flown.explain()
    assert flown.report["stages"]["adhop"]["count"] >= len(refined) and not flown.report["no_result"]
    asked = [span for frame in Trace(flight_place.folder / "trace.json").named("frame") for span in frame.below("adhop")]
    assert len(asked) == flown.report["stages"]["adhop"]["count"] and all(span.below("run") for span in asked)
    shared = [line["picture"] for line in refined if line["picture"] in without]
    assert shared
    for picture in shared:
        moved = found[picture] - without[picture]
        assert 0.9 * SHIFT < np.hypot(*moved) < 1.1 * SHIFT and moved[0] < -0.9 * SHIFT, moved  # turned and zoomed a little


def test_an_unsure_answer_changes_nothing(without, fly_with):
    flown = fly_with("adhop_unsure")
    found = by_picture(flown)
    assert flown.report["refined"] == 0 and flown.report["stages"]["adhop"]["count"] >= 1, flown.explain()
    shared = found.keys() & without.keys()
    assert shared and all((found[picture] == without[picture]).all() for picture in shared)
