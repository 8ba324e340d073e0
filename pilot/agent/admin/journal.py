"""`pilot-agent journal show|verify`."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from keys import signers, sshsig
from keys.errors import KeysError
from pilot.agent.admin.context import Context, put_json, say
from pilot.agent.admin.times import parse_date, show_date
from pilot.agent.journal_read import Filter, last, pages, read
from pilot.agent.journal_verify import check_receipts, verify_journal
from pilot.agent.recordings.audit import Audit, Audited, audit
from pilot.errors import Exit
from pilot.journal import Record
from pilot.journal_check import UNSIGNED, Report, read_receipts
from pilot.wire import plain

FOLLOW_SECONDS = 0.5


def show(args: argparse.Namespace) -> int:
    """Print records."""
    with Context(args) as context:
        wanted = Filter(
            since=None if args.since is None else parse_date(args.since, context.now, back=True),
            until=None if args.until is None else parse_date(args.until, context.now, back=True),
            cluster=args.cluster,
            principal=args.principal,
            verb=args.verb,
            open=args.open,
        )
        everything = args.since is not None or args.until is not None or args.open
        after = 0
        if args.limit or not everything:
            chosen = last(context.database, wanted, args.limit or 50)
            _put(chosen, context.json)
            after = chosen[-1].id if chosen else 0
        else:
            for page in pages(context.database, wanted):
                _put(page, context.json)
                after = page[-1].id
        while args.follow:
            sys.stdout.flush()
            page = read(context.database, wanted, after=after)
            _put(page, context.json)
            if page:
                after = page[-1].id
            else:
                time.sleep(FOLLOW_SECONDS)
    return Exit.OK


def verify(args: argparse.Namespace) -> int:
    """Check the chain, the signatures, and receipts."""
    with Context(args) as context:
        receipts = [receipt for path in args.receipt or () for receipt in read_receipts(path)]
        database = context.database
        airboss = _host_key(context)
        keys = {key for key in (airboss, *(args.airboss or ())) if key} or None
        begin = time.monotonic()

        def progress(count: int) -> None:
            if time.monotonic() - begin > 1 and sys.stderr.isatty():
                print(f"\r{count} records…", end="", file=sys.stderr, flush=True)

        report = verify_journal(database, progress, airboss=keys)
        if time.monotonic() - begin > 1 and sys.stderr.isatty():
            say("")
        witnessed = check_receipts(database, receipts, keys)
        recordings = audit(database, context.settings.recordings_folder, airboss)
        bad = [(id, problem) for id, problem in witnessed if problem]
        if keys is None and (report.signed or receipts):
            path = context.settings.host_key.with_suffix(".pub")
            say(f"{path} cannot be read: for which airboss requests and receipts are is NOT checked")
        if context.json:
            put_json(
                {
                    **msgspec.structs.asdict(report),
                    "ok": report.broken is None and not bad and not recordings.troubled,
                    "airboss": None if keys is None else sorted(keys),
                    "unsigned": UNSIGNED,
                    "receipts": [{"record": id, "problem": problem} for id, problem in witnessed],
                    "recordings": recordings,
                }
            )
        else:
            _say_report(report)
            for id, problem in witnessed:
                print(f"receipt of record {id or '?'}: {problem or 'the journal has it as it was signed'}")
            _say_audit(recordings)
    return Exit.FAILED if report.broken is not None or bad or recordings.troubled else Exit.OK


def _say_report(report: Report) -> None:
    if report.broken is not None:
        print(f"BROKEN at record {report.broken}: {report.problem}")
        print(f"{report.records} records before it are right, {report.signed} of them signed requests")
        return
    print(
        f"{report.records} records are right, {report.signed} of them signed requests whose signature holds"
    )
    if report.signed:
        print(
            "a signature does not cover the signer's name, nor the UUIDs of the nodes: the chain holds those"
        )
    print(f"head: record {report.head.id}, {report.head.hash}")
    if report.open:
        print(f"{report.open} intents have no outcome: at work now, or interrupted (journal show --open)")


def _say_audit(found: Audit) -> None:
    for one in found.troubled:
        print(f"RECORDING {_name(one)} is {one.finding.trouble.upper()}: {one.finding.words}")
    right = [one for one in found.recordings if not one.finding.trouble]
    if right:
        print(f"{len(right)} recordings of consoles are as they were sealed")
    for one in right:
        if one.goes_on:
            words = f": {one.finding.words}" if one.finding.words else ""
            print(f"recording {_name(one)} goes on{words}")
    if found.elsewhere:
        print(f"{found.elsewhere} recordings are with other airbosses of this journal: NOT checked")
    for name in found.unknown:
        print(f"{plain(name)} is no recording that the journal knows")


def _name(one: Audited) -> str:
    return f"{plain(one.id, 40)} of {plain(one.name)} ({plain(one.cluster)}, {plain(one.node, 64)})"


def _host_key(context: Context) -> str | None:
    """The fingerprint of our host key, if its public half is where it should be."""
    try:
        text = context.settings.host_key.with_suffix(".pub").read_text()
        return sshsig.fingerprint(signers.parse_public_key(text)[0])
    except (OSError, UnicodeDecodeError, KeysError):
        return None


def _put(records: list[Record], as_json: bool) -> None:
    for record in records:
        if as_json:
            put_json(_as_json(record))
        else:
            print(_line(record))


def _line(record: Record) -> str:
    begin = f"{record.id:>6} {show_date(record.seconds)} {record.kind:<7}"
    if record.kind == "outcome":
        return f"{begin} of {record.intent}: {_result(record.result_json)}"
    who = plain(record.principal, 64)
    targets = " ".join(plain(target, 64) for target in record.targets)
    words = [begin, f"{who} ({record.auth})", plain(record.cluster, 64), plain(record.verb, 64)]
    words.append(plain(targets, 200))
    if record.kind == "event":
        words.append(_result(record.result_json))
    return " ".join(word for word in words if word)


def _result(text: str) -> str:
    """A result in few words: target and how it ended, or the JSON as it is."""
    result = msgspec.json.decode(text)
    if isinstance(result, list) and all(isinstance(item, dict) and "target" in item for item in result):
        text = ", ".join(_outcome(item) for item in result) or "nothing"
    elif isinstance(result, str):
        text = result
    elif result is None or result == []:
        return ""
    return plain(text, 300)


def _outcome(item: dict[str, object]) -> str:
    said = f"{item['target']} {item.get('result', '?')}"
    fault = item.get("fault")
    return f"{said} ({fault.get('message', '')})" if isinstance(fault, dict) else said


def _as_json(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "time": record.seconds,
        "kind": record.kind,
        "principal": record.principal,
        "fingerprint": record.fingerprint,
        "auth": record.auth,
        "cluster": record.cluster,
        "verb": record.verb,
        "targets": msgspec.Raw(record.targets_json.encode()),
        "args": msgspec.Raw(record.args_json.encode()),
        "result": msgspec.Raw(record.result_json.encode()),
        "intent": record.intent,
        "body": record.body.decode(errors="replace"),
        "signature": sshsig.armor(record.signature) if record.signature else "",
        "prev": record.prev,
        "hash": record.hash,
    }
