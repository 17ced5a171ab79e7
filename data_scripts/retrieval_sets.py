"""Records of the data sets for place and landmark retrieval, and for metric learning.

Where a fact comes from:

- addresses of revisited Oxford and Paris: the download scripts of the revisitop project and the pages of the VGG
  group. The VGG server sends on to ``thor.robots.ox.ac.uk``. Neither images nor ground truth have a published check
  sum, and the sizes were seen by one downloader only, so they are marked as approximate;
- CUB-200-2011: address and MD5 of CaltechDATA; size also in the check-sum list of TensorFlow Datasets;
- Stanford Online Products: size and SHA-256 of TensorFlow Datasets;
- GardensPoint: address in the VPR tutorial of S. Schubert and others; size and licence could not be confirmed.
"""

from __future__ import annotations

from data_scripts.records import Record, RemoteFile

_VGG = "https://www.robots.ox.ac.uk/~vgg/data"
_REVISITED = "https://cmp.felk.cvut.cz/revisitop/data/datasets"
_REVISITED_CITATION = (
    'F. Radenovic, A. Iscen, G. Tolias, Y. Avrithis, O. Chum, "Revisiting Oxford and Paris: Large-Scale Image Retrieval '
    'Benchmarking", CVPR 2018, arXiv:1803.11285; images: '
)
_IMAGES_OF_FLICKR = "No licence is stated. The images belong to their photographers on Flickr; for research."


def _revisited(name: str, title: str, short: str, page: str, images: tuple[tuple[str, int, int], ...], paper: str) -> Record:
    """Return the record of revisited Oxford or Paris: image archives flattened into ``jpg/``, ground truth beside it."""
    archives = tuple(
        RemoteFile(
            path=file,
            addresses=(f"{_VGG}/{page}/{file}",),
            size=size,
            exact=False,
            unpack="tar",
            into="jpg",
            flatten=True,
            members=members,
        )
        for file, size, members in images
    )
    truth = f"gnd_{short}.pkl"
    return Record(
        name=name,
        title=title,
        home_page="http://cmp.felk.cvut.cz/revisitop",
        licence=_IMAGES_OF_FLICKR,
        citation=_REVISITED_CITATION + paper,
        used_for="03_delf, 04_landmark_recognition, 05_mean_average_precision",
        reader=f"course_utils.retrieval.RevisitedGroundTruth.from_file(folder / '{truth}'), images in jpg/",
        files=(
            *archives,
            RemoteFile(path=truth, addresses=(f"{_REVISITED}/{short}/{truth}",), size=2_000_000, exact=False, into=truth),
        ),
        expects=("jpg", truth),
        pickles=(truth,),
        redirect_hosts=("thor.robots.ox.ac.uk",),
    )


RETRIEVAL_SETS = (
    _revisited(
        "revisited_oxford",
        "Revisited Oxford (ROxford5k)",
        "roxford5k",
        "oxbuildings",
        (("oxbuild_images-v1.tgz", 1_938_238_004, 5_100),),
        'J. Philbin et al., "Object retrieval with large vocabularies and fast spatial matching", CVPR 2007.',
    ),
    _revisited(
        "revisited_paris",
        "Revisited Paris (RParis6k)",
        "rparis6k",
        "parisbuildings",
        (("paris_1-v1.tgz", 1_269_538_001, 3_300), ("paris_2-v1.tgz", 1_250_000_000, 3_300)),
        'J. Philbin et al., "Lost in quantization", CVPR 2008.',
    ),
    Record(
        name="gardens_point",
        title="GardensPoint Walking",
        home_page="https://github.com/stschubert/VPR_Tutorial",
        licence="No licence could be found; recorded by A. Glover at the Queensland University of Technology, for research.",
        citation='A. Glover, "Day and Night with Lateral Pose Change Datasets", 2014; S. Schubert, P. Neubert, S. Garg, M. Milford, '
        'T. Fischer, "Visual Place Recognition: A Tutorial", IEEE Robotics and Automation Magazine 2023, arXiv:2303.03281.',
        used_for="01_vlad, 02_netvlad",
        reader="course_utils.data.ImageFolder on day_left, day_right and night_right (200 images each, same order)",
        files=(
            RemoteFile(
                path="GardensPoint_Walking.zip",
                addresses=("https://www.tu-chemnitz.de/etit/proaut/datasets/GardensPoint_Walking.zip",),
                size=150_000_000,
                exact=False,
                unpack="zip",
                members=650,
            ),
        ),
        expects=("day_left", "day_right", "night_right"),
    ),
    Record(
        name="cub_200_2011",
        title="Caltech-UCSD Birds-200-2011",
        home_page="https://www.vision.caltech.edu/datasets/cub_200_2011",
        licence="Images belong to their photographers on Flickr; for non-commercial research and education.",
        citation='C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie, "The Caltech-UCSD Birds-200-2011 Dataset", '
        "Caltech technical report CNS-TR-2011-001, 2011.",
        used_for="11_mining_on_manifolds, 12_stml",
        reader="CUB_200_2011/images.txt, image_class_labels.txt and train_test_split.txt",
        files=(
            RemoteFile(
                path="CUB_200_2011.tgz",
                addresses=("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",),
                size=1_150_585_339,
                checksum="md5:97eceeb196236b17998738112f37df78",
                checksum_source="CaltechDATA",
                unpack="tar",
                unpacked=1_400_000_000,
                members=12_100,
            ),
        ),
        expects=("CUB_200_2011/images", "CUB_200_2011/images.txt", "CUB_200_2011/image_class_labels.txt"),
    ),
    Record(
        name="stanford_online_products",
        title="Stanford Online Products",
        home_page="https://cvgl.stanford.edu/projects/lifted_struct",
        licence="No licence is stated. Product photographs from eBay; for non-commercial research.",
        citation='H. Oh Song, Y. Xiang, S. Jegelka, S. Savarese, "Deep Metric Learning via Lifted Structured Feature Embedding", '
        "CVPR 2016, arXiv:1511.06452.",
        used_for="12_stml",
        reader="Stanford_Online_Products/Ebay_train.txt and Ebay_test.txt",
        files=(
            RemoteFile(
                path="Stanford_Online_Products.zip",
                addresses=("http://ftp.cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",),
                size=3_083_860_082,
                checksum="sha256:b04fa78210e69fab050ce73939550e1cd0f96890bdd98ec9fee732c3b756ef48",
                checksum_source="TensorFlow Datasets",
                unpack="zip",
                unpacked=3_200_000_000,
                members=120_100,
            ),
        ),
        expects=("Stanford_Online_Products/Ebay_train.txt", "Stanford_Online_Products/Ebay_test.txt"),
    ),
    Record(
        name="cars_196",
        title="Cars-196 (Stanford Cars)",
        home_page="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        licence="Not stated; for research.",
        citation='J. Krause, M. Stark, J. Deng, L. Fei-Fei, "3D Object Representations for Fine-Grained Categorization", 3dRR 2013.',
        used_for="12_stml",
        files=(),
        note="The original address is dead: HTTP 404 since 2023, as reports in the repositories of torchvision and TensorFlow "
        "Datasets say. No copy with a published check sum is known to us, so these scripts do not fetch it.",
    ),
)
