"""The pretended EC2 with many instances, and a region that hangs.

`python -m bench.instances_cloud COUNT REGION HUNG CLUSTER` prints its URL and the seconds that moto needs to
list all instances, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec

from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.settings import Bounds, Ec2Settings
from pilot.demo.ec2.stand_in import StandIn

BULK = 500


async def main(count: int, region: str, hung: str, cluster: str) -> None:
    """Run it."""
    cloud = StandIn()
    await cloud.start()
    given = {"name": "bench", "regions": [region], "endpoint": cloud.url}
    calls = Calls(msgspec.convert(given, Ec2Settings), Bounds())
    tags = [{"Key": "Name", "Value": "remote"}, {"Key": "pilot:cluster", "Value": cluster}]
    try:
        for start in range(0, count, BULK):
            some = min(BULK, count - start)
            await calls.call(
                region, "ec2", "run_instances", 120, ImageId="ami-760aaa0f", MinCount=some, MaxCount=some,
                InstanceType="t3.micro", TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )  # fmt: skip
        begin = time.perf_counter()
        await _drain(calls, region)
        first = time.perf_counter() - begin
        begin = time.perf_counter()
        await _drain(calls, region)  # the stand-in has it from here on: what is left is reading it
        print(cloud.url, first - (time.perf_counter() - begin), flush=True)
        await calls.close()
        cloud.trouble.hangs.add(hung)
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await cloud.stop()


async def _drain(calls: Calls, region: str) -> None:
    filters = [{"Name": "tag-key", "Values": ["pilot:cluster"]}]
    async for _ in calls.pages(region, "ec2", "describe_instances", 500, Filters=filters):
        pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:5]))
