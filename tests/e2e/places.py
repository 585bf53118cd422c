"""Where a test puts its models, cache and sets, and the SET.yaml that names them."""

import json
import pathlib

import tiny_models

RUNTIME = "onnx_trt_ep"
CPU = ("--runtime", RUNTIME, "--set", "execution_provider=cpu")


class Place:
    """One test's folders, and the files it asks for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.models = self.folder / "models"
        self.cache = self.folder / "cache"
        self.sets = self.folder / "sets"
        self.models.mkdir(exist_ok=True)

    def current(self):
        """The folder of the set that CURRENT names."""
        return self.sets / (self.sets / "CURRENT").read_text("ascii").strip()

    def set_yaml(self, networks, name="SET.yaml", **fields):
        return write_set_yaml(self.folder / name, networks, **fields)

    def provision_arguments(self, yaml):
        return ("provision", yaml, "--out", self.sets, "--cache", self.cache)


def write_set_yaml(path, networks, **fields):
    """SET.yaml as JSON, which YAML contains. Paths of models are made absolute."""
    document = {"runtime": RUNTIME, "execution_provider": "cpu", **fields, "networks": networks}
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}, default=str, indent=1) + "\n",
                    encoding="ascii")
    return path


def tiny_networks(models):
    """Three networks: two alike enough to be mistaken for each other, one data-dependent."""
    return [
        {"name": "add_relu", "onnx": tiny_models.add_relu(models / "add_relu.onnx"), "precision": "fp32"},
        {"name": "several", "onnx": tiny_models.several(models / "several.onnx"), "precision": "fp32"},
        {"name": "non_zero", "onnx": tiny_models.non_zero(models / "non_zero.onnx"), "precision": "fp32",
         "max_output_shapes": {"where": "1x16"}},
    ]
