"""An OpenID Connect provider to try "sign in with ..." on one machine: whoever types an address is that person.

It proves nothing about anybody, keeps nothing, and signs with a key that is made at each start. The service takes
plain http from this machine alone, so it is on 127.0.0.1 only, also where other parts are in the LAN.
"""

from devstack.identity_provider.grants import Client
from devstack.identity_provider.server import open_identity_provider

__all__ = ["Client", "open_identity_provider"]
