"""The example app of `./dev run`: a web page with the official SDK, on another origin than the API, as real apps are.

`site/` is what a frontend developer copies. `vendor/` holds the SDK's file for browsers and a library for QR pictures
as npm has them, so that neither Node nor a network is needed; a test compares them with what is recorded.
"""

from devstack.example_app.server import open_example_app

__all__ = ["open_example_app"]
