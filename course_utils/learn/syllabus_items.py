"""Every topic of the lecture notes as data.

The sentences report the notes in the course's own words. *Right* corrects them, completes them, or says that there
is nothing to correct. Where a chapter is not built yet, its cell, names and tests are the plan; the tests of
``learn.syllabus`` expect them to be missing, and fail as soon as all of them exist while the chapter's flag in
``learn.chapters`` still says that it is not built.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SyllabusItem:
    """One topic of the lecture notes.

    Attributes
    ----------
    key : str
        Short name for code: ``"vlad"``.
    english, korean : str
        The topic in both languages.
    chapter : str
        Notebook that teaches it, without its ending.
    cell : str
        Id of the cell where its section begins.
    names : tuple of str
        Public names, importable as ``course_utils.`` + name.
    tests : tuple of str
        Test files, seen from the project's root.
    notes_say : str
        What the lecture notes say, in one sentence.
    right : str
        What is right, or missing; "Right as it stands." where there is nothing to add.
    """

    key: str
    english: str
    korean: str
    chapter: str
    cell: str
    names: tuple[str, ...]
    tests: tuple[str, ...]
    notes_say: str
    right: str


ITEMS: tuple[SyllabusItem, ...] = (
    # --- retrieval -------------------------------------------------------------------------------------------------------
    SyllabusItem(
        "vlad",
        "VLAD",
        "VLAD (지역 기술자 집계 벡터)",
        "01_vlad",
        "step2",
        ("retrieval.VLAD",),
        ("tests/retrieval/test_retrieval_vlad.py",),
        "The feature points of an image are clustered, and the differences within each cluster represent the image.",
        "The clusters are made once, on training images; otherwise two images cannot be compared. "
        "Per cluster the differences are summed, normalised and joined to one vector of K * D numbers.",
    ),
    SyllabusItem(
        "netvlad",
        "NetVLAD",
        "NetVLAD (학습 가능한 VLAD)",
        "02_netvlad",
        "step1",
        ("retrieval.NetVLAD",),
        ("tests/retrieval/test_retrieval_netvlad.py",),
        "NetVLAD learns VLAD with a deep network.",
        "True, but how is missing: a soft assignment makes VLAD differentiable, and its weights are learned apart from the centres.",
    ),
    SyllabusItem(
        "weakly_supervised_ranking_loss",
        "Weakly supervised ranking loss",
        "약지도 순위 손실",
        "02_netvlad",
        "step4",
        ("retrieval.WeaklySupervisedRankingLoss",),
        ("tests/retrieval/test_retrieval_ranking_loss.py",),
        "NetVLAD is trained with a weakly supervised ranking loss.",
        "True; weak means that only positions are known. "
        "Images nearby may show the same thing, images far away cannot, so the best of the possible positives is compared with each negative.",
    ),
    SyllabusItem(
        "delf",
        "DELF",
        "DELF (어텐션 기반 심층 지역 특징)",
        "03_delf",
        "step1",
        ("retrieval.DELF",),
        ("tests/retrieval/test_retrieval_delf.py",),
        "DELF extracts feature points, represents the image with them, and is trained with cross-entropy on Google Landmarks.",
        "An image becomes a set of up to 1000 vectors with position, scale and score, chosen by attention after they are described. "
        "The original model is trained on the older Landmarks data set, and the attention in a second stage with a frozen backbone.",
    ),
    SyllabusItem(
        "google_landmarks_v2",
        "Google Landmarks v2",
        "구글 랜드마크 데이터셋 v2",
        "04_landmark_recognition",
        "step1",
        ("retrieval.global_average_precision", "retrieval.mean_average_precision_at_k"),
        (
            "tests/retrieval/test_retrieval_recognition_metrics.py",
            "tests/retrieval/test_retrieval_landmark_retrieval_metrics.py",
            "tests/data/test_data_google_landmarks.py",
        ),
        "The data set holds 200 thousand landmarks.",
        "Right for the training set: 203,094 landmarks, of which a cleaned subset keeps 81,313. "
        "Most test queries show no landmark, so the score has to reward abstaining.",
    ),
    SyllabusItem(
        "mean_average_precision",
        "Mean average precision (mAP)",
        "mAP (평균 정밀도의 평균)",
        "05_mean_average_precision",
        "step1",
        ("retrieval.mean_average_precision", "retrieval.average_precision", "retrieval.detection_average_precision"),
        ("tests/retrieval/test_retrieval_average_precision.py", "tests/retrieval/test_retrieval_detection_metrics.py"),
        "mAP measures accuracy by averaging over the responses to a query.",
        "AP averages the precision at the ranks of the relevant items of one query; mAP averages AP over queries or classes. "
        "It depends on the order of the whole list, which accuracy does not.",
    ),
    SyllabusItem(
        "listwise_ap_loss",
        "Listwise AP loss",
        "리스트 단위 AP 손실",
        "06_listwise_ap_loss",
        "step1",
        ("retrieval.ListwiseAPLoss", "training.multistage_backward"),
        ("tests/retrieval/test_retrieval_listwise_ap_loss.py", "tests/training/test_training_multistage.py"),
        "The loss looks at 50 ranks, pulls the correct ones forward and pushes the wrong ones back.",
        "Nothing is fixed to 50: it ranks the whole batch through about 20 bins of similarity. "
        "The strength of the push follows from AP; it is largest at the top and zero for many items.",
    ),
    # --- clustering and dimension reduction ------------------------------------------------------------------------------
    SyllabusItem(
        "kmeans",
        "k-means",
        "k-평균 군집화",
        "07_kmeans",
        "step1",
        ("clustering.KMeans",),
        ("tests/clustering/test_clustering_kmeans.py",),
        "The feature points of images are used to cluster the images.",
        "Right in spirit, but k-means needs one vector per image. Clustering the key points instead gives the codebook of VLAD.",
    ),
    SyllabusItem(
        "mahalanobis",
        "Mahalanobis distance",
        "마할라노비스 거리",
        "08_mahalanobis",
        "step1",
        ("clustering.mahalanobis", "clustering.MahalanobisKMeans"),
        ("tests/clustering/test_clustering_mahalanobis.py",),
        "It clusters images by their feature points; the line repeats the one on k-means.",
        "It is a distance and not a clustering method: from a point to a distribution, measured with its covariance. "
        "It clusters only inside another method, such as k-means.",
    ),
    SyllabusItem(
        "feature_elimination",
        "Feature elimination",
        "특징 제거",
        "09_dimension_reduction",
        "step1",
        ("reduction",),
        ("tests/reduction/test_reduction_elimination.py",),
        "Some features are dropped, and their information is lost.",
        "Right. Not every method of this name belongs here: recursive feature elimination ranks features, so it is a selection.",
    ),
    SyllabusItem(
        "feature_selection",
        "Feature selection",
        "특징 선택",
        "09_dimension_reduction",
        "step2",
        ("reduction",),
        ("tests/reduction/test_reduction_selection.py",),
        "Features are ranked by importance and the best are kept; information is lost, and the ranks change with the data set.",
        "Right. One warning is missing: the selection belongs inside the cross-validation, or noise looks useful.",
    ),
    SyllabusItem(
        "feature_extraction",
        "Feature extraction",
        "특징 추출",
        "09_dimension_reduction",
        "step3",
        ("reduction",),
        ("tests/reduction/test_reduction_extraction.py",),
        "New features are made from all old ones; a loss of information is mentioned only for the other two ways.",
        "Extraction loses information too: PCA drops variance, t-SNE drops distances and the way back.",
    ),
    SyllabusItem(
        "linear_and_nonlinear",
        "Linear and non-linear reduction",
        "선형 및 비선형 차원 축소",
        "09_dimension_reduction",
        "step4",
        ("reduction",),
        ("tests/reduction/test_reduction_nonlinear.py",),
        "The text under this heading repeats the one on elimination and selection.",
        "It should set linear maps (PCA, LDA, NMF) against non-linear ones (kernel PCA, Isomap, LLE, UMAP, t-SNE).",
    ),
    SyllabusItem(
        "tsne",
        "t-SNE",
        "t-SNE (t-분포 확률적 이웃 임베딩)",
        "10_tsne",
        "step1",
        ("reduction.TSNE",),
        ("tests/reduction/test_reduction_tsne.py",),
        "t-SNE stands under image clustering.",
        "It extracts features for a picture and finds no clusters. Sizes of groups and gaps between them may not be read off.",
    ),
    # --- metric learning -------------------------------------------------------------------------------------------------
    SyllabusItem(
        "deep_metric_learning",
        "Deep metric learning",
        "심층 거리 학습",
        "11_mining_on_manifolds",
        "step1",
        ("metric_learning.ContrastiveLoss",),
        ("tests/metric_learning/test_metric_learning_losses.py",),
        "A survey is named for reading.",
        "What it is about: an embedding whose distances mean similarity, also for classes that training never showed.",
    ),
    SyllabusItem(
        "mining_on_manifolds",
        "Mining on manifolds",
        "다양체 위의 표본 마이닝",
        "11_mining_on_manifolds",
        "step3",
        ("metric_learning.ManifoldMiner",),
        ("tests/metric_learning/test_metric_learning_manifold_miner.py",),
        "A pre-trained embedding is tuned on unlabelled images with hard positives and hard negatives found between manifolds.",
        "Right in essence. Hard positives lie far apart on the same manifold, hard negatives close together on different ones.",
    ),
    SyllabusItem(
        "stml",
        "STML (self-taught metric learning)",
        "STML (레이블 없이 스스로 배우는 거리 학습)",
        "12_stml",
        "step1",
        ("metric_learning.STML",),
        ("tests/metric_learning/test_metric_learning_stml.py",),
        "The name stands alone.",
        "The labels are soft and come from a moving average of the model itself. "
        "There is no clustering step, and a pre-trained network is still needed.",
    ),
    # --- classic augmentation --------------------------------------------------------------------------------------------
    SyllabusItem(
        "colour_augmentation",
        "Colour augmentation",
        "색상 변환 증강",
        "13_colour_and_space",
        "step2",
        (
            "augment.BrightnessJitter",
            "augment.ContrastJitter",
            "augment.SaturationJitter",
            "augment.ISONoise",
            "augment.GaussianBlur",
            "augment.MotionBlur",
            "augment.JPEGCompression",
        ),
        (
            "tests/augment/test_augment_colour.py",
            "tests/augment/test_augment_blur.py",
            "tests/augment/test_augment_noise.py",
            "tests/augment/test_augment_jpeg.py",
        ),
        "Changes of colour, blur, noise and compression increase the number of training samples.",
        "The number of independent samples does not grow: augmentation states which changes keep the label. "
        "Blur and compression act in space too, and a one-sided motion blur even shifts boxes.",
    ),
    SyllabusItem(
        "spatial_augmentation",
        "Spatial augmentation, with the ground truth of detection and segmentation",
        "공간 변환 증강 (검출·분할 정답 포함)",
        "13_colour_and_space",
        "step3",
        ("augment.Flip", "augment.Rotation", "augment.RandomCrop", "augment.Affine"),
        ("tests/augment/test_augment_spatial.py", "tests/augment/test_augment_targets.py"),
        "Flips, rotations and crops enlarge the data; for detection and segmentation the ground truth has to move along.",
        "Right, and incomplete: boxes must also be clipped and filtered, left and right key points swapped, "
        "and masks moved without mixing their class numbers.",
    ),
    # --- erasing ---------------------------------------------------------------------------------------------------------
    SyllabusItem(
        "random_erasing",
        "Random Erasing, image- and object-aware",
        "무작위 지우기 (이미지·객체 인식 방식)",
        "14_erasing",
        "step1",
        ("augment.RandomErasing",),
        ("tests/augment/test_augment_erasing.py",),
        "A random rectangle becomes black, white or random, in the image or inside each object, together with random cropping.",
        "Right, but the fourth filling is missing: the mean.",
    ),
    SyllabusItem(
        "cutout",
        "Cutout",
        "Cutout (사각형 가리기)",
        "14_erasing",
        "step3",
        ("augment.Cutout",),
        ("tests/augment/test_augment_erasing.py",),
        "Part of the image is cut away, and the effect is analysed.",
        "Right. It should add that the label stays, and that the square may reach over the border, so some images stay almost whole.",
    ),
    SyllabusItem(
        "hide_and_seek",
        "Hide-and-Seek",
        "숨바꼭질 증강 (Hide-and-Seek)",
        "14_erasing",
        "step4",
        ("augment.HideAndSeek",),
        ("tests/augment/test_augment_hide_and_seek.py",),
        "Several patches of the image are cut away.",
        "A coin is thrown for each cell of a grid, hidden cells take the mean colour of the data set, and test images stay whole.",
    ),
    # --- mixing ----------------------------------------------------------------------------------------------------------
    SyllabusItem(
        "sample_pairing",
        "SamplePairing",
        "SamplePairing (표본 짝짓기)",
        "15_mixing",
        "step1",
        ("augment.SamplePairing",),
        ("tests/augment/test_augment_mixup.py",),
        "Two images are mixed pixel by pixel and given to the network.",
        "Right, but two halves of the method are missing: the label of the first image is kept, "
        "and the mixing is switched on and off during training.",
    ),
    SyllabusItem(
        "mixup",
        "Mixup",
        "믹스업 (Mixup)",
        "15_mixing",
        "step2",
        ("augment.MixUp",),
        ("tests/augment/test_augment_mixup.py",),
        "Two images are mixed to a linearly interpolated position.",
        "Pixel values and labels are interpolated, with the same weight; no position is.",
    ),
    SyllabusItem(
        "many_ways_of_mixing",
        "The many ways of mixing",
        "다양한 이미지 혼합 방식",
        "15_mixing",
        "step4",
        ("augment.mixed_example", "augment.mixed_example_methods"),
        ("tests/augment/test_augment_ways_of_mixing.py",),
        "Eight ways are announced; the description repeats the one of SamplePairing.",
        "The paper's code has 14 new ways, which can be grouped into eight families. Unlike SamplePairing, they mix the labels too.",
    ),
    SyllabusItem(
        "manifold_mixup",
        "Manifold Mixup",
        "다양체 믹스업 (Manifold Mixup)",
        "15_mixing",
        "step5",
        ("augment.ManifoldMixup",),
        ("tests/augment/test_augment_manifold_mixup.py",),
        "Hidden representations are mixed, which gives smoother decision boundaries than mixing inputs.",
        "Right as it stands.",
    ),
    SyllabusItem(
        "ricap",
        "RICAP (random image cropping and patching)",
        "RICAP (무작위 자르기와 이어 붙이기)",
        "16_cutting_and_pasting",
        "step2",
        ("augment.RICAP",),
        ("tests/augment/test_augment_ricap.py",),
        "Crops of four images form a new one, and the task becomes classification with several labels; Mosaic shares the heading.",
        "The target is one soft label whose weights are the areas, not several independent labels. Mosaic is another method.",
    ),
    SyllabusItem(
        "mosaic",
        "Mosaic",
        "모자이크 증강",
        "16_cutting_and_pasting",
        "step4",
        ("augment.Mosaic",),
        ("tests/augment/test_augment_mosaic.py",),
        "Mosaic and cropping and patching are one item.",
        "Mosaic is for detection: four images with their boxes, which are moved and clipped. No label is weighted.",
    ),
    SyllabusItem(
        "cutmix",
        "CutMix",
        "컷믹스 (CutMix)",
        "16_cutting_and_pasting",
        "step1",
        ("augment.CutMix",),
        ("tests/augment/test_augment_cutmix.py",),
        "Several images are cut and pasted, as in cropping and patching.",
        "CutMix takes two images, and the patch stays at its place; RICAP takes four free crops. "
        "The label's weight is the area that is really visible.",
    ),
    SyllabusItem(
        "smoothmix",
        "SmoothMix",
        "스무스믹스 (SmoothMix)",
        "16_cutting_and_pasting",
        "step3",
        ("augment.SmoothMix",),
        ("tests/augment/test_augment_smoothmix.py",),
        "The border of the pasted part is smoothed.",
        "Right as it stands.",
    ),
    SyllabusItem(
        "patchshuffle",
        "PatchShuffle",
        "패치 셔플 (PatchShuffle)",
        "17_patchshuffle_and_augmix",
        "step1",
        ("augment.PatchShuffle",),
        ("tests/augment/test_augment_patch_shuffle.py",),
        "The pixels inside a window are shuffled; the heading appears a second time without text.",
        "Right, but incomplete: windows do not overlap, a coin decides whether to shuffle at all, and feature maps are shuffled too.",
    ),
    SyllabusItem(
        "augmix",
        "AugMix",
        "AugMix (증강 사슬 혼합)",
        "17_patchshuffle_and_augmix",
        "step3",
        ("augment.AugMix", "augment.JensenShannonLoss"),
        ("tests/augment/test_augment_augmix.py", "tests/augment/test_augment_jensen_shannon.py"),
        "Augmentations are connected in series and in parallel.",
        "Right for the images. The consistency loss between the mixed versions is missing, and it is half of the method.",
    ),
    SyllabusItem(
        "measuring",
        "Measuring a gain",
        "증강 효과의 측정",
        "18_does_it_help",
        "step4",
        ("evidence.affinity", "evidence.diversity"),
        (
            "tests/evidence/test_evidence_affinity_and_diversity.py",
            "tests/evidence/test_evidence_recommendation.py",
            "tests/training/test_training_choosing.py",
        ),
        "Every method is presented as an improvement.",
        "Reported gains are for long training of large networks; on small data most are within what a few seeds can tell, and many are "
        "losses.",
    ),
    # --- generative augmentation -----------------------------------------------------------------------------------------
    SyllabusItem(
        "gan_augmentation",
        "GAN augmentation",
        "GAN을 이용한 데이터 증강",
        "19_gan_augmentation",
        "step1",
        ("generative.DCGAN", "generative.ACGAN"),
        ("tests/generative/test_generative_gan.py",),
        "GANs are named as a source of training images.",
        "Nothing to correct; when it helps is missing. With strong classic augmentation on the same images, a gain is the exception.",
    ),
    SyllabusItem(
        "medical_gan_augmentation",
        "Medical GAN augmentation",
        "의료 영상 GAN 증강 (간 병변)",
        "19_gan_augmentation",
        "step4",
        ("generative.DCGAN",),
        ("tests/generative/test_generative_lesions.py",),
        "A GAN makes CT images for training, and the result is judged by whether a lesion is recognised as present.",
        "Every image shows a lesion; its type, one of three, is classified. "
        "First comes geometric augmentation, then one GAN per type, trained on the augmented images.",
    ),
    SyllabusItem(
        "singan",
        "SinGAN",
        "SinGAN (단일 이미지 생성 모델)",
        "20_singan",
        "step1",
        ("generative.SinGAN",),
        ("tests/generative/test_generative_singan.py",),
        "A pyramid of convolutional GANs learns from one image, without condition, with adversarial and reconstruction losses.",
        "Right. The fixed noise of the reconstruction and the rule for the noise's strength are missing, "
        "and the paper generates and edits: it never trains a classifier.",
    ),
    SyllabusItem(
        "gangealing",
        "GANgealing",
        "GANgealing (GAN 감독 밀집 정렬)",
        "21_gangealing",
        "step1",
        ("generative.GANgealing",),
        ("tests/generative/test_generative_gangealing.py",),
        "Images of a GAN supervise dense alignment, and diverse augmentation is learned without supervision.",
        "The first half is right. It learns to align, which undoes augmentation, "
        "and needs a trained GAN and a perceptual network, although no labelled correspondences.",
    ),
    # --- augmentation policies -------------------------------------------------------------------------------------------
    SyllabusItem(
        "autoaugment",
        "AutoAugment",
        "AutoAugment (자동 증강 정책 탐색)",
        "22_autoaugment",
        "step1",
        ("policy.AutoAugmentSearch", "policy.Policy"),
        ("tests/policy/test_policy_autoaugment.py",),
        "A recurrent controller writes policies, and policy gradients reward validation accuracy.",
        "Right. To add: the gradient is PPO, the search runs on reduced data, and the 25 final sub-policies come from five policies.",
    ),
    SyllabusItem(
        "population_based_augmentation",
        "Population Based Augmentation",
        "개체군 기반 증강 (PBA)",
        "23_population_based",
        "step1",
        ("policy.PopulationBasedSearch",),
        ("tests/policy/test_policy_population_based.py",),
        "Under the heading Population Based AutoAugment stand density matching and Bayesian optimisation with TPE.",
        "Both belong to Fast AutoAugment. The method is called Population Based Augmentation: "
        "a population of networks trains, copies the best and changes its policy, which gives a schedule.",
    ),
    SyllabusItem(
        "fast_autoaugment",
        "Fast AutoAugment",
        "Fast AutoAugment (빠른 자동 증강 탐색)",
        "24_fast_autoaugment",
        "step1",
        ("policy.FastAutoAugmentSearch",),
        ("tests/policy/test_policy_fast_autoaugment.py",),
        "The heading is empty; its content stands under Population Based AutoAugment.",
        "K networks are trained once; then TPE looks for policies under which held-out images still fit them. "
        "No network is trained per candidate.",
    ),
    SyllabusItem(
        "differentiable_autoaugment",
        "Differentiable AutoAugment",
        "미분 가능한 자동 증강 (DADA)",
        "25_differentiable",
        "step1",
        ("policy.DADASearch",),
        ("tests/policy/test_policy_dada.py",),
        "The policy gradient, which cannot be differentiated, is made differentiable, following DARTS.",
        "The credit to DARTS is right. A policy gradient is a gradient already; what has none is the drawing of operations, "
        "which is relaxed, and one training step is unrolled.",
    ),
    SyllabusItem(
        "randaugment",
        "RandAugment",
        "RandAugment (무작위 증강)",
        "26_search_free",
        "step1",
        ("policy.RandAugment",),
        ("tests/policy/test_policy_randaugment.py",),
        "There is no search; operations are drawn at random for each mini-batch.",
        "They are drawn for each image. Two numbers, how many operations and how strong, are still tuned on a grid.",
    ),
    SyllabusItem(
        "uniformaugment",
        "UniformAugment",
        "UniformAugment (균등 증강)",
        "26_search_free",
        "step3",
        ("policy.UniformAugment",),
        ("tests/policy/test_policy_uniformaugment.py",),
        "Two images are mixed pixel by pixel, a sentence copied from SamplePairing; the paper could not be accessed.",
        "Nothing is mixed: two operations are drawn uniformly, with uniform probability and magnitude. "
        "The paper is public, arXiv 2003.14348.",
    ),
    SyllabusItem(
        "trivialaugment",
        "TrivialAugment",
        "TrivialAugment (매개변수 없는 증강)",
        "26_search_free",
        "step4",
        ("policy.TrivialAugment",),
        ("tests/policy/test_policy_trivialaugment.py",),
        "Instead of doing without parameters, a few important ones are searched.",
        "The reverse: it has no parameters to tune, one random operation at one random strength. "
        "A few searched numbers is RandAugment.",
    ),
    SyllabusItem(
        "deepaugment",
        "DeepAugment",
        "DeepAugment (베이즈 최적화 증강 탐색)",
        "27_deepaugment_and_shootout",
        "step1",
        ("policy.DeepAugmentSearch",),
        ("tests/policy/test_policy_deepaugment.py",),
        "It is listed as a reference, without description.",
        "It searches by Bayesian optimisation, not by reinforcement learning; "
        "the random forest in it predicts how good a policy is, and classifies nothing.",
    ),
)
