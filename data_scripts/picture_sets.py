"""Records of the data sets of small pictures: augmentation, clustering, embeddings, generative chapters.

Addresses and MD5 sums are those of torchvision's own loaders (a test compares them with the installed torchvision),
of the MedMNIST project's ``info.py`` for its Zenodo record, and of scikit-learn for the Figshare copy of LFW. Every
finished folder has the layout of torchvision's loader, which reads it with ``download=False`` and the folder as its
root.

Why torchvision does not fetch them itself: its downloads cannot be continued, have no limit and no time-out, unpack
into the final folder, and unpickle CIFAR with ``pickle.load``. Its loaders read what has passed the checks here.
"""

from __future__ import annotations

from data_scripts.records import Record, RemoteFile

_TORCHVISION = "torchvision"
_MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_MNIST_BYTES = (47_040_016, 60_008, 7_840_016, 10_008)


def _md5(path: str, address: str | tuple[str, ...], size: int, md5: str, source: str = _TORCHVISION, **rest) -> RemoteFile:
    addresses = (address,) if isinstance(address, str) else address
    return RemoteFile(path=path, addresses=addresses, size=size, checksum=f"md5:{md5}", checksum_source=source, **rest)


def _idx(folder: str, mirrors: tuple[str, ...], facts: tuple[tuple[int, str], ...]) -> tuple[RemoteFile, ...]:
    """Return the four compressed files of MNIST or Fashion-MNIST."""
    return tuple(
        _md5(f"{name}.gz", tuple(f"{mirror}{name}.gz" for mirror in mirrors), size, md5,
             unpack="gzip", into=f"{folder}/raw/{name}", unpacked=unpacked)
        for name, unpacked, (size, md5) in zip(_MNIST_FILES, _MNIST_BYTES, facts)
    )  # fmt: skip


def _medmnist(name: str, title: str, size: int, md5: str, source: str) -> Record:
    return Record(
        name=name,
        title=f"MedMNIST {title}",
        home_page="https://medmnist.com",
        licence="CC BY 4.0",
        citation='J. Yang et al., "MedMNIST v2: A large-scale lightweight benchmark for 2D and 3D biomedical image classification", '
        f"Scientific Data 10:41, 2023; images: {source}.",
        used_for="19_gan_augmentation",
        reader=f"numpy.load('{name}.npz', allow_pickle=False): train_images, train_labels, val_..., test_...",
        files=(
            _md5(f"{name}.npz", f"https://zenodo.org/records/10519652/files/{name}.npz?download=1", size, md5,
                 source="the MedMNIST project", exact=False, into=f"{name}.npz"),
        ),
        expects=(f"{name}.npz",),
        arrays=(f"{name}.npz",),
    )  # fmt: skip


def _cifar(name: str, classes: int, size: int, md5: str, folder: str, batches: tuple[str, ...]) -> Record:
    return Record(
        name=name,
        title=f"CIFAR-{classes}",
        home_page="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="No licence is stated; collected from the web for research.",
        citation='A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, 2009.',
        used_for="13_colour_and_space to 18_does_it_help, 22_autoaugment to 27_deepaugment_and_shootout",
        reader=f"torchvision.datasets.CIFAR{classes}(folder)",
        files=(
            _md5(f"cifar-{classes}-python.tar.gz", f"https://www.cs.toronto.edu/~kriz/cifar-{classes}-python.tar.gz", size, md5,
                 unpack="tar", unpacked=190_000_000, members=12),
        ),
        expects=tuple(f"{folder}/{batch}" for batch in batches),
        pickles=tuple(f"{folder}/{batch}" for batch in batches),
        redirect_hosts=("cave.cs.toronto.edu",),
    )  # fmt: skip


PICTURE_SETS = (
    _cifar("cifar10", 10, 170_498_071, "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py",
           (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")),
    _cifar("cifar100", 100, 169_001_437, "eb9058c3a382ffc7106e4002c42a8d85", "cifar-100-python", ("train", "test", "meta")),
    Record(
        name="stl10",
        title="STL-10",
        home_page="https://cs.stanford.edu/~acoates/stl10",
        licence="Images from ImageNet, whose terms hold: non-commercial research and education.",
        citation='A. Coates, H. Lee, A. Y. Ng, "An Analysis of Single Layer Networks in Unsupervised Feature Learning", AISTATS 2011.',
        used_for="11_mining_on_manifolds, 18_does_it_help",
        reader="torchvision.datasets.STL10(folder)",
        files=(
            _md5("stl10_binary.tar.gz", ("https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                                         "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"),
                 2_640_397_119, "91f7769df0f17e558f3565bffb0c7dfb", unpack="tar", unpacked=3_150_000_000, members=12),
        ),
        expects=("stl10_binary/train_X.bin", "stl10_binary/test_X.bin", "stl10_binary/unlabeled_X.bin"),
        redirect_hosts=("cs.stanford.edu", "ai.stanford.edu"),
    ),
    Record(
        name="svhn",
        title="Street View House Numbers, cropped digits, train and test",
        home_page="http://ufldl.stanford.edu/housenumbers",
        licence="For non-commercial use only.",
        citation='Y. Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning", NIPS workshop 2011.',
        used_for="13_colour_and_space, 22_autoaugment to 27_deepaugment_and_shootout",
        reader="torchvision.datasets.SVHN(folder, split='train' or 'test')",
        files=tuple(
            _md5(f"{split}_32x32.mat", f"http://ufldl.stanford.edu/housenumbers/{split}_32x32.mat", size, md5, into=f"{split}_32x32.mat")
            for split, size, md5 in (("train", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
                                     ("test", 64_275_384, "eb5a983be6a315427106f1b164d9cef3"))
        ),
        expects=("train_32x32.mat", "test_32x32.mat"),
        note="The 1.3 GB of extra digits are not fetched.",
    ),
    Record(
        name="mnist",
        title="MNIST",
        home_page="http://yann.lecun.com/exdb/mnist",
        licence="No licence is stated (commonly given as CC BY-SA 3.0).",
        citation='Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", '
        "Proceedings of the IEEE 1998.",
        used_for="07_kmeans, 10_tsne",
        reader="torchvision.datasets.MNIST(folder)",
        files=_idx("MNIST", ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
                   ((9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"), (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
                    (1_648_877, "9fb629c4189551a2d022fa330f9573f3"), (4_542, "ec29112dd5afa0611ce80d1b7f02629c"))),
        expects=tuple(f"MNIST/raw/{name}" for name in _MNIST_FILES),
    ),
    Record(
        name="fashion_mnist",
        title="Fashion-MNIST",
        home_page="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation='H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning '
        'Algorithms", 2017, arXiv:1708.07747.',
        used_for="07_kmeans, 09_dimension_reduction, 10_tsne",
        reader="torchvision.datasets.FashionMNIST(folder)",
        files=_idx("FashionMNIST", ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
                   ((26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"), (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
                    (4_422_102, "bef4ecab320f06d8554ea6380940ec79"), (5_148, "bb300cfdad3c16e7a12a480ee83cd310"))),
        expects=tuple(f"FashionMNIST/raw/{name}" for name in _MNIST_FILES),
    ),
    Record(
        name="flowers102",
        title="Oxford 102 Flowers",
        home_page="https://www.robots.ox.ac.uk/~vgg/data/flowers/102",
        licence="No licence is stated; images from the web, for research.",
        citation='M.-E. Nilsback, A. Zisserman, "Automated Flower Classification over a Large Number of Classes", ICVGIP 2008.',
        used_for="11_mining_on_manifolds, 13_colour_and_space",
        reader="torchvision.datasets.Flowers102(folder)",
        files=(
            _md5("102flowers.tgz", "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz", 344_862_509,
                 "52808999861908f626f3c1f4e79d11fa", unpack="tar", into="flowers-102", members=8_200),
            _md5("imagelabels.mat", "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat", 502,
                 "e0620be6f572b9609742df49c70aed4d", exact=False, into="flowers-102/imagelabels.mat"),
            _md5("setid.mat", "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/setid.mat", 14_989,
                 "a5357ecc9cb78c4bef273ce3793fc85c", exact=False, into="flowers-102/setid.mat"),
        ),
        expects=("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat"),
        redirect_hosts=("thor.robots.ox.ac.uk",),
    ),
    Record(
        name="oxford_iiit_pet",
        title="Oxford-IIIT Pet",
        home_page="https://www.robots.ox.ac.uk/~vgg/data/pets",
        licence="CC BY-SA 4.0; the images belong to their photographers",
        citation='O. M. Parkhi, A. Vedaldi, A. Zisserman, C. V. Jawahar, "Cats and Dogs", CVPR 2012.',
        used_for="13_colour_and_space, 14_erasing",
        reader="torchvision.datasets.OxfordIIITPet(folder)",
        files=(
            _md5("images.tar.gz", "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", 791_918_971,
                 "5c4f3ee8e5d25df40f4fd59a7f44e54c", unpack="tar", into="oxford-iiit-pet", members=7_500),
            _md5("annotations.tar.gz", "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz", 19_173_078,
                 "95a8c909bbe2e81eed6a22bccdf3f68f", unpack="tar", into="oxford-iiit-pet", unpacked=80_000_000, members=20_000),
        ),
        expects=("oxford-iiit-pet/images", "oxford-iiit-pet/annotations/trainval.txt", "oxford-iiit-pet/annotations/test.txt"),
        redirect_hosts=("thor.robots.ox.ac.uk",),
    ),
    Record(
        name="caltech101",
        title="Caltech 101",
        home_page="https://data.caltech.edu/records/mzrjq-6wc02",
        licence="CC BY 4.0",
        citation='L. Fei-Fei, R. Fergus, P. Perona, "Learning generative visual models from few training examples", CVPR workshop 2004.',
        used_for="09_dimension_reduction, 18_does_it_help",
        reader="torchvision.datasets.Caltech101(folder)",
        files=(
            _md5("caltech-101.zip", "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", 137_414_764,
                 "3138e1922a9193bfa496528edbbc45d0", unpack="zip", into="caltech101", unpacked=450_000_000, members=20_000,
                 inner=("caltech-101/101_ObjectCategories.tar.gz", "caltech-101/Annotations.tar")),
        ),
        expects=("caltech101/101_ObjectCategories", "caltech101/Annotations"),
    ),
    Record(
        name="lfw",
        title="Labeled Faces in the Wild, funneled",
        home_page="http://vis-www.cs.umass.edu/lfw",
        licence="No licence is stated; press photographs, for research. Its makers ask not to draw conclusions about real face recognition.",
        citation='G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the Wild", technical report 07-49, 2007.',
        used_for="09_dimension_reduction, 21_gangealing",
        reader="torchvision.datasets.LFWPairs(folder, image_set='funneled')",
        files=(
            _md5("lfw-funneled.tgz", "https://ndownloader.figshare.com/files/5976015", 243_346_528,
                 "1b42dfed7d15c9b2dd63d5e5840c86ad", unpack="tar", into="lfw-py", unpacked=260_000_000, members=19_100),
            _md5("lfw-funneled.tgz", "https://ndownloader.figshare.com/files/5976015", 243_346_528,
                 "1b42dfed7d15c9b2dd63d5e5840c86ad", into="lfw-py/lfw-funneled.tgz"),  # torchvision looks at the archive, too
            *(_md5(name, f"https://ndownloader.figshare.com/files/{number}", 100_000, md5, exact=False, into=f"lfw-py/{name}")
              for name, number, md5 in (("pairs.txt", 5976006, "9f1ba174e4e1c508ff7cdf10ac338a7d"),
                                        ("pairsDevTest.txt", 5976009, "5132f7440eb68cf58910c8a45a2ac10b"),
                                        ("pairsDevTrain.txt", 5976012, "4f27cbf15b2da4a85c1907eb4181ad21"))),
        ),
        expects=("lfw-py/lfw_funneled", "lfw-py/pairs.txt"),
        redirect_hosts=("s3-eu-west-1.amazonaws.com",),
        note="The original server no longer answers; Figshare has the copy that scikit-learn uses, with the same MD5.",
    ),
    _medmnist("organamnist", "OrganAMNIST", 38_200_000, "68e3f8846a6bd62f0c9bf841c0d9eacc", "LiTS, P. Bilic et al., 2019"),
    _medmnist("breastmnist", "BreastMNIST", 560_000, "750601b1f35ba3300ea97c75c52ff8f6", "W. Al-Dhabyani et al., Data in Brief 2020"),
)  # fmt: skip
