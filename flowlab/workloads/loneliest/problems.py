"""What can go wrong between the job, its site and the disk: one error each, and the builtin it means."""

from __future__ import annotations

from flowlab.errors import FlowlabError


class SiteError(FlowlabError, ConnectionError):
    """The site cannot be reached, cannot be started, or keeps failing."""


class LoginError(FlowlabError, PermissionError):
    """The site does not let us in."""


class PageError(FlowlabError, ValueError):
    """A page or file of the site is not what the job expects."""


class FolderError(FlowlabError, OSError):
    """The downloads folder cannot be written."""
