"""The 28 chapters of the course: what each asks, how long it takes, and how to spend a class hour on it.

This table is the one place where a chapter's title, question, minutes and public names are written down. The start
page, the README's table and the tests are held against it. A chapter that is finished gets ``built=True``; the tests
of ``learn.syllabus`` then demand its notebook, its names and its tests, and fail if the flag is forgotten.

Minutes are those of one reader who reads and runs the chapter once, without the exercises. The class hour is a plan
of 58 minutes for a teacher who shows the chapter to a class; its sections are prefixes of the notebook's cell ids.
"""

from __future__ import annotations

from dataclasses import dataclass

CLASS_HOUR: tuple[tuple[str, int], ...] = (
    ("title", 3),
    ("idea", 7),
    ("step", 20),
    ("claim", 8),
    ("play", 12),
    ("ex1", 8),
)
"""Sections and minutes of a class hour on a method: title with picture, idea, steps, claim, explorer, first exercise."""

FIRST_HOUR: tuple[tuple[str, int], ...] = (("title", 2), ("picture", 3), ("play", 6), ("ex1", 4))
"""The shorter plan of the start page: 15 minutes at the beginning of the first class."""

SECTION_WORDS = {
    "title": "The question, and its picture",
    "picture": "The question in a picture",
    "idea": "The idea in plain words",
    "step": "The method, step by step",
    "claim": "The paper's claim, put to the test",
    "play": "The explorer, with the class",
    "ex1": "The first exercise, together",
}
"""What happens in a section of the plan, by the prefix of its cell ids."""


@dataclass(frozen=True)
class Chapter:
    """One notebook of the course.

    Attributes
    ----------
    name : str
        File name of the notebook without its ending: ``"01_vlad"``.
    english, korean : str
        The title in both languages.
    question : str
        What the chapter answers, in one line.
    minutes_to_read, minutes_to_run : int
        For one reader, once, without the exercises. The whole notebook runs in at most 75 seconds.
    names : tuple of str
        Public names that it teaches, importable as ``course_utils.`` + name.
    plan : tuple of (str, int)
        The class hour: prefix of the sections' cell ids, and minutes.
    built : bool
        Whether the notebook exists.
    """

    name: str
    english: str
    korean: str
    question: str
    minutes_to_read: int
    minutes_to_run: int = 1
    names: tuple[str, ...] = ()
    plan: tuple[tuple[str, int], ...] = CLASS_HOUR
    built: bool = False

    @property
    def minutes(self) -> int:
        """Minutes for reading and running together."""
        return self.minutes_to_read + self.minutes_to_run

    @property
    def label(self) -> str:
        """The name in words, "05 mean average precision", which a narrow column can break."""
        return self.name.replace("_", " ")

    @property
    def link(self) -> str:
        """Address of the notebook, seen from another notebook."""
        return f"{self.name}.ipynb"


def _names(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{room}.{name}" for name in names)


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        "00_start_here",
        "Start here",
        "시작하기",
        "What is in the course, and does it run here?",
        14,
        names=_names("learn", "syllabus", "glossary", "environment"),
        plan=FIRST_HOUR,
        built=True,
    ),
    Chapter(
        "01_vlad",
        "VLAD: one vector for a place",
        "VLAD: 장소를 나타내는 하나의 벡터",
        "How do a thousand local descriptors become one vector that finds a place again?",
        49,
        names=_names("retrieval", "VLAD", "PCAWhitening", "Index", "recall_at_n"),
        built=True,
    ),
    Chapter(
        "02_netvlad",
        "NetVLAD: learning the vector from positions",
        "NetVLAD: 위치 정보만으로 학습하는 벡터",
        "Can that vector be learned from nothing but GPS positions?",
        54,
        names=_names("retrieval", "NetVLAD", "WeaklySupervisedRankingLoss", "TupleMiner"),
        built=True,
    ),
    Chapter(
        "03_delf",
        "DELF: local features worth keeping",
        "DELF: 남길 가치가 있는 지역 특징",
        "Which local features of a landmark are worth keeping, and do they agree on a geometry?",
        49,
        names=_names("retrieval", "DELF", "verify_geometry"),
        built=True,
    ),
    Chapter(
        "04_landmark_recognition",
        "Landmark recognition",
        "랜드마크 인식",
        "How is recognition scored when most queries show no landmark at all?",
        44,
        names=_names("retrieval", "global_average_precision", "mean_average_precision_at_k"),
        built=True,
    ),
    Chapter(
        "05_mean_average_precision",
        "Mean average precision",
        "평균 정밀도의 평균 (mAP)",
        "Why do two papers' mAP numbers not compare?",
        39,
        names=_names("retrieval", "average_precision", "mean_average_precision", "detection_average_precision"),
        built=True,
    ),
    Chapter(
        "06_listwise_ap_loss",
        "Listwise AP loss",
        "리스트 단위 AP 손실",
        "Can average precision itself be the loss?",
        44,
        names=("retrieval.ListwiseAPLoss", "training.multistage_backward"),
        built=True,
    ),
    Chapter(
        "07_kmeans",
        "k-means",
        "k-평균 군집화",
        "What does k-means find, and when does it cut a cluster in half?",
        39,
        names=_names("clustering", "KMeans", "scores"),
    ),
    Chapter(
        "08_mahalanobis",
        "Mahalanobis distance",
        "마할라노비스 거리",
        "What is distance when directions differ?",
        39,
        names=_names("clustering", "mahalanobis", "MahalanobisKMeans"),
    ),
    Chapter(
        "09_dimension_reduction",
        "Dimension reduction",
        "차원 축소",
        "Drop features, choose features, or make new ones?",
        44,
        names=("reduction",),
    ),
    Chapter(
        "10_tsne",
        "t-SNE",
        "t-SNE: 고차원 데이터의 시각화",
        "What may be read off a t-SNE picture, and what not?",
        44,
        names=_names("reduction", "TSNE", "trustworthiness", "neighbourhood_recall"),
    ),
    Chapter(
        "11_mining_on_manifolds",
        "Mining on manifolds",
        "다양체 위의 표본 마이닝",
        "Who is a positive when nobody gives labels?",
        44,
        names=_names("metric_learning", "ManifoldMiner", "ContrastiveLoss"),
    ),
    Chapter(
        "12_stml",
        "STML: self-taught metric learning",
        "STML: 레이블 없이 스스로 배우는 거리 학습",
        "Can a network teach itself a metric?",
        49,
        names=_names("metric_learning", "STML"),
    ),
    Chapter(
        "13_colour_and_space",
        "Colour and space",
        "색상 변환과 공간 변환",
        "Which changes keep the label, and what happens to boxes and masks?",
        49,
        names=_names(
            "augment",
            "GaussianBlur",
            "MotionBlur",
            "BrightnessJitter",
            "ContrastJitter",
            "SaturationJitter",
            "ISONoise",
            "JPEGCompression",
            "Flip",
            "Rotation",
            "RandomCrop",
            "Affine",
        ),
        built=True,
    ),
    Chapter(
        "14_erasing",
        "Erasing",
        "지우기 기반 증강",
        "Why does hiding parts of a picture help?",
        44,
        names=_names("augment", "RandomErasing", "Cutout", "HideAndSeek"),
        built=True,
    ),
    Chapter(
        "15_mixing",
        "Mixing",
        "혼합 기반 증강",
        "What is the label of half a cat and half a dog?",
        49,
        names=_names("augment", "SamplePairing", "MixUp", "mixed_example", "ManifoldMixup"),
        built=True,
    ),
    Chapter(
        "16_cutting_and_pasting",
        "Cutting and pasting",
        "잘라 붙이기 기반 증강",
        "What if the halves are pasted and not blended?",
        44,
        names=_names("augment", "RICAP", "Mosaic", "CutMix", "SmoothMix"),
        built=True,
    ),
    Chapter(
        "17_patchshuffle_and_augmix",
        "PatchShuffle and AugMix",
        "PatchShuffle과 AugMix",
        "How does a model get used to damage that it never saw?",
        44,
        names=_names("augment", "PatchShuffle", "AugMix", "JensenShannonLoss"),
        built=True,
    ),
    Chapter(
        "18_does_it_help",
        "Does it help?",
        "증강은 정말 도움이 될까?",
        "Which augmentation helps on *my* pictures?",
        49,
        names=("evidence.affinity", "evidence.diversity", "augment.corruptions"),
        built=True,
    ),
    Chapter(
        "19_gan_augmentation",
        "GAN augmentation",
        "GAN을 이용한 데이터 증강",
        "Can generated pictures replace real ones?",
        49,
        names=_names("generative", "DCGAN", "ACGAN"),
    ),
    Chapter(
        "20_singan",
        "SinGAN",
        "SinGAN: 이미지 한 장에서 배우는 생성 모델",
        "What can be learned from a single picture?",
        44,
        names=_names("generative", "SinGAN"),
    ),
    Chapter(
        "21_gangealing",
        "GANgealing",
        "GANgealing: GAN으로 감독하는 밀집 정렬",
        "Can a generator align a whole class of pictures?",
        49,
        names=_names("generative", "GANgealing"),
    ),
    Chapter(
        "22_autoaugment",
        "AutoAugment",
        "AutoAugment: 증강 정책의 탐색",
        "Can a search write the augmentation policy?",
        44,
        names=_names("policy", "AutoAugmentSearch", "Policy"),
    ),
    Chapter(
        "23_population_based",
        "Population Based Augmentation",
        "개체군 기반 증강 (PBA)",
        "Can the policy change while the network learns?",
        44,
        names=_names("policy", "PopulationBasedSearch"),
    ),
    Chapter(
        "24_fast_autoaugment",
        "Fast AutoAugment",
        "Fast AutoAugment: 밀도 정합을 이용한 빠른 탐색",
        "Can the search be a hundred times cheaper?",
        44,
        names=_names("policy", "FastAutoAugmentSearch"),
    ),
    Chapter(
        "25_differentiable",
        "Differentiable augmentation search",
        "미분 가능한 증강 탐색",
        "Can a policy have a gradient?",
        44,
        names=_names("policy", "DADASearch"),
    ),
    Chapter(
        "26_search_free",
        "Search-free augmentation",
        "탐색이 필요 없는 증강",
        "Is the search needed at all?",
        39,
        names=_names("policy", "RandAugment", "UniformAugment", "TrivialAugment"),
    ),
    Chapter(
        "27_deepaugment_and_shootout",
        "DeepAugment, and the comparison of all policies",
        "DeepAugment와 증강 정책 총비교",
        "Which policy wins at an equal budget?",
        49,
        names=_names("policy", "DeepAugmentSearch"),
    ),
)
