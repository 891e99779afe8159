"""Dispatch due mails of projects that have a relay of their own: a batch at a time for each of those relays."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from service.store.outbox import DueMail
from worker.batches import Batches
from worker.relays.route import Route
from worker.wake_ups import WakeUps

# Due mails that are looked at at a time.
_MOST = 100


@dataclass(slots=True)
class OwnRelayDispatcher:
    """Dispatcher of one worker's mails that go by projects' own relays. No relay waits for another's claim or rate."""

    batches: Batches
    wake_ups: WakeUps = field(init=False)
    # Projects that may have more due mails than their relay has room for.
    _backlog: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wake_ups = WakeUps(self._dispatch, self.batches.report)

    async def _dispatch(self) -> None:
        """Begin batches until no relay takes more: a long backlog of one holds up no other."""
        delivery = self.batches.delivery
        while (projects := (await delivery.relays.choose()).own) and not delivery.slots.is_closed():
            due = await self.batches.find_due(_MOST, only=projects)
            found = defaultdict[str, list[DueMail]](list)
            for mail in due:
                if self.batches.is_free(mail.id):
                    found[mail.project_id].append(mail)
            begun = [self._begin(project_id, mails) for project_id, mails in found.items()]
            if len(due) < _MOST:
                return
            self._backlog.update(found)
            if not any(begun):
                return
            await asyncio.sleep(0)  # each batch has made its relay busy

    def _begin(self, project_id: str, mails: list[DueMail]) -> bool:
        """Begin a batch that the relay has room for, if any."""
        route = self.batches.delivery.relays.route_of(project_id)
        # The project's server may have been removed since its mails were looked for.
        room = route.room() if route.settings else 0
        if len(mails) > room:
            self._backlog.add(project_id)
        else:
            self._backlog.discard(project_id)
        if batch := mails[: max(0, room)]:
            task = asyncio.create_task(self._claim(project_id, route, batch))
            self.batches.register(task, *(mail.id for mail in batch))
        return bool(batch)

    async def _claim(self, project_id: str, route: Route, mails: list[DueMail]) -> None:
        try:
            tried, begun = await self.batches.claim(route, mails)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next poll comes
            self.batches.report(error)
            return
        if tried < len(mails):
            self._backlog.add(project_id)
        for task in begun:
            task.add_done_callback(lambda _: self._continue(project_id, route))

    def _continue(self, project_id: str, route: Route) -> None:
        """Look for the next batch once half of the relay's mails have ended."""
        if project_id in self._backlog and route.is_half_empty() and not self.batches.delivery.slots.is_closed():
            self._backlog.discard(project_id)
            self.wake_ups.wake()
