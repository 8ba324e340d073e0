"""AWS's answers as the stand-in gives them: XML of EC2, JSON of the others, and what it changes in moto's."""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ET  # what is read is moto's own
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

SPOT_PRICES = {"m5.large": 0.0372, "m5.xlarge": 0.0741}
"""US dollars an hour."""

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


def xml(action: str, **fields: str) -> Answer:
    """EC2's answer to an action."""
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    body = (
        f'<{action}Response xmlns="{NAMESPACE}"><requestId>pretended</requestId>{inside}</{action}Response>'
    )
    return 200, "text/xml;charset=UTF-8", body.encode()


def error(status: int, code: str, message: str, *, as_json: bool = False) -> Answer:
    """An error."""
    if as_json:
        said = json.dumps({"__type": code, "Message": message}).encode()
        return status, "application/x-amz-json-1.1", said
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        "<RequestID>pretended</RequestID></Response>"
    )
    return status, "text/xml;charset=UTF-8", body.encode()


def told(data: object) -> Answer:
    """A JSON service's answer."""
    return 200, "application/x-amz-json-1.1", json.dumps(data).encode()


def product(type: str, region: str, hour: float) -> Mapping[str, Any]:
    """An answer of GetProducts with one price."""
    price = {
        "product": {"attributes": {"instanceType": type, "regionCode": region, "note": "pretended"}},
        "terms": {
            "OnDemand": {"p": {"priceDimensions": {"d": {"unit": "Hrs", "pricePerUnit": {"USD": str(hour)}}}}}
        },
    }
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(price)]}


def spot_prices(region: str, now: float) -> Answer:
    """EC2's answer of what spot instances cost now: pretended prices of the demo's types."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now))
    items = "".join(
        f"<item><instanceType>{kind}</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{hour}</spotPrice><timestamp>{at}</timestamp>"
        f"<availabilityZone>{region}a</availabilityZone></item>"
        for kind, hour in SPOT_PRICES.items()
    )
    body = (
        f'<DescribeSpotPriceHistoryResponse xmlns="{NAMESPACE}"><requestId>pretended</requestId>'
        f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken/></DescribeSpotPriceHistoryResponse>"
    )
    return 200, "text/xml;charset=UTF-8", body.encode()


def overlaid(body: bytes, states: Mapping[str, tuple[str, str, str]]) -> bytes:
    """Moto's descriptions of instances with other states: state, reason's code and words, by instance id."""
    root = ET.fromstring(body)  # noqa: S314
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    ET.register_namespace("", space.strip("{}"))
    for item in root.iter(f"{space}item"):
        instance_id = item.findtext(f"{space}instanceId") or ""
        if instance_id not in states:
            continue
        name, code, words = states[instance_id]
        for tag in ("instanceState", "currentState"):
            if (state := item.find(f"{space}{tag}")) is not None:
                _put(state, f"{space}code", str(STATES[name]))
                _put(state, f"{space}name", name)
        if code and item.find(f"{space}instanceState") is not None:
            reason = item.find(f"{space}stateReason")
            if reason is None:
                reason = ET.SubElement(item, f"{space}stateReason")
            _put(reason, f"{space}code", code)
            _put(reason, f"{space}message", f"{code}: {words}")
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root)


def _put(parent: ET.Element, tag: str, value: str) -> None:
    found = parent.find(tag)
    if found is None:
        found = ET.SubElement(parent, tag)
    found.text = value
