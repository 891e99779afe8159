"""No address is mailed that a browser reads differently than we do (S25 to S27; docs/reliability.md G11)."""

import pytest

from bench.resilience import redirect_parsers, redirect_vectors
from service.links import redirect_policy
from testkit.node import node

needs_node = pytest.mark.skipif(not node(), reason="the oracle is node's parser of addresses")


@needs_node
async def test_s25_a_browser_agrees_with_us():
    """Of 4,000 hostile addresses none that we allow opens elsewhere; of 50 good ones none is refused (G11)."""
    judged = await redirect_parsers.judge(4000, seed=25)
    assert judged.tried >= 4000
    assert judged.wrong == []
    assert judged.refused_good == []
    assert judged.allowed > len(redirect_vectors.GOOD), "some mutations are harmless, else nothing was compared"


@pytest.mark.parametrize("scheme", ["javascript", "data", "vbscript", "file", "blob", "view-source", "mailto", "x-app"])
@pytest.mark.parametrize(
    "form", ["{0}:alert(1)", "{0}://app.example.com/", "{1}://app.example.com", " {0}:x", "{2}:x", "{0}:\nx", "\t{0}:x"]
)
def test_s26_a_scheme_of_its_own_is_never_mailed(scheme: str, form: str):
    """Only https, and http on one's own machine: in whatever case, behind whatever blank."""
    url = form.format(scheme, scheme.upper(), scheme[0] + "\t" + scheme[1:])
    with pytest.raises(ValueError, match="URL"):
        redirect_policy.check(url, ["app.example.com"], plain_http=True)
