"""The room stands on few packages: a machine with torch, torchvision, NumPy and SciPy can use all of it."""

import subprocess
import sys

NOT_NEEDED = (
    "albumentations", "anywidget", "cv2", "dask", "faiss", "filelock", "IPython", "ipywidgets", "joblib", "kornia", "matplotlib",
    "pandas", "platformdirs", "pycocotools", "pytorch_metric_learning", "ray", "seaborn", "skimage", "sklearn", "torchmetrics",
)  # fmt: skip

CODE = f"""
import importlib, pkgutil, sys
for name in {NOT_NEEDED!r}:
    sys.modules[name] = None  # an import of it fails
import torch
from course_utils import augment
for module in pkgutil.walk_packages(augment.__path__, "course_utils.augment."):
    importlib.import_module(module.name)
for name in augment.__all__:
    getattr(augment, name)
images = torch.rand(2, 3, 32, 32)
assert len(list(augment.corruptions.suite(images, 0, severities=[3]))) == 14
augment.fit_temperature(torch.randn(9, 3), torch.arange(9) % 3)
augment.ColorJitter(0.4, 0.4, 0.4, 0.1)(images)
"""


def test_every_module_works_without_the_other_packages_of_the_course():
    run = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", CODE], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
