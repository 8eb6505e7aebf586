"""The landing page of the local stack, on top of docs/frontend/connect.js, at an origin of its own."""

from local.page.server import Page

__all__ = ["Page"]
