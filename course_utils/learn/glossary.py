"""One term for one thing, in two languages.

The course uses the English word in its text and gives the Korean one where the term first appears. Where Korean
papers use several words, one is chosen and kept: a *descriptor* is 기술자 (also seen: 서술자, 디스크립터),
*normalisation* 정규화, and *regularisation* 규제 (also seen: 정칙화, and 정규화, which is taken).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from course_utils.checks import message
from course_utils.learn.chapters import CHAPTERS, Chapter
from course_utils.learn.tables import Link, Table


@dataclass(frozen=True)
class Term:
    """A word of the course.

    Attributes
    ----------
    english, korean : str
        The term in both languages.
    meaning : str
        One sentence.
    chapter : str
        The chapter in which it first matters.
    """

    english: str
    korean: str
    meaning: str
    chapter: str


def terms() -> tuple[Term, ...]:
    """Return all terms in alphabetical order."""
    return TERMS


def show(words: Iterable[str] | None = None) -> Table:
    """Return a table of terms: English, Korean, meaning, chapter.

    Parameters
    ----------
    words : iterable of str, optional
        English terms, in the order to show them; small or capital letters, with or without the abbreviation in
        brackets. Default: all.

    Raises
    ------
    TypeError
        If ``words`` is a single string: put it into a list.
    ValueError
        If a word is not in the glossary; the message names the nearest ones.

    Notes
    -----
    Taught in `00_start_here`, cell `glossary-table`.

    Examples
    --------
    >>> print(show(["query", "recall"]))
    2 words
    query | 질의 | The image that one searches with. (first in 01 vlad)
    recall | 재현율 | The share of the relevant items that are found; ... (first in 01 vlad)
    """
    chosen = TERMS if words is None else _chosen(words)
    chapters = {c.name: c for c in CHAPTERS}
    return Table(
        caption=f"{len(chosen)} {'word' if len(chosen) == 1 else 'words'}",
        header=("English", "Korean", "meaning", "first in"),
        rows=tuple((t.english, t.korean, t.meaning, _link(chapters[t.chapter])) for t in chosen),
        widths=(20, 20, 42, 18),
        lines=tuple(f"{t.english} | {t.korean} | {t.meaning} (first in {chapters[t.chapter].label})" for t in chosen),
    )


def _link(chapter: Chapter) -> Link | str:
    return Link(chapter.label, chapter.link) if chapter.built else chapter.label


def _chosen(words: Iterable[str]) -> tuple[Term, ...]:
    if isinstance(words, str):
        raise TypeError(message("words", "a list of words", f"the string {words!r}", f"Write [{words!r}]."))
    known = {}
    for term in TERMS:
        full = term.english.casefold()
        known[full] = term
        if full.endswith(")"):
            long, short = full[:-1].split(" (")
            known[long] = known[short] = term
    chosen = []
    for word in words:
        key = str(word).strip().casefold()
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            advice = f"Near: {', '.join(near)}." if near else "`glossary.terms()` lists all."
            raise ValueError(message("words", "words of the glossary", repr(word), advice))
        chosen.append(known[key])
    return tuple(chosen)


TERMS: tuple[Term, ...] = (
    Term(
        "ablation",
        "절제 실험",
        "An experiment that removes one part of a method to see what that part contributes.",
        "18_does_it_help",
    ),
    Term("abstention", "기권", "Giving no answer to a query, which costs recall but never precision.", "04_landmark_recognition"),
    Term("accuracy", "정확도", "The share of all predictions that are right.", "05_mean_average_precision"),
    Term(
        "affine map",
        "아핀 변환",
        "A map of the plane that keeps parallel lines parallel: turning, scaling, shearing, shifting.",
        "13_colour_and_space",
    ),
    Term(
        "affinity",
        "친화도",
        "The share of its accuracy that a network keeps on images that an augmentation it never saw has changed.",
        "18_does_it_help",
    ),
    Term("aggregation", "집계", "Turning a set of local descriptors into one vector of fixed length.", "01_vlad"),
    Term("attention", "어텐션", "A learned score that says how much each part of an image counts.", "03_delf"),
    Term(
        "augmentation policy",
        "증강 정책",
        "A rule that says which operations are applied, how often and how strongly.",
        "22_autoaugment",
    ),
    Term(
        "average precision (AP)",
        "평균 정밀도",
        "The mean of the precision at the ranks of the relevant items of one query.",
        "05_mean_average_precision",
    ),
    Term(
        "backbone",
        "백본",
        "The part of a network that turns an image into features, below the head that solves the task.",
        "02_netvlad",
    ),
    Term("bag of visual words", "시각 단어 가방", "An image described by how often each visual word occurs in it.", "01_vlad"),
    Term("baseline", "기준 방법", "The method that a new one is compared with.", "18_does_it_help"),
    Term("batch", "배치", "The images that a training step sees together.", "02_netvlad"),
    Term("bin", "구간", "One of the intervals in which a histogram counts.", "06_listwise_ap_loss"),
    Term(
        "bounding box",
        "경계 상자",
        "The rectangle around an object, given by its corners or by centre and size.",
        "05_mean_average_precision",
    ),
    Term(
        "calibration",
        "보정",
        "How well a predicted probability agrees with how often the prediction is right.",
        "18_does_it_help",
    ),
    Term("chain", "사슬", "Operations applied to a picture one after the other.", "17_patchshuffle_and_augmix"),
    Term(
        "check sum",
        "체크섬",
        "A short number computed from a file, by which a damaged copy is noticed.",
        "04_landmark_recognition",
    ),
    Term(
        "circular evaluation",
        "순환 평가",
        "Testing on what the training has shown: it measures memory.",
        "18_does_it_help",
    ),
    Term(
        "class activation map (CAM)",
        "클래스 활성화 맵",
        "A map of how much each place of an image adds to the score of a class.",
        "14_erasing",
    ),
    Term("cluster", "군집", "A group of points that are closer to each other than to the rest.", "01_vlad"),
    Term("cluster centre", "군집 중심", "The mean of the points of a cluster; in VLAD the place of a visual word.", "01_vlad"),
    Term("codebook", "코드북", "The list of visual words, learned once from training images.", "01_vlad"),
    Term(
        "confidence",
        "신뢰도",
        "How sure a system is of one answer, as a number that can be compared between queries.",
        "04_landmark_recognition",
    ),
    Term(
        "confidence interval", "신뢰 구간", "A range of values that agree with the measured data, here at 95 per cent.", "01_vlad"
    ),
    Term(
        "consistency loss",
        "일관성 손실",
        "A charge for predictions that differ between versions of one image.",
        "17_patchshuffle_and_augmix",
    ),
    Term(
        "contrastive loss",
        "대조 손실",
        "A loss that pulls positive pairs together and pushes negative pairs apart.",
        "11_mining_on_manifolds",
    ),
    Term("convolution", "합성곱", "The same small filter applied at every position of an image.", "02_netvlad"),
    Term(
        "corruption suite",
        "손상 시험 세트",
        "Fixed ways to spoil test images in five severities, which no training shows.",
        "17_patchshuffle_and_augmix",
    ),
    Term(
        "cosine similarity",
        "코사인 유사도",
        "The inner product of two vectors of length one; 1 means the same direction.",
        "01_vlad",
    ),
    Term("covariance", "공분산", "How much two features vary together; for many features a matrix.", "01_vlad"),
    Term(
        "cross-entropy",
        "교차 엔트로피",
        "The usual loss of classification: minus the logarithm of the probability of the right class.",
        "03_delf",
    ),
    Term(
        "cross-validation",
        "교차 검증",
        "Training and testing several times, with another part of the data held out each time.",
        "09_dimension_reduction",
    ),
    Term(
        "cutting and pasting",
        "잘라 붙이기",
        "Making a training image of parts of several ones, with a label that counts their areas.",
        "16_cutting_and_pasting",
    ),
    Term(
        "data augmentation",
        "데이터 증강",
        "Changing training images in ways that should not change the answer.",
        "13_colour_and_space",
    ),
    Term(
        "data leakage",
        "데이터 누수",
        "Information about the test data that reaches training and makes results look too good.",
        "09_dimension_reduction",
    ),
    Term("database image", "데이터베이스 이미지", "An image that can be found; its position or label is known.", "01_vlad"),
    Term("descriptor", "기술자", "A vector that describes an image or a part of it, made to be compared with others.", "01_vlad"),
    Term(
        "differentiable",
        "미분 가능",
        "Smooth enough that a gradient exists, so that it can be learned by gradient descent.",
        "02_netvlad",
    ),
    Term("diffusion", "확산", "Spreading similarity along the edges of a neighbour graph.", "11_mining_on_manifolds"),
    Term("dimension reduction", "차원 축소", "Describing points with fewer numbers.", "09_dimension_reduction"),
    Term(
        "Dirichlet distribution",
        "디리클레 분포",
        "Random shares of a whole: not negative, and with sum one.",
        "17_patchshuffle_and_augmix",
    ),
    Term("discriminator", "판별자", "The network of a GAN that tells real images from generated ones.", "19_gan_augmentation"),
    Term("distance metric", "거리 척도", "A rule for how far apart two points are.", "08_mahalanobis"),
    Term(
        "distractor",
        "방해 이미지",
        "A query or database image that shows none of the things that are searched.",
        "04_landmark_recognition",
    ),
    Term("distribution", "분포", "Which values occur how often.", "08_mahalanobis"),
    Term(
        "diversity",
        "다양성",
        "How hard an augmentation makes the training: the final training loss above its floor.",
        "18_does_it_help",
    ),
    Term(
        "domain shift",
        "도메인 변화",
        "A systematic difference between the data of training and those of use, such as day and night.",
        "02_netvlad",
    ),
    Term(
        "elastic deformation", "탄성 변형", "Moving every pixel a little, with neighbours moving together.", "13_colour_and_space"
    ),
    Term(
        "embedding",
        "임베딩",
        "The vector that a network gives for an input, in a space where distance means similarity.",
        "02_netvlad",
    ),
    Term("entropy", "엔트로피", "How mixed or unsure a distribution is: 0 when one outcome is certain.", "15_mixing"),
    Term("epoch", "에폭", "One pass over the training data.", "02_netvlad"),
    Term("erasing", "지우기", "Hiding a part of a training image while its label stays.", "14_erasing"),
    Term(
        "expected calibration error (ECE)",
        "기대 보정 오차",
        "The mean distance of confidence and accuracy over bins of confidence.",
        "18_does_it_help",
    ),
    Term("feature", "특징", "A number or a vector that says something about an input.", "01_vlad"),
    Term("feature extraction", "특징 추출", "Making new features from all old ones.", "09_dimension_reduction"),
    Term("feature map", "특징 맵", "The features of a network at every position of a grid over the image.", "02_netvlad"),
    Term("feature selection", "특징 선택", "Keeping the most useful of the old features.", "09_dimension_reduction"),
    Term("fine-tuning", "미세 조정", "Training an already trained network further, on the data of the task.", "02_netvlad"),
    Term(
        "generative adversarial network (GAN)",
        "생성적 적대 신경망",
        "Two networks in a contest: one generates images, the other tells them from real ones.",
        "19_gan_augmentation",
    ),
    Term("generator", "생성자", "The network of a GAN that makes images from noise.", "19_gan_augmentation"),
    Term(
        "global average precision (GAP)",
        "전역 평균 정밀도",
        "Average precision of one list with the answers to all queries.",
        "04_landmark_recognition",
    ),
    Term("gradient", "기울기", "The direction in which a loss grows fastest; training takes steps against it.", "02_netvlad"),
    Term("ground truth", "정답", "What is known to be right: a label, a box, a mask or a position.", "01_vlad"),
    Term("hard assignment", "하드 할당", "Each descriptor belongs to exactly one visual word.", "01_vlad"),
    Term("hard negative", "어려운 음성", "A negative that is more similar to the query than it should be.", "02_netvlad"),
    Term("histogram", "히스토그램", "How many values fall into each of several ranges.", "03_delf"),
    Term(
        "histogram equalisation",
        "히스토그램 평활화",
        "Giving every grey level about the same number of pixels.",
        "13_colour_and_space",
    ),
    Term("hole", "구멍", "The part of an image that an erasing method hides.", "14_erasing"),
    Term(
        "Holm's method",
        "홀름 방법",
        "A correction of p-values for how many methods were tried.",
        "18_does_it_help",
    ),
    Term("hull", "외접 상자", "The smallest axis-parallel box around a shape.", "13_colour_and_space"),
    Term(
        "hyperparameter",
        "하이퍼파라미터",
        "A number that is chosen and not learned, such as a margin or a learning rate.",
        "02_netvlad",
    ),
    Term("image pyramid", "이미지 피라미드", "The same image at several sizes.", "03_delf"),
    Term("index", "색인", "The data structure that finds the nearest database vectors.", "01_vlad"),
    Term("inlier", "정상치", "A match that agrees with the estimated geometry.", "03_delf"),
    Term("interpolation", "보간", "Computing values between known ones.", "13_colour_and_space"),
    Term(
        "intersection over union (IoU)",
        "교집합 대 합집합 비율",
        "The area two boxes share, divided by the area they cover together.",
        "05_mean_average_precision",
    ),
    Term("invariance", "불변성", "The output stays the same when the input is changed in a certain way.", "13_colour_and_space"),
    Term(
        "Jensen-Shannon divergence",
        "젠슨 섀넌 발산",
        "The mean divergence of several distributions from their mean.",
        "17_patchshuffle_and_augmix",
    ),
    Term("junk", "제외 항목", "An item that is taken out of the list before it is judged.", "05_mean_average_precision"),
    Term("key point", "특징점", "A position in an image that can be found again in another image of the same thing.", "01_vlad"),
    Term("label", "레이블", "The answer that belongs to a training image.", "02_netvlad"),
    Term("label weight", "레이블 가중치", "The share that one class has in a soft label.", "16_cutting_and_pasting"),
    Term(
        "label-mass test",
        "레이블 질량 검사",
        "A test of a mixer with images that are their labels: what the image holds, the label has to say.",
        "15_mixing",
    ),
    Term("landmark", "랜드마크", "A place or a building that people know by name.", "03_delf"),
    Term("learning rate", "학습률", "How large a step of training is.", "02_netvlad"),
    Term("local descriptor", "지역 기술자", "The descriptor of a small part of an image.", "01_vlad"),
    Term(
        "long tail",
        "긴 꼬리",
        "Many classes with few examples each, beside a few classes with very many.",
        "04_landmark_recognition",
    ),
    Term("loss", "손실", "The number that training makes small.", "02_netvlad"),
    Term(
        "manifold",
        "다양체",
        "A curved surface near which the data lie; distance along it differs from the straight line.",
        "11_mining_on_manifolds",
    ),
    Term(
        "manifold intrusion",
        "다양체 침범",
        "A mixed example that lies where another class lives, so its mixed label is wrong.",
        "15_mixing",
    ),
    Term("Manifold Mixup", "다양체 믹스업", "Mixup of two hidden tensors inside a network, and of the labels.", "15_mixing"),
    Term("margin", "마진", "How much closer the positive has to be than the negative before the loss is zero.", "02_netvlad"),
    Term("mask", "마스크", "An image that says for each pixel whether it belongs, or to which class.", "13_colour_and_space"),
    Term(
        "McNemar's test",
        "맥니마 검정",
        "Compares two classifiers by the images that exactly one of them names rightly.",
        "18_does_it_help",
    ),
    Term(
        "mean average precision (mAP)",
        "평균 정밀도의 평균",
        "The mean of the average precision over all queries, or over all classes.",
        "05_mean_average_precision",
    ),
    Term(
        "mean corruption error",
        "평균 손상 오류",
        "The error of a classifier as a mean over corruptions and severities.",
        "17_patchshuffle_and_augmix",
    ),
    Term("metric learning", "거리 학습", "Learning an embedding whose distances mean similarity.", "02_netvlad"),
    Term("mining", "마이닝", "Looking for the examples from which a loss can learn most.", "02_netvlad"),
    Term(
        "mixing schedule", "혼합 일정", "In which epochs of a training images are mixed, and in which they are not.", "15_mixing"
    ),
    Term("Mixup", "믹스업", "Blending two images and their labels in the same proportion.", "15_mixing"),
    Term(
        "motion blur",
        "모션 블러",
        "The smear of a picture along the way that camera or object moved while it was taken.",
        "13_colour_and_space",
    ),
    Term("negative", "음성", "An image that does not show what the query shows.", "02_netvlad"),
    Term(
        "non-maximum suppression",
        "비최대 억제",
        "Of overlapping boxes, keeping the one with the highest score.",
        "03_delf",
    ),
    Term("normalisation", "정규화", "Bringing numbers to a common scale, such as vectors to length one.", "01_vlad"),
    Term(
        "nuisance",
        "방해 요인",
        "A change of the picture that does not concern the label, such as light or position.",
        "13_colour_and_space",
    ),
    Term(
        "object detection",
        "객체 검출",
        "Finding each object in an image, with its class and its bounding box.",
        "05_mean_average_precision",
    ),
    Term("occlusion", "가려짐", "One thing hiding another from view.", "14_erasing"),
    Term("outlier", "이상치", "A point or a match that does not fit the rest.", "03_delf"),
    Term(
        "over-confidence",
        "과신",
        "More confidence than accuracy.",
        "18_does_it_help",
    ),
    Term("overfitting", "과적합", "Being good on the training data and bad on new data.", "01_vlad"),
    Term("perplexity", "혼란도", "In t-SNE: about how many neighbours each point should have.", "10_tsne"),
    Term(
        "person re-identification",
        "사람 재식별",
        "Finding the pictures of one person among pictures by other cameras.",
        "14_erasing",
    ),
    Term(
        "place recognition",
        "장소 인식",
        "Finding out where a photograph was taken by finding similar ones of known position.",
        "01_vlad",
    ),
    Term("pooling", "풀링", "Combining the features of many positions into one.", "02_netvlad"),
    Term("positive", "양성", "An image that shows the same thing as the query.", "02_netvlad"),
    Term(
        "potential positive",
        "잠재적 양성",
        "An image taken near the query, which may or may not show the same thing.",
        "02_netvlad",
    ),
    Term("pre-training", "사전 학습", "Training on other, usually more plentiful data first.", "02_netvlad"),
    Term("precision", "정밀도", "The share of the found items that are relevant.", "05_mean_average_precision"),
    Term(
        "principal component analysis (PCA)",
        "주성분 분석",
        "The rotation that puts the directions of largest variance first.",
        "01_vlad",
    ),
    Term(
        "product quantisation",
        "곱 양자화",
        "Storing a vector in pieces, each as the number of its nearest centre.",
        "03_delf",
    ),
    Term(
        "pseudo-replication",
        "유사 반복",
        "Taking several measurements of one run for several runs.",
        "18_does_it_help",
    ),
    Term("query", "질의", "The image that one searches with.", "01_vlad"),
    Term(
        "random seed", "난수 시드", "The number that decides all random choices of a run, so that it can be repeated.", "01_vlad"
    ),
    Term("rank", "순위", "The place of an item in a list that is sorted by score; 1 is the best.", "05_mean_average_precision"),
    Term("ranking loss", "순위 손실", "A loss on the order of results: right ones should come before wrong ones.", "02_netvlad"),
    Term("re-ranking", "재순위화", "Ordering the first results again with a slower, more exact comparison.", "03_delf"),
    Term(
        "recall",
        "재현율",
        "The share of the relevant items that are found; in place recognition, of queries with a right result.",
        "01_vlad",
    ),
    Term("receptive field", "수용 영역", "The pixels from which a cell of a feature map is computed.", "03_delf"),
    Term(
        "regularisation",
        "규제",
        "Anything that keeps a model from fitting the noise of its training data.",
        "13_colour_and_space",
    ),
    Term(
        "relevant item",
        "관련 항목",
        "An item that belongs to the query, so that a search should find it.",
        "05_mean_average_precision",
    ),
    Term("residual", "잔차", "The difference between a descriptor and its cluster centre.", "01_vlad"),
    Term("retrieval", "검색", "Finding the database images that belong to a query.", "01_vlad"),
    Term(
        "robustness",
        "강건성",
        "How little the answers of a model change when its images are damaged.",
        "17_patchshuffle_and_augmix",
    ),
    Term(
        "SamplePairing", "표본 짝짓기", "Replacing an image by its mean with another one, while its own label stays.", "15_mixing"
    ),
    Term("saturation", "채도", "How far a colour is from grey.", "13_colour_and_space"),
    Term("segmentation", "분할", "Giving a class to every pixel.", "13_colour_and_space"),
    Term(
        "self-supervised learning",
        "자기 지도 학습",
        "Learning from data without labels, with a task that the data themselves pose.",
        "12_stml",
    ),
    Term(
        "severity",
        "손상 강도",
        "How strongly a corruption or an operation acts, as a number without a unit.",
        "17_patchshuffle_and_augmix",
    ),
    Term("similarity", "유사도", "How alike two descriptors are; larger is more alike.", "01_vlad"),
    Term(
        "slingshot",
        "새총 효과",
        "Training with a strong augmentation, and switching it off before the end.",
        "18_does_it_help",
    ),
    Term(
        "soft assignment",
        "소프트 할당",
        "Each descriptor belongs to all visual words, with weights that sum to one.",
        "02_netvlad",
    ),
    Term("soft label", "소프트 레이블", "A label with shares of several classes that sum to one.", "15_mixing"),
    Term(
        "statistical significance", "통계적 유의성", "A difference too large to be explained well by chance.", "18_does_it_help"
    ),
    Term("supervised learning", "지도 학습", "Learning from inputs with known answers.", "02_netvlad"),
    Term(
        "temperature", "온도", "One number that divides all logits, to make a network more or less confident.", "18_does_it_help"
    ),
    Term("test set", "평가 집합", "Data that are used once, to judge the finished method.", "01_vlad"),
    Term("tie", "동점", "Two or more items with the same score.", "05_mean_average_precision"),
    Term("training set", "학습 집합", "Data from which the method learns.", "01_vlad"),
    Term("unsupervised learning", "비지도 학습", "Learning from data without answers.", "07_kmeans"),
    Term("validation set", "검증 집합", "Data on which choices are made, such as when to stop.", "02_netvlad"),
    Term("variance", "분산", "The mean squared distance from the mean.", "01_vlad"),
    Term("visibility", "가시 비율", "The share of an object, or of its box, that lies in the picture.", "13_colour_and_space"),
    Term("visual word", "시각 단어", "A cluster of similar local descriptors, such as edges of one kind.", "01_vlad"),
    Term(
        "weak supervision",
        "약지도 학습",
        "Learning from answers that are incomplete or only partly right, such as GPS positions.",
        "02_netvlad",
    ),
    Term(
        "weakly supervised localisation",
        "약지도 위치 추정",
        "Finding where an object is after learning only which object an image shows.",
        "14_erasing",
    ),
    Term("weight decay", "가중치 감쇠", "Pulling the weights of a network towards zero a little at each step.", "02_netvlad"),
    Term(
        "whitening",
        "백색화",
        "Scaling the principal components to equal variance, so that frequent patterns stop dominating.",
        "01_vlad",
    ),
)
