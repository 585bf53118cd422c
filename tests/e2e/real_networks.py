"""The real feature network and matcher, the two photographs, and the geometry that judges their matches.

Everything is read in place from a folder beside the repository; tests write into temporary folders only.
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image
from skimage.measure import ransac
from skimage.transform import ProjectiveTransform

import programs

sys.path.insert(0, str(programs.ROOT / "models"))
import evaluate  # noqa: E402  (models/ is not a package)
import golden  # noqa: E402

FOLDER = programs.ROOT.parent / "shared" / "models"
XFEAT, LIGHTERGLUE = FOLDER / "xfeat_1024_640x360.onnx", FOLDER / "lighterglue_L3.onnx"
WIDTH, HEIGHT, KEYPOINTS, DESCRIPTOR = 360, 640, 1024, 64  # the graph's own input is [1, 3, 640, 360]: upright
MATCHER_INPUTS = {"kpts0": 2, "kpts1": 2, "desc0": DESCRIPTOR, "desc1": DESCRIPTOR}
XFEAT_BOUNDS = {"keypoints": [KEYPOINTS, 2], "scores": [KEYPOINTS], "descriptors": [KEYPOINTS, DESCRIPTOR]}
FEATURES, MATCHES = ("keypoints", "descriptors", "scores"), ("matches", "scores")  # outputs, in the graph's order
LIGHTERGLUE_BOUNDS = {"matches": [KEYPOINTS, 2], "scores": [KEYPOINTS]}


def profiles():
    """From one keypoint to all that the feature network gives, as BUILD.json wants them."""
    shapes = {name: {"min": [1, 1, width], "opt": [1, KEYPOINTS, width], "max": [1, KEYPOINTS, width]}
              for name, width in MATCHER_INPUTS.items()}
    return [{"input": name, **bounds} for name, bounds in shapes.items()]


def text(shape):
    """A shape as SET.yaml wants it."""
    return "x".join(map(str, shape))


def set_networks(matcher_golden):
    """The networks of SET.yaml. The matcher's golden values are given: on the random inputs that Skua makes by itself
    it finds a handful of matches with scores near 0, which proves little."""
    bounds = [{name: text(shape) for name, shape in one.items()} for one in (XFEAT_BOUNDS, LIGHTERGLUE_BOUNDS)]
    ranges = [{key: value if key == "input" else text(value) for key, value in one.items()} for one in profiles()]
    return [{"name": "xfeat", "onnx": XFEAT, "precision": "fp32", "max_output_shapes": bounds[0]},
            {"name": "lighterglue", "onnx": LIGHTERGLUE, "precision": "fp32", "max_output_shapes": bounds[1],
             "profiles": ranges, "golden": matcher_golden}]


# ---- pictures --------------------------------------------------------------------------------------------------------

def picture(name):
    """The whole photograph (800x600) squeezed into the network's upright input: float32 0..255 [640, 360, 3]."""
    with Image.open(FOLDER / name) as image:
        small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def warp(image, homography):
    return np.stack([evaluate.warp(image[..., i], homography) for i in range(3)], axis=-1)


def image_input(image):
    return {"images": np.ascontiguousarray(image.transpose(2, 0, 1)[None])}


# ---- running ---------------------------------------------------------------------------------------------------------

class Networks:
    """Runs networks of a flight set (or engine cache) through `skua run`, many inputs in one load."""

    def __init__(self, skua, folder, work):
        self.skua, self.folder, self.work = skua, folder, work
        self.calls = 0

    def start(self, model, runs, *more):
        """One `skua run` over the given inputs, one dictionary per run."""
        self.calls += 1
        work = self.work / f"{model}-{self.calls}"
        work.mkdir(parents=True)
        arguments = []
        for i, inputs in enumerate(runs):
            for name, array in inputs.items():
                np.save(work / f"{name}-{i}.npy", array)
                arguments += ["--input", f"{name}={work / f'{name}-{i}.npy'}"]
        return self.skua("run", self.folder, model, *arguments, "--output-dir", work / "out", *programs.UNSIGNED,
                         "--json", *more)

    def report(self, model, runs, *more):
        result = self.start(model, runs, *more)
        assert result.returncode == programs.DONE, result.stderr
        return programs.document(result)

    def run(self, model, runs):
        report = self.report(model, runs)
        assert len(report["runs"]) == len(runs)
        return [{name: np.load(file) for name, file in one["outputs"].items()} for one in report["runs"]]

    def features(self, images):
        return self.run("xfeat", [image_input(image) for image in images])

    def match(self, pairs):
        """Matches of pairs of features."""
        return self.run("lighterglue", [matcher_input(*pair) for pair in pairs])


def matcher_input(left, right):
    """Keypoints to centre 0 and longer side -1..1; a batch axis before everything."""
    inputs = {}
    for side, found in enumerate((left, right)):
        inputs[f"kpts{side}"] = evaluate.normalise_keypoints(found["keypoints"], (WIDTH, HEIGHT))[None]
        inputs[f"desc{side}"] = found["descriptors"][None]
    return {name: inputs[name] for name in MATCHER_INPUTS}  # in the graph's order


def reference(model, names, runs):
    """What ONNX Runtime's Python package computes from the source file, optimiser off, one thread."""
    function = evaluate.onnx_function(model, is_optimised=False)
    return [dict(zip(names, function(*inputs.values()), strict=True)) for inputs in runs]


def write_golden(path, inputs, outputs):
    """The file, and what SET.yaml says of it."""
    golden.write(path, [golden.GoldenTensor(role, name, values)
                        for role, tensors in ((golden.INPUT, inputs), (golden.EXPECTED, outputs))
                        for name, values in tensors.items()])
    return {"file": path, "origin": f"onnxruntime {onnxruntime.__version__} from Python, optimiser off, ref and warp"}


def write_matcher_golden(path):
    """Golden values of the matcher for ref and its copy under a known homography."""
    ref = picture("ref.png")
    pictures = ref, warp(ref, evaluate.known_homography(ref.shape[:2]))
    pair = matcher_input(*reference(XFEAT, FEATURES, [image_input(image) for image in pictures]))
    (matches,) = reference(LIGHTERGLUE, MATCHES, [pair])
    return write_golden(path, pair, matches)


# ---- judging ---------------------------------------------------------------------------------------------------------

def rows(outputs, key):
    """All outputs side by side, one row per keypoint or match, sorted by `key`, whose rows are unique: what remains of
    the outputs when the order of the rows says nothing."""
    assert len(np.unique(outputs[key], axis=0)) == len(outputs[key])
    order = np.lexsort(outputs[key].T)
    names = [key, *sorted(set(outputs) - {key})]
    return np.concatenate([outputs[name].reshape(len(order), -1)[order].astype(np.float64) for name in names], axis=1)


def check_same_rows(found, expected, key):
    assert set(found) == set(expected)
    np.testing.assert_allclose(rows(found, key), rows(expected, key), rtol=1e-3, atol=1e-4)


def matched_points(left, right, matches):
    return left["keypoints"][matches[:, 0]], right["keypoints"][matches[:, 1]]


def judge(left, right, matches, homography):
    """evaluate.score_matches for pairs of indices; each keypoint has at most one partner."""
    assert len(np.unique(matches[:, 0])) == len(np.unique(matches[:, 1])) == len(matches)
    partner = np.full(len(left["keypoints"]), -1)
    partner[matches[:, 0]] = matches[:, 1]
    return evaluate.score_matches(left["keypoints"], right["keypoints"], partner, homography)


def consensus(points0, points1, threshold_px=5.0):
    """The homography most pairs agree on, and how many do."""
    model, inliers = ransac((points0.astype(float), points1.astype(float)), ProjectiveTransform, min_samples=4,
                            residual_threshold=threshold_px, max_trials=2000, rng=0)
    return model.params, int(inliers.sum())
