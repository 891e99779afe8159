"""`python -m bench.sink`: the tests' SMTP sink in a process of its own, so that it sits in nobody's loop."""

import uvloop

from bench.programs import Order, obey
from testkit.sink import Sink


async def main() -> None:
    """Orders: `port`, `wait` for so many mails, `take` what came and forget it."""
    async with Sink(record_commands=False) as sink:

        async def act(order: Order) -> Order:
            if order["order"] == "port":
                return {"port": sink.port}
            if order["order"] == "wait":
                await sink.wait_for(order["count"], timeout=50)
                return {}
            mails = sink.mails[:]
            sink.mails.clear()
            return {
                "violations": sink.violations,
                "bytes": sum(len(mail.content) for mail in mails),
                "arrived": {mail.recipients[0]: mail.at for mail in mails},
                "count": len(mails),
            }

        await obey(act)


if __name__ == "__main__":
    uvloop.run(main())
