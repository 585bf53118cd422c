"""TorchScript networks that cannot be deployed: each refused for its own reason, with a sibling that is taken."""

import pytest
import torch

import bad_torchscripts as bad
import tiny_torchscripts as tiny
import trees
from places import Place
from torch_places import compiled, outputs_of, refuse, row, run

TWO_ROWS = "x:2x8:2x8:2x8"


@pytest.fixture(scope="module", name="shared")
def one_cache_for_refusals(torch_original, tmp_path_factory):
    """A cache with engines in it, which no refusal may change."""
    place = Place(tmp_path_factory.mktemp("networks"))
    trees.copy(torch_original.cache, place.cache)
    return place


# What forward() takes and gives, and what it does: words of the refusal.
REFUSED = {
    "NoForward": ("forward",),
    "Throws": ("the camera is upside down",),
    "GivesInt": ("int",),
    "GivesNone": ("Optional[Tensor]",),
    "GivesNothing": ("NoneType",),
    "GivesList": ("List[Tensor]",),
    "GivesNested": ("Tuple[Tensor, Tuple",),
    "GivesTensorAndInt": ("Tuple[Tensor, int]",),
    "GivesDictOfInts": ("Dict[str, int]",),
    "GivesNumberedDict": ("Dict[int, Tensor]",),
    "GivesComplex": ("ComplexFloat",),
    "GivesSparse": ("",),
    "TakesInt": ("'n'", "int"),
    "TakesList": ("'x'", "List[Tensor]"),
    "TakesOptional": ("'x'", "Optional[Tensor]"),
    "TakesNothing": ("at least one tensor",),
    "TakesTensorAfterDefault": ("y",),
    "RandomNumbers": ("aten::rand", "random"),
    "RandomNumbersInBranch": ("aten::randn_like",),
    "RandomNumbersInPlace": ("aten::uniform_",),
    "FunctionalDropout": ("aten::dropout", "eval()"),
    "FunctionalDropout2d": ("aten::feature_dropout", "eval()"),
    "AttendsWithDropout": ("aten::scaled_dot_product_attention",),
    "DropsInBranch": ("aten::dropout", "eval()"),
    "Prints": ("prim::Print",),
    "ReadsFile": ("aten::from_file", "gate"),
    "WritesFile": ("aten::save", "gate"),
    "ChangesInput": ("'x'", "in place"),
    "ChangesNegativeInput": ("'x'", "in place"),
    "ChangesPartOfInput": ("'x'", "in place"),
    "Counts": ("'count'",),
    "CountsLong": ("'count'",),
    "CountsAttribute": ("'count'",),
    "Remembers": ("'seen'",),
    "KeysDependOnData": ("light", "dark"),
    "RankDependsOnData": ("rank",),
    "TypeDependsOnData": ("element type",),
}


@pytest.mark.parametrize("name", REFUSED)
def test_network_that_cannot_be_deployed(skua, shared, name):
    model = tiny.save(shared.models / f"{name.lower()}.pt", getattr(bad, name)())
    refuse(skua, model, shared.cache, "model_unsupported", model, *REFUSED[name])


def test_network_that_needs_more_memory_than_there_is(skua, shared):
    model = tiny.save(shared.models / "devours.pt", bad.Devours())
    refuse(skua, model, shared.cache, "builder_memory", model, "memory", "build_memory_mb")


# Siblings: as close to a refused one as an accepted network gets.
ACCEPTED = ["MatMulRelu", "DropoutOff", "ChangesACopy", "ReadsItsCount", "TakesNumberWithDefault", "GivesOneTuple",
            "WithDropout", "WithRecurrence", "ThrowsOnNegative", "PicksPartInPlace", "WithAttention", "Negates"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_control_a_network_that_can_be(skua, place, name):
    network = getattr(tiny, name)()
    model = tiny.save(place.models / f"{name.lower()}.pt", network)
    compiled(skua, model, place.cache)
    given = abs(row())
    (found,) = outputs_of(run(skua, place.cache, {"x": given}, model=name.lower())).values()
    expected = network.eval()(torch.from_numpy(given.copy()))
    expected = expected[0] if isinstance(expected, tuple) else expected
    assert torch.allclose(torch.from_numpy(found), expected, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize("name, words, profile", [("WithDropout", "aten::dropout", None),
                                                  ("WithNorm", "aten::batch_norm", TWO_ROWS)])
def test_trace_that_was_made_in_training_mode(skua, place, name, words, profile):
    """The trace holds the training flag as a number: eval() cannot reach it any more."""
    options = {"profile": profile} if profile else {}
    module = getattr(tiny, name)()
    traced = tiny.trace(module, tiny.example(2 if profile else 1, 8), training=True)
    model = tiny.save(place.models / "traced.pt", traced)
    refuse(skua, model, place.cache, "model_unsupported", model, words, "eval()", **options)
    tiny.save(model, tiny.trace(module, tiny.example(2 if profile else 1, 8)))  # control
    compiled(skua, model, place.cache, **options)


def test_trace_that_writes_to_what_it_holds(skua, place):
    """Golden run and repetitions agree: only another lane would notice, in flight."""
    model = tiny.save(place.models / "scratch.pt", tiny.trace(bad.WritesToConstant(), tiny.example(1, 8)))
    refuse(skua, model, place.cache, "model_unsupported", model, "changes what it holds")


@pytest.mark.parametrize("name", ["WithDropout", "WithNorm"])
def test_script_in_training_mode_is_set_to_evaluation(skua, place, name):
    """Scripted, the flag is an attribute: what is compiled is the evaluated network."""
    network = getattr(tiny, name)().train()
    model = tiny.save(place.models / "scripted.pt", network)
    compiled(skua, model, place.cache, profile=TWO_ROWS)
    given = row(2, 8)
    (found,) = outputs_of(run(skua, place.cache, {"x": given}, model="scripted")).values()
    expected = network.eval()(torch.from_numpy(given))
    assert torch.allclose(torch.from_numpy(found), expected, atol=5e-3, rtol=1e-2)


def test_a_run_leaves_no_trace_in_the_next(skua, place):
    """The same input twice, another one between: what a network with a state would get wrong."""
    model = tiny.save(place.models / "net.pt", tiny.WithNorm())
    compiled(skua, model, place.cache, profile=TWO_ROWS)
    first, other = row(2, 8), 3 * row(2, 8)[::-1].copy()
    outputs = [outputs_of(run(skua, place.cache, {"x": given}, "--repeat", "5", model="net"))["output"].tobytes()
               for given in (first, other, first)]
    assert outputs[0] == outputs[2] != outputs[1]


@pytest.mark.parametrize("kind", ["half", "double", "bfloat16"])
def test_source_in_another_precision(skua, place, kind):
    """Its reference values are computed in single precision all the same; inputs are what the configuration says."""
    network = getattr(tiny.MatMulRelu(), kind)()
    model = tiny.save(place.models / "net.pt", network)
    engine = compiled(skua, model, place.cache)
    assert engine["inputs"][0]["dtype"] == "float32" and engine["proof"]["tensors.fp16"] == "1"
    (found,) = outputs_of(run(skua, place.cache, {"x": row()}, model="net")).values()
    expected = network.float()(torch.from_numpy(row()))
    assert torch.allclose(torch.from_numpy(found), expected, atol=2e-2)
