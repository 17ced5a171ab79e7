"""What can go wrong, one class per kind. The message is written for the person at the keyboard."""


class DataScriptError(Exception):
    """Something that the command line reports as one paragraph, without a traceback."""


class DownloadFailed(DataScriptError):
    """The server did not deliver the file, or offered another one."""


class Gone(DownloadFailed):
    """The address does not answer or no longer has the file: it must be fetched by hand."""


class WrongChecksum(DataScriptError):
    """The bytes are not those that were published, or not those of the first time."""


class UnsafeArchive(DataScriptError):
    """The archive asks for something that no data set needs."""


class WrongContents(DataScriptError):
    """The archive is safe, but what it holds is not the data set, or would run code when read."""


class NoSpace(DataScriptError):
    """There is not enough room on the disk."""


class InTheWay(DataScriptError):
    """Something that these scripts did not make stands where the data set belongs."""
