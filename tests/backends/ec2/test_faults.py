"""What goes wrong at AWS: each in words of its own, with what was known kept, and no other region slower."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.ec2.faults import Fault, fault_of
from pilot.errors import DeadlineError, RefusedError, UnreachableError
from tests.backends.ec2.conftest import EAST, QUICK, WEST, NewRig, Rig
from tests.support.waiting import until


async def down(r: Rig, words: str, region: str = EAST) -> None:
    await until(
        lambda: r.sink.source(region).state == "down" and words in r.sink.source(region).detail, 20, words
    )


async def test_wrong_credentials_and_better_ones(
    rig: NewRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pilot.backends.ec2.calls.RENEW_SECONDS", 0.1)
    r = await rig(up=False)
    await until(lambda: f"source:ec2/demo/{EAST}" in r.sink.others, 5)
    await down(r, "has no credentials")
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = WRONG\naws_secret_access_key = wrong\n")
    await down(r, "does not know airboss's credentials")
    assert "check the access key" in r.sink.source().words
    assert "AuthFailure" in r.sink.source().words
    assert r.sink.source().good == 0
    file.write_text(
        "[default]\naws_access_key_id = PRETENDED\naws_secret_access_key = x\naws_session_token = expired\n"
    )
    await down(r, "token at AWS has expired")
    assert "log in again" in r.sink.source().words
    file.write_text("[default]\naws_access_key_id = PRETENDED\naws_secret_access_key = x\n")
    await until(lambda: r.sink.is_up(EAST), 20, "it works as soon as they do")
    assert r.sink.source().detail == ""


async def test_a_profile_that_is_not_there(rig: NewRig) -> None:
    r = await rig(up=False, profile="nobody")
    await until(lambda: f"source:ec2/demo/{EAST}" in r.sink.others, 5)
    await down(r, "the profile that [[ec2]] names is not there")


async def test_throttled_then_not(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    r.aws.trouble.throttled[EAST] = 4
    await down(r, "too many requests")
    await until(lambda: r.sink.is_up(EAST), 20, "up again")
    r.aws.trouble.throttled[EAST] = 0
    off = asyncio.create_task(r.act(instance_id, "power.off"))
    await until(lambda: (EAST, "DescribeInstances") in r.aws.asked, 5)
    assert (await off).state == "off"


async def test_a_region_that_never_answers_delays_no_other(rig: NewRig) -> None:
    r = await rig(regions=(EAST, WEST), bounds=msgspec.structs.replace(QUICK, page=1.0, poll=3.0))
    here, there = await r.one("here"), await r.one("there", region=WEST)
    r.aws.trouble.hangs.add(WEST)
    await down(r, "does not answer", WEST)
    good = r.sink.source(WEST).good
    assert 0 < good < time.time()
    assert r.sink.nodes_now[f"ec2:{there}"].stale_since == good
    seen = r.sink.source(EAST).good
    await until(lambda: r.sink.source(EAST).good > seen, 10, "the other one goes on")
    assert (await r.act(here, "power.off")).state == "off"
    with pytest.raises(UnreachableError):
        await r.act(there, "power.off")


async def test_an_act_that_is_not_answered_is_unknown(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, page=1.0, ask=1.0))
    instance_id = await r.one()
    await until(lambda: r.sink.is_up(EAST), 5)
    r.aws.trouble.hangs.add(EAST)
    with pytest.raises(DeadlineError, match="does not answer"):
        await r.act(instance_id, "power.off")


async def test_a_clock_that_is_off(rig: NewRig) -> None:
    r = await rig()
    await r.one()
    r.aws.trouble.clock = -14 * 60.0
    await down(r, "airboss's clock is 14 min ahead of AWS's")
    r.aws.trouble.clock = 20 * 60.0
    await down(r, "airboss's clock is 20 min behind AWS's")
    assert "chrony" in r.sink.source().words
    r.aws.trouble.clock = 0
    await until(lambda: r.sink.is_up(EAST), 20, "up again")


async def test_half_an_answer_and_another_web_page(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    r.aws.trouble.half.add(EAST)
    await down(r, "only half an answer")
    r.aws.trouble.half.clear()
    await until(lambda: r.sink.is_up(EAST), 20)
    r.aws.trouble.odd.add(EAST)
    await down(r, "what answered is not AWS")
    assert r.sink.state(instance_id) == "running"
    assert not r.sink.gone_ids


async def test_nobody_listens(rig: NewRig) -> None:
    r = await rig(up=False, endpoint="http://127.0.0.1:9")
    await until(lambda: f"source:ec2/demo/{EAST}" in r.sink.others, 5)
    await down(r, "cannot be reached")


async def test_what_the_account_may_not_do_is_refused(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    r.aws.trouble.denied.add(("StopInstances", instance_id))
    with pytest.raises(RefusedError, match="does not let airboss's account do that"):
        await r.act(instance_id, "power.off")
    r.aws.trouble.denied |= {("DescribeVpcs", "*"), ("DescribeInstanceStatus", "*")}
    good = r.sink.source().good
    await until(lambda: r.sink.source().good > good, 10, "the rest is shown all the same")


def test_words_of_errors_that_have_no_code() -> None:
    assert fault_of(NoCredentialsError(), 0).kind == "credentials"
    assert fault_of(ConnectTimeoutError(endpoint_url="https://x"), 0).kind == "silent"
    assert fault_of(ValueError("?"), 0).kind == "other"
    fault = Fault("denied", "no")
    assert fault_of(fault, 0) is fault


@given(st.text(max_size=40), st.text(max_size=600), st.integers(0, 599))
def test_any_error_of_aws_becomes_words(code: str, message: str, status: int) -> None:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    fault = fault_of(ClientError(answer, "X"), 0)
    error = fault.error("doing it to x")
    assert error.message.startswith("doing it to x")
    assert len(error.message) < 500
    assert error.message.isprintable() or not code.isprintable()
