"""Recordings that the stand-in has: their bytes, and what its journal says of them."""

from __future__ import annotations

import msgspec

from pilot import wire
from pilot.asciicast import Encoder, Event, Header
from pilot.journal import FIRST, Record, entry, hash_of
from pilot.recording_seals import BEGAN, ENDED, SEALED, Sealer
from pilot.verbs import BY_ID
from tests.client.stand_in import NOW, Channel, StandIn

ID = "ab12cd34ef56ab78"


def cast(*events: Event) -> bytes:
    encoder = Encoder(Header(80, 24, int(NOW), "compute-0-0"))
    return encoder.header() + b"".join(map(encoder.event, events))


DATA = cast(
    Event(0.5, "o", "SeaBIOS\r\n"),
    Event(1.0, "m", "turned on"),
    Event(1.5, "o", "\x1b[32mlogin:\x1b[m é\x1b]0;owned\x07 "),
)


class Recorded:
    """Has recordings. Set `airboss.on_request` to `answer`."""

    def __init__(self, airboss: StandIn, data: bytes = DATA, ended: bool = True) -> None:
        self.airboss = airboss
        self.data = data
        """What is sent: may be another than what was sealed."""
        self.recording = wire.Recording(
            ID, "u-0", "compute-0-0", "vc1", "ada", NOW, NOW + 90 if ended else 0.0, len(data),
            why_ended="ada ended it" if ended else "",
        )  # fmt: skip
        self.others: tuple[wire.Recording, ...] = ()
        self.reads_journal = True
        self.cut = 0
        """So many bytes of the end are not sent."""
        self.journal: list[Record] = []
        self._note(BEGAN, {"id": ID})
        sealer = Sealer()
        half = len(data) // 2
        for part, last in ((data[:half], False), (data[half:], ended)):
            sealer.take(part)
            self._note("power.on", {"id": ID})
            self._note(SEALED, {"id": ID, **msgspec.to_builtins(sealer.seal(last))})
        if ended:
            self._note(ENDED, {"id": ID, "why": "ada ended it"})

    def _note(self, verb: str, result: object) -> None:
        of = entry(NOW, "event", principal="", auth="airboss", cluster="vc1", verb=verb, result=result)
        id, prev = len(self.journal) + 1, self.journal[-1].hash if self.journal else FIRST
        fields = {name: getattr(of, name) for name in of.__struct_fields__}
        self.journal.append(Record(**fields, id=id, prev=prev, hash=hash_of(of, id, prev)))

    async def answer(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        verb = BY_ID[body.verb]
        args = verb.arguments(body.args)
        if body.verb == "record.list":
            # In two pages.
            channel.send(wire.Reply(), wire.Recordings((self.recording,), True), wire.Recordings(self.others))
        elif body.verb == "record.read":
            assert args == {"id": ID}
            channel.send(wire.Reply(), wire.Recordings((self.recording,)))
            data = self.data[: len(self.data) - self.cut]
            for at in range(0, len(data), 50):
                channel.send(wire.Output(data[at : at + 50]))
        elif body.verb == "journal.read" and not self.reads_journal:
            channel.send(wire.Reply(fault=wire.Fault("refused", "only owners read the journal", "")))
        elif body.verb == "journal.read":
            before, last = int(args["before"]) or 10**9, int(args["last"])
            # Three records at a time, however many are asked for: as if there were very many.
            found = [record for record in self.journal if record.id < before][-min(last, 3) :]
            channel.send(wire.Reply(), wire.JournalPage(tuple(found)))
        else:
            await self.airboss.answer(channel, request, body)
