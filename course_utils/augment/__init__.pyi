# The public names in the order in which the course meets them; loaded when they are first used.
# chapter 13: draw, then change; colour and space
from .sampling import RandomTransform as RandomTransform
from .sampling import Draw as Draw
