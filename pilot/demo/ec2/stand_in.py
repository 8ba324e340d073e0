"""The pretended EC2: moto's server behind a proxy that answers what moto lacks.

It checks what AWS would: the access key, the token, the clock; keeps the states on the way that moto jumps
over; and can be told to misbehave, region by region.
"""

from __future__ import annotations

import base64
import calendar
import json
import re
import socket
import time
from email.utils import formatdate
from importlib import resources
from urllib.parse import parse_qsl, urlencode

import aiohttp
import asyncssh
from aiohttp import web

from pilot.backends.ec2 import prices
from pilot.demo.ec2 import answers, past
from pilot.demo.ec2.answers import Answer, error, xml
from pilot.demo.ec2.fleet import populate
from pilot.demo.ec2.guests import Guests
from pilot.demo.ec2.moto_server import MotoServer
from pilot.demo.ec2.past import Past
from pilot.demo.ec2.serial import Refused, SerialEndpoint
from pilot.demo.ec2.trouble import Trouble

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_SKEW = 300.0
_FORM = "application/x-www-form-urlencoded"
_CHANGES = ("Run", "Start", "Stop", "Reboot", "Terminate", "Create", "Delete", "Modify", "Request", "Import")
_KEPT = ("DescribeInstances", "DescribeInstanceTypes", "DescribeVpcs", "DescribeSubnets")
_SLOW = {"StartInstances": "pending", "RunInstances": "pending", "StopInstances": "stopping"}


class StandIn:
    """One pretended AWS for any number of regions."""

    def __init__(
        self, access_key: str = "PRETENDED", slow: float = 0.0, teardown: float = 30.0, moto: str = ""
    ) -> None:
        """Nothing runs before `start`.

        Args:
            access_key: the one that is let in; empty lets all in.
            slow: seconds that instances take to start and to stop.
            teardown: seconds between two serial sessions.
            moto: URL of a server of moto that runs already; empty to run one.
        """
        self.access_key = access_key
        self.slow = slow
        self.guests = Guests()
        self.serial = SerialEndpoint(self.guests, teardown)
        self.trouble = Trouble()
        self.asked: list[tuple[str, str]] = []
        """Region and action of the last calls."""
        self.pasts: dict[str, Past] = {}
        """What instances have behind them that moto knows nothing of, by id."""
        self.serial_enabled = True
        self.url = ""
        self._moto = MotoServer(moto)
        self._kept: dict[tuple[str, bytes], Answer] = {}
        self._passing: dict[str, tuple[str, float]] = {}
        """States that moto jumps over, and until when they last."""
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    async def start(
        self, at: socket.socket | None = None, serial_at: socket.socket | None = None, fleet: bool = False
    ) -> None:
        """Run moto and listen.

        Args:
            at: listens already; None for any port of the loopback.
            serial_at: the same for serial consoles.
            fleet: whether there are the demo's instances before the first answer.
        """
        await self._moto.start()
        self._client = aiohttp.ClientSession()
        if fleet:
            await populate(self.ask, self.pasts.__setitem__)
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.SockSite(self._runner, at) if at else web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self.serial.start(at=serial_at)

    async def stop(self) -> None:
        """End all of it."""
        self.trouble.end()
        await self.serial.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()
        await self._moto.stop()

    def settle(self) -> None:
        """End what takes its time: instances that start or stop have done so."""
        self._passing.clear()

    # --- a request -------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        key, region, service = scope.groups() if scope else ("", "", "")
        target = request.headers.get("X-Amz-Target", "")
        form = {} if target else dict(parse_qsl(body.decode("utf-8", "replace")))
        action = target.rpartition(".")[2] or form.get("Action", "")
        self.asked = [*self.asked[-9_999:], (region, action)]
        answer = self._stranger(key, request.headers, as_json=bool(target))
        if answer is None:
            answer = await self.trouble.answer(region, action, as_json=bool(target))
        if answer is None:
            if action == "GetMetricData" and self.pasts:
                answer = past.metrics(form, self.pasts, self._now())
            elif service in ("ec2", "ec2-instance-connect", "pricing"):
                answer = await self._own(region, action, form, body, request)
            else:
                answer = await self._pass_on(request, body)
        status, kind, said = self.trouble.spoiled(region, action, answer)
        date = formatdate(self._now(), usegmt=True)
        return web.Response(
            status=status, body=said, headers={"Content-Type": kind, "Date": date, "Server": "pretended"}
        )

    def _now(self) -> float:
        return time.time() + self.trouble.clock

    def _stranger(self, key: str, headers: object, *, as_json: bool) -> Answer | None:
        """What AWS says to whom it does not know, or whose clock or token is off."""
        get = headers.get  # type: ignore[attr-defined]
        if self.access_key and key != self.access_key:
            code, words = "AuthFailure", "AWS was not able to validate the provided access credentials"
            return error(401, "UnrecognizedClientException" if as_json else code, words, as_json=as_json)
        if get("X-Amz-Security-Token") == "expired":
            code = "ExpiredTokenException" if as_json else "RequestExpired"
            return error(400, code, "Request has expired.", as_json=as_json)
        try:
            at = calendar.timegm(time.strptime(get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ"))
        except ValueError:
            return error(400, "IncompleteSignature", "X-Amz-Date is missing", as_json=as_json)
        if abs(at - self._now()) > _SKEW:
            words = "AWS was not able to validate the provided access credentials"
            return error(401, "AuthFailure", words, as_json=as_json)
        return None

    async def _own(
        self, region: str, action: str, form: dict[str, str], body: bytes, request: web.Request
    ) -> Answer:
        """Answer, or have moto do it."""
        ids = [value for name, value in form.items() if name.startswith("InstanceId")]
        if any(self.trouble.denies(action, form, instance_id) for instance_id in ids or [""]):
            return error(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
        if action == "SendSerialConsoleSSHPublicKey":
            return await self._push(region, json.loads(body or b"{}"), request)
        if action == "GetProducts":
            return self._price(json.loads(body or b"{}"))
        if action in ("GetConsoleScreenshot", "GetConsoleOutput", "SendDiagnosticInterrupt"):
            return await self._console(region, action, ids[0] if ids else "", form, request)
        if action == "DescribeSpotPriceHistory" and self.pasts:
            return answers.spot_prices(region, time.time())
        if action == "GetSerialConsoleAccessStatus":
            return xml(action, serialConsoleAccessEnabled=str(self.serial_enabled).lower())
        if action == "MonitorInstances":
            return xml(action, instancesSet="")
        return await self._moto_answer(region, action, form, body, ids, request)

    async def _moto_answer(
        self,
        region: str,
        action: str,
        form: dict[str, str],
        body: bytes,
        ids: list[str],
        request: web.Request,
    ) -> Answer:
        # moto takes 4 ms for each instance that it describes: what it said is good until something changes.
        kept = self._kept.get((region, body)) if action in _KEPT else None
        answer = kept or await self._pass_on(request, body)
        if answer[0] == 200 and action in _KEPT:
            self._kept[(region, body)] = answer
        elif action.startswith(_CHANGES):
            self._kept.clear()
        if answer[0] == 200 and form.get("DryRun") != "true":
            self._changed(action, ids or re.findall(r"<instanceId>(i-\w+)<", answer[2].decode()))
        if answer[0] != 200 or action not in ("DescribeInstances", "DescribeInstanceStatus"):
            return answer
        said = answer[2]
        if self.pasts:
            said = past.told(said, self.pasts)
        if states := self._states():
            said = answers.overlaid(said, states)
        return 200, answer[1], said

    def _changed(self, action: str, ids: list[str]) -> None:
        for instance_id in ids:
            if action == "StartInstances" and instance_id in self.pasts:
                self.pasts[instance_id] = Past(self._now())
            elif action in ("StopInstances", "TerminateInstances") and instance_id in self.pasts:
                before = self.pasts[instance_id]
                self.pasts[instance_id] = Past(before.launched, percent=before.percent)
            if action in _SLOW and self.slow:
                self._passing[instance_id] = _SLOW[action], time.monotonic() + self.slow
            elif action == "TerminateInstances":
                self._passing.pop(instance_id, None)
                self.trouble.fates.pop(instance_id, None)
            elif action == "RebootInstances":
                self.guests[instance_id].boot()

    def _states(self) -> dict[str, tuple[str, str, str]]:
        now = time.monotonic()
        self._passing = {i: (state, end) for i, (state, end) in self._passing.items() if end > now}
        passing = {i: (state, "", "") for i, (state, _) in self._passing.items()}
        return {**self.trouble.fates, **passing}

    # --- what moto lacks -------------------------------------------------------------------------

    async def _console(
        self, region: str, action: str, instance_id: str, form: dict[str, str], request: web.Request
    ) -> Answer:
        state = await self._state(instance_id, request)
        if not state:
            words = f"The instance ID '{instance_id}' does not exist"
            return error(400, "InvalidInstanceID.NotFound", words)
        if form.get("DryRun") == "true":
            return error(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if action == "GetConsoleOutput":
            text = base64.b64encode(self.guests[instance_id].output()).decode()
            at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self._now()))
            return xml(action, instanceId=instance_id, timestamp=at, output=text)
        if state != "running":
            return error(400, "IncorrectInstanceState", f"The instance '{instance_id}' is not running.")
        if action == "SendDiagnosticInterrupt":
            self.guests[instance_id].interrupt()
            return xml(action, **{"return": "true"})
        picture = resources.files(__package__).joinpath("screen.jpg").read_bytes()
        return xml(action, instanceId=instance_id, imageData=base64.b64encode(picture).decode())

    async def _push(self, region: str, asked: dict[str, object], request: web.Request) -> Answer:
        instance_id = str(asked.get("InstanceId", ""))
        if not self.serial_enabled:
            words = "Your account is not authorized to use the EC2 Serial Console."
            return error(400, "SerialConsoleAccessDisabledException", words, as_json=True)
        state = await self._state(instance_id, request, region)
        if not state:
            return error(400, "EC2InstanceNotFoundException", "There is no such instance.", as_json=True)
        if state in ("stopped", "terminated"):
            return error(400, "EC2InstanceStateInvalidException", f"It is {state}.", as_json=True)
        try:
            self.serial.push(instance_id, str(asked.get("SSHPublicKey", "")))
        except Refused as refused:
            return error(400, "SerialConsoleSessionLimitExceededException", str(refused), as_json=True)
        except asyncssh.KeyImportError:
            return error(400, "InvalidArgsException", "That is no public key.", as_json=True)
        return answers.told({"RequestId": "pretended", "Success": True})

    def _price(self, asked: dict[str, object]) -> Answer:
        filters = asked.get("Filters")
        rows = filters if isinstance(filters, list) else []
        wanted = {str(row.get("Field")): str(row.get("Value")) for row in rows if isinstance(row, dict)}
        region, kind = wanted.get("regionCode", ""), wanted.get("instanceType", "")
        found = prices.from_table("us-east-1", kind, wanted.get("operatingSystem", ""))
        if found is None:
            return answers.told({"FormatVersion": "aws_v1", "PriceList": []})
        return answers.told(answers.product(kind, region, found.hour))

    async def _state(self, instance_id: str, request: web.Request, region: str = "") -> str:
        """An instance's state; empty if there is none."""
        if instance_id in (states := self._states()):
            return states[instance_id][0]
        body = f"Action=DescribeInstances&Version=2016-11-15&InstanceId.1={instance_id}".encode()
        headers = {"Content-Type": _FORM, "Authorization": request.headers.get("Authorization", "")}
        headers["Authorization"] = headers["Authorization"].replace("/ec2-instance-connect/", "/ec2/")
        headers["Host"] = f"ec2.{region or 'us-east-1'}.amazonaws.com"
        answer = await self._send(body, headers, "/")
        found = re.search(rb"<instanceState>.*?<name>([\w-]+)</name>", answer[2], re.DOTALL)
        return found[1].decode() if answer[0] == 200 and found else ""

    async def ask(self, region: str, action: str, form: dict[str, str]) -> str:
        """What moto says to somebody else than a client."""
        body = urlencode({"Action": action, "Version": "2016-11-15", **form}).encode()
        who = f"AWS4-HMAC-SHA256 Credential=PRETENDED/20250101/{region}/ec2/aws4_request"
        headers = {
            "Authorization": f"{who}, SignedHeaders=host, Signature=0", "Content-Type": _FORM,
            "Host": f"ec2.{region}.amazonaws.com",
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        }  # fmt: skip
        return (await self._send(body, headers, "/"))[2].decode("utf-8", "replace")

    async def _pass_on(self, request: web.Request, body: bytes) -> Answer:
        names = ("Authorization", "Content-Type", "X-Amz-Target", "X-Amz-Date", "Host", "User-Agent")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        return await self._send(body, headers, request.path_qs)

    async def _send(self, body: bytes, headers: dict[str, str], path: str) -> Answer:
        assert self._client is not None
        async with self._client.post(self._moto.url + path, data=body, headers=headers) as answer:
            kind = answer.headers.get("Content-Type", "text/xml")
            return answer.status, kind, await answer.read()
