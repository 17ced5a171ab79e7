"""Google Landmarks v2: its tables, images, solutions and submissions, and a miniature with the same files.

====================  ===========================================================================
``tables``            CSV files row by row; ids; where an image lies
``reader``            ``GoogleLandmarks``: one split as a data set
``submissions``       solutions and submissions of the recognition and the retrieval task
``parts``             archives and their MD5 files
``miniature``         the same files with generated photographs, for chapters and tests
``published``         numbers that the paper and the repository publish
====================  ===========================================================================

Source: T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2 - A Large-Scale Benchmark for Instance-Level
Recognition and Retrieval", CVPR 2020, arXiv:2004.01804; repository ``cvdfoundation/google-landmark``, version 2.1. Cleaned
subset: S. Yokoo, K. Ozaki, E. Simo-Serra, S. Iizuka, arXiv:2003.11211.

The public names are re-exported by ``course_utils.data``. Taught in ``04_landmark_recognition``.
"""

from course_utils.data.google_landmarks.miniature import google_landmarks_miniature as google_landmarks_miniature
from course_utils.data.google_landmarks.parts import PartCheck as PartCheck
from course_utils.data.google_landmarks.parts import check_parts as check_parts
from course_utils.data.google_landmarks.published import RECOGNITION_SCORES as RECOGNITION_SCORES
from course_utils.data.google_landmarks.published import RETRIEVAL_SCORES as RETRIEVAL_SCORES
from course_utils.data.google_landmarks.published import SPLIT_SIZES as SPLIT_SIZES
from course_utils.data.google_landmarks.published import TEST_LANDMARK_SHARE as TEST_LANDMARK_SHARE
from course_utils.data.google_landmarks.published import SplitSize as SplitSize
from course_utils.data.google_landmarks.reader import Attribution as Attribution
from course_utils.data.google_landmarks.reader import GoogleLandmarks as GoogleLandmarks
from course_utils.data.google_landmarks.reader import LandmarkCategory as LandmarkCategory
from course_utils.data.google_landmarks.reader import LandmarkPhoto as LandmarkPhoto
from course_utils.data.google_landmarks.submissions import Solution as Solution
from course_utils.data.google_landmarks.submissions import read_solution as read_solution
from course_utils.data.google_landmarks.submissions import read_submission as read_submission
from course_utils.data.google_landmarks.submissions import write_submission as write_submission
