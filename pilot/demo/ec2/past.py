"""What pretended instances have behind them: moto only knows what happened since it was started."""

from __future__ import annotations

import calendar
import time
import xml.etree.ElementTree as ET  # what is read is moto's own
from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec

from pilot.demo.ec2.answers import Answer


class Past(msgspec.Struct, frozen=True):
    """Of one instance. Times in seconds since the epoch."""

    launched: float
    """When it was started last."""
    stopped: float = 0.0
    """When it came to be what it is; 0 if it runs."""
    code: str = ""
    """EC2's code of why it does not run."""
    words: str = ""
    event: tuple[str, str, float] | None = None
    """What EC2 has scheduled: code, description, not before."""
    percent: float = 40.0
    """How busy its processors have been since it was started."""


def told(body: bytes, pasts: Mapping[str, Past]) -> bytes:
    """Moto's descriptions of instances, or of their status, with their pasts."""
    root = ET.fromstring(body)  # noqa: S314
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    ET.register_namespace("", space.strip("{}"))
    for item in root.iter(f"{space}item"):
        past = pasts.get(item.findtext(f"{space}instanceId") or "")
        if past is None:
            continue
        if (launch := item.find(f"{space}launchTime")) is not None:
            launch.text = stamp(past.launched)
            _explain(item, past, space)
        elif past.event is not None and item.find(f"{space}instanceStatus") is not None:
            code, words, begin = past.event
            event = ET.SubElement(ET.SubElement(item, f"{space}eventsSet"), f"{space}item")
            for tag, value in (("code", code), ("description", words), ("notBefore", stamp(begin))):
                ET.SubElement(event, space + tag).text = value
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root)


def _explain(item: ET.Element, past: Past, space: str) -> None:
    if not past.stopped or item.findtext(f"{space}instanceState/{space}name") not in (
        "stopped",
        "terminated",
    ):
        return
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(past.stopped))
    if (change := item.find(f"{space}reason")) is not None:
        who = "User" if past.code.startswith("Client.User") else "Service"
        change.text = f"{who} initiated ({when} GMT)"
    reason = item.find(f"{space}stateReason")
    if reason is not None:
        for tag, value in (("code", past.code), ("message", f"{past.code}: {past.words}")):
            if (found := reason.find(space + tag)) is not None:
                found.text = value


def metrics(form: Mapping[str, str], pasts: Mapping[str, Past], now: float) -> Answer:
    """CloudWatch's answer to GetMetricData: how busy processors were, each five minutes."""
    begin = calendar.timegm(time.strptime(form["StartTime"][:19], "%Y-%m-%dT%H:%M:%S"))
    spans = range(300, int(now - begin), 300)
    results = []
    number = 1
    while f"{(query := f'MetricDataQueries.member.{number}')}.Id" in form:
        number += 1
        name = form[f"{query}.Id"]
        past = pasts.get(form.get(f"{query}.MetricStat.Metric.Dimensions.member.1.Value", ""))
        times = [] if past is None else [now - ago for ago in spans if now - ago > past.launched]
        stamps = "".join(f"<member>{stamp(at)}</member>" for at in times)
        values = "".join(f"<member>{past.percent if past else 0}</member>" for _ in times)
        results.append(
            f"<member><Id>{escape(name)}</Id><StatusCode>Complete</StatusCode>"
            f"<Timestamps>{stamps}</Timestamps><Values>{values}</Values></member>"
        )
    body = (
        '<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult>'
        f"<MetricDataResults>{''.join(results)}</MetricDataResults></GetMetricDataResult>"
        "<ResponseMetadata><RequestId>pretended</RequestId></ResponseMetadata></GetMetricDataResponse>"
    )
    return 200, "text/xml;charset=UTF-8", body.encode()


def stamp(at: float) -> str:
    """A time as EC2 writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
